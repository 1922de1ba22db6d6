"""Inputs of other forms than plain CSV, and what is said about them."""

import csv
import json

import pandas as pd
import pytest
from spacy.cli._util import app
from typer.testing import CliRunner

import spacy_bertreg.cli  # noqa: F401 - registers the commands
from spacy_bertreg.data.tables.read import read_table
from spacy_bertreg.scoring.score import score_file


def score(pipeline, tmp_path, content, name="in.tsv", output="out.jsonl", **options):
    """Score a table, and return the summary and the rows."""
    (tmp_path / name).write_bytes(content)
    summary = score_file(pipeline, tmp_path / name, tmp_path / output, overwrite=True, **options)
    lines = (tmp_path / output).read_text(encoding="utf-8").splitlines()
    return summary, list(map(json.loads, lines))


def test_quotation_marks_in_tsv_take_no_rows(pipeline, tmp_path):
    content = b'id\ttext\n1\t"To be\n2\tQuiet.\n3\tor not"\n4\t"Yes," he said\n'
    summary, rows = score(pipeline, tmp_path, content)
    assert [row["id"] for row in rows] == ["1", "2", "3", "4"]
    assert rows[0]["text"] == '"To be'
    assert summary.notes == ("Quotation marks are read as ordinary characters (--quoting none)",)


def test_lines_and_rows_are_reconciled(pipeline, tmp_path):
    content = b'id,text\n1,"To be\n2,Quiet.\n3,or not"\n4,Calm.\n'
    summary, rows = score(pipeline, tmp_path, content, "in.csv")
    assert [row["id"] for row in rows] == ["1", "4"]
    (note,) = summary.notes
    assert note.startswith("4 lines below the header are 2 rows")
    summary, rows = score(pipeline, tmp_path, content, "in.csv", quoting="none")
    assert [row["id"] for row in rows] == ["1", "2", "3", "4"]
    assert summary.notes == ()


def test_separators_and_empty_columns(pipeline, tmp_path):
    summary, rows = score(pipeline, tmp_path, b"sep=;\nid;text;;\n1;To, be;;\n", "in.csv")
    assert list(rows[0]) == ["id", "text", "severity_predicted"]
    assert rows[0]["text"] == "To, be"
    assert len(summary.notes) == 2
    summary, rows = score(pipeline, tmp_path, b"id;text\n2;a;b\n" + b"1;To\n" * 10, "in.csv")
    assert (summary.scored, summary.rejected) == (10, 1)


def test_decimal_commas_of_covariates(covariate_pipeline, tmp_path):
    content = b"text;deaths\nx;1,5\n"
    summary, rows = score(covariate_pipeline, tmp_path, content, "in.csv", decimal=",")
    assert (summary.scored, rows[0]["deaths"]) == (1, "1,5")
    summary, _ = score(covariate_pipeline, tmp_path, content, "in.csv")
    reject = json.loads(summary.errors.read_text())
    assert reject["reason"].endswith("'1,5', which is no finite number (see --decimal)")


def test_encodings_are_told_of(pipeline, tmp_path):
    content = "text\n“Quiet”\nCalm.\n".encode("cp1252")
    summary, rows = score(pipeline, tmp_path, content, "in.csv")
    assert (len(rows), summary.rejected) == (1, 1)
    assert summary.warnings[0].endswith("--encoding cp1252.")
    summary, rows = score(pipeline, tmp_path, content, "in.csv", encoding="latin-1")
    assert summary.warnings[0].startswith("1 texts have control characters")
    summary, rows = score(pipeline, tmp_path, content, "in.csv", encoding="cp1252")
    assert (rows[0]["text"], summary.warnings) == ("“Quiet”", ())
    with pytest.raises(ValueError, match=r"its header has bytes .*--encoding cp1252\.$"):
        score(pipeline, tmp_path, "“text”\nx\n".encode("cp1252"), "in.csv")


def test_half_a_character_of_utf_16_is_rejected(pipeline, tmp_path):
    half = "\U0001f600".encode("utf-16-le")[:2]
    content = "text\nOne\nTwo ".encode("utf-16") + half + "\nThree\n".encode("utf-16-le")
    summary, rows = score(pipeline, tmp_path, content, "in.csv", encoding="utf-16")
    assert [row["text"] for row in rows] == ["One", "Three"]
    reject = json.loads(summary.errors.read_text())
    assert (reject["line"], reject["raw"]) == (3, "Two \\x3d\\xd8")
    assert reject["reason"] == "has bytes that are not utf-16"


@pytest.mark.parametrize("kind", ["csv", "tsv"])
def test_a_carriage_return_stays_in_its_field(pipeline, tmp_path, kind):
    texts = ["one\rtwo", "three", "four\r\nfive", "\r"]
    lines = "".join(json.dumps({"text": text, "n": 1}) + "\n" for text in texts)
    (tmp_path / "in.jsonl").write_text(lines)
    output = tmp_path / f"out.{kind}"
    score_file(pipeline, tmp_path / "in.jsonl", output)
    assert read_table(output)["text"].tolist() == texts
    assert b'"one\rtwo"' in output.read_bytes()
    assert not output.read_bytes().endswith(b"\r\n")
    with output.open(newline="") as file_:
        rows = csv.reader(file_, delimiter="," if kind == "csv" else "\t", strict=True)
        assert [row[0] for row in rows] == ["text", *texts]


@pytest.mark.parametrize("kind", ["xlsx", "dta", "sav"])
@pytest.mark.parametrize("output", ["csv", "jsonl", "parquet"])
def test_tables_that_are_read_whole(covariate_pipeline, tmp_path, kind, output):
    pyreadstat = pytest.importorskip("pyreadstat")
    pytest.importorskip("openpyxl")
    frame = pd.DataFrame({"text": ["Quiet.", "", "War."], "deaths": [1.0, 2.0, None]})
    frame["party"] = [1.0, 2.0, 1.0]
    source = tmp_path / f"in.{kind}"
    labels = {"party": {1: "left", 2: "right"}, "deaths": {1: "one", 2: "two"}}
    if kind == "xlsx":
        frame["party"] = ["left", "right", "left"]
        frame.to_excel(source, index=False)
    elif kind == "dta":
        pyreadstat.write_dta(frame, source, variable_value_labels=labels)
    else:
        pyreadstat.write_sav(frame, source, variable_value_labels=labels)
    target = tmp_path / f"out.{output}"
    summary = score_file(covariate_pipeline, source, target, batch_size=2)
    assert (summary.scored, summary.rejected, summary.empty) == (3, 0, 1)
    found = pd.read_parquet(target) if output == "parquet" else read_table(target)
    assert found["party"].tolist() == ["left", "right", "left"]
    assert [str(n) for n in found["deaths"]][:2] in (["1", "2"], ["1.0", "2.0"])
    assert found.columns.tolist()[-1] == "severity_predicted"


def test_excel_is_not_written(pipeline, tmp_path):
    (tmp_path / "in.csv").write_text("text\nx\n")
    with pytest.raises(ValueError, match="out.xlsx: tables that end in .xlsx are only read"):
        score_file(pipeline, tmp_path / "in.csv", tmp_path / "out.xlsx")


def test_large_integers(pipeline, tmp_path):
    content = json.dumps({"text": "Quiet.", "unneeded": 2**70}).encode()
    _, rows = score(pipeline, tmp_path, content, "in.jsonl")
    assert rows[0]["unneeded"] == 2**70
    pytest.importorskip("pyarrow")
    with pytest.raises(ValueError, match="don't fit one Parquet file: .* ends in .jsonl"):
        score_file(pipeline, tmp_path / "in.jsonl", tmp_path / "out.parquet")


def test_the_command_says_it(pipeline, tmp_path):
    (tmp_path / "in.csv").write_bytes(b'text;y\n"a\nb";1\n\x93c\x94;2\n')
    arguments = ["bertreg", "score", pipeline, tmp_path / "in.csv", tmp_path / "out.csv"]
    options = ["--encoding", "latin-1", "--quoting", "quoted", "--separator", ";"]
    result = CliRunner().invoke(app, [*map(str, arguments), *options])
    assert result.exit_code == 0, result.output
    shown = " ".join(result.output.split())
    assert "The fields are separated by semicolon" in shown
    assert "3 lines below the header are 2 rows" in shown
    assert "Is the encoding cp1252?" in shown
