"""Rows that can't be scored are kept, with the reason, and the job goes on."""

import base64
import csv
import json

import pytest

from spacy_bertreg.data.tables import records
from spacy_bertreg.scoring.predictor import Predictor
from spacy_bertreg.scoring.score import score_file


def read_rejects(summary):
    lines = summary.errors.read_text().splitlines() if summary.errors else []
    return [json.loads(line) for line in lines]


def score(pipeline, tmp_path, name, content, **options):
    """Score a table, and return the summary, the scored rows and the rejected rows."""
    (tmp_path / name).write_bytes(content)
    summary = score_file(pipeline, tmp_path / name, tmp_path / f"out-{name}", **options)
    with (tmp_path / f"out-{name}").open(encoding="utf-8", newline="") as file_:
        if name.endswith("jsonl"):
            rows = [json.loads(line) for line in file_]
        else:
            rows = list(csv.DictReader(file_))
    rejects = read_rejects(summary)
    assert summary.rows == len(rows) + len(rejects)
    assert (summary.scored, summary.rejected) == (len(rows), len(rejects))
    return summary, rows, rejects


def test_rows_of_csv(pipeline, tmp_path):
    content = b"\n".join(
        [
            b"id,text",
            b"1,Quiet.",
            b"2,too,many",
            b"3",
            b"4,Caf\xe9 \xff",
            b'5,"a ""quoted""\nline"',
            b'6,"wrong"quote',
            b"7,Calm.",
        ]
    )
    _, rows, rejects = score(pipeline, tmp_path, "in.csv", content, id_column="id")
    assert [row["id"] for row in rows] == ["1", "5", "7"]
    assert [(r["row"], r["line"]) for r in rejects] == [(2, 3), (3, 4), (4, 5), (6, 8)]
    reasons = [reject["reason"] for reject in rejects]
    assert reasons[0] == "has 3 fields, not 2 as the header"
    assert reasons[1] == "has 1 fields, not 2 as the header"
    assert reasons[2] == "has bytes that are not utf-8"
    assert "',' expected after '\"'" in reasons[3]
    assert [r["raw"] for r in rejects][:2] == ["2,too,many", "3"]
    assert rejects[2]["raw"] == "4,Caf\\xe9 \\xff"
    assert base64.b64decode(rejects[2]["raw_base64"]) == b"4,Caf\xe9 \xff"


@pytest.mark.parametrize("longest", [20, records.LONGEST_QUOTED])
def test_a_quote_that_nothing_closes_takes_one_line(pipeline, tmp_path, monkeypatch, longest):
    monkeypatch.setattr(records, "LONGEST_QUOTED", longest)
    content = b'id,text\n1,Quiet.\n2,"open\n3,Calm.\n4,War.\n5,Peace.\n'
    _, rows, rejects = score(pipeline, tmp_path, "in.csv", content)
    assert [row["id"] for row in rows] == ["1", "3", "4", "5"]
    (reject,) = rejects
    assert (reject["row"], reject["line"], reject["raw"]) == (2, 3, '2,"open')


def test_rows_of_jsonl(pipeline, tmp_path):
    rows = [
        b'{"id": 1, "text": "Quiet."}',
        b'{"id": 2, "text": 5}',
        b'{"id": 3}',
        b"[4]",
        b'{"id": 5, "text": null}',
        b'{"id": 6, "text": "\\ud800"}',
        b'{"id": 7, "text": "x", "severity_predicted": 1}',
        b'{"id": 8, "text": "Caf\xe9"}',
        b'{"id": 9, "text": "Calm.", "other": "\\ud800", "more": [1, {"a": null}]}',
        b'{"id": 10, "te',
    ]
    summary, scored, rejects = score(
        pipeline, tmp_path, "in.jsonl", b"\n".join(rows), id_column="id"
    )
    assert [row["id"] for row in scored] == [1, 5, 9]
    assert summary.empty == 1
    assert scored[-1]["other"] == "\ud800"
    assert scored[-1]["more"] == [1, {"a": None}]
    assert [reject["line"] for reject in rejects] == [2, 3, 4, 6, 7, 8, 10]
    reasons = " | ".join(reject["reason"] for reject in rejects)
    assert "column 'text' holds 5, which is no text | has no field 'text'" in reasons
    assert "is no JSON object | the text has half a character" in reasons
    assert "has a field 'severity_predicted' already | has bytes that are not utf-8" in reasons
    assert "is no JSON: Unterminated string" in reasons
    assert rejects[-1]["raw"] == '{"id": 10, "te'
    assert rejects[0]["id"] == "2"


def test_a_field_that_a_csv_file_can_not_hold(pipeline, tmp_path):
    (tmp_path / "in.jsonl").write_text('{"text": "x", "a": 1}\n{"text": "y", "b": 2}\n')
    summary = score_file(pipeline, tmp_path / "in.jsonl", tmp_path / "out.csv")
    (reject,) = read_rejects(summary)
    assert reject["reason"] == "has a field 'b', which the first row does not have"


def test_covariates_that_are_no_numbers(covariate_pipeline, tmp_path):
    content = b"text,deaths\nx,1\nx,many\nx,\nx,2\n"
    _, rows, rejects = score(covariate_pipeline, tmp_path, "in.csv", content)
    assert [row["deaths"] for row in rows] == ["1", "", "2"]
    assert [r["reason"] for r in rejects] == [
        "column 'deaths' holds 'many', which is no finite number"
    ]
    (tmp_path / "in.csv").write_text("text\nx\n")
    with pytest.raises(ValueError, match="has no column 'deaths'"):
        score_file(covariate_pipeline, tmp_path / "in.csv", tmp_path / "out.csv")


def test_a_text_at_which_a_component_fails(pipeline, tmp_path, monkeypatch):
    predict = Predictor._predict

    def fail(self, pairs):
        if any(text == "bad" for text, _ in pairs):
            raise RuntimeError("no such text")
        return predict(self, pairs)

    monkeypatch.setattr(Predictor, "_predict", fail)
    content = b"name,text\na,Quiet.\nb,bad\nc,Calm.\n"
    _, rows, rejects = score(pipeline, tmp_path, "in.csv", content, id_column="name")
    assert [row["text"] for row in rows] == ["Quiet.", "Calm."]
    (reject,) = rejects
    assert (reject["row"], reject["line"], reject["id"], reject["raw"]) == (2, 3, "b", "bad")
    assert reject["reason"] == "RuntimeError: no such text"
    # Where no text at all can be scored, the texts are not at fault.
    (tmp_path / "all.csv").write_text("text\nbad\nbad\n")
    with pytest.raises(RuntimeError, match="no such text"):
        score_file(pipeline, tmp_path / "all.csv", tmp_path / "all-out.csv")


def test_strict_stops_and_keeps_what_came_before(pipeline, tmp_path):
    rows = ["Quiet."] * 20 + ["x,y"] + ["Calm."] * 5
    (tmp_path / "in.csv").write_text("\n".join(["text", *rows]) + "\n")
    options = {"batch_size": 8}
    target = tmp_path / "out.csv"
    with pytest.raises(ValueError, match=r"Row 21 \(line 22\) can't be scored: has 2 fields"):
        score_file(pipeline, tmp_path / "in.csv", target, strict=True, **options)
    assert not target.exists()
    summary = score_file(pipeline, tmp_path / "in.csv", target, **options)
    assert (summary.rows, summary.rejected, summary.resumed_after) == (26, 1, 16)
