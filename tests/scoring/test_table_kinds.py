"""Tables as they come: all columns stay, and predictions are those of nlp.pipe."""

import csv
import gzip
import json

import pandas as pd
import pytest
import spacy

from spacy_bertreg.scoring.score import score_file

pa = pytest.importorskip("pyarrow")
KINDS = ("csv", "tsv", "jsonl", "parquet", "csv.gz", "jsonl.gz")


@pytest.fixture(scope="module")
def nlp(trained_once):
    return spacy.load(trained_once)


def write(table: pd.DataFrame, path) -> None:
    if path.suffix == ".parquet":
        table.to_parquet(path, index=False)
    elif ".jsonl" in path.name:
        table.to_json(path, orient="records", lines=True, force_ascii=False)
    else:
        table.to_csv(path, index=False, sep="\t" if ".tsv" in path.name else ",")


def read(path) -> pd.DataFrame:
    if path.suffix == ".parquet":
        return pd.read_parquet(path)
    if ".jsonl" in path.name:
        # pandas' own reader makes numbers of what looks like such.
        content = gzip.decompress(path.read_bytes()) if path.suffix == ".gz" else path.read_bytes()
        return pd.DataFrame(json.loads(line) for line in content.decode().splitlines())
    return pd.read_csv(
        path,
        sep="\t" if ".tsv" in path.name else ",",
        dtype={"id": str, "text": str, "severity": str},
        keep_default_na=False,
    )


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("output", KINDS)
def test_every_kind_comes_out_as_every_kind(pipeline, nlp, table, tmp_path, kind, output):
    source, target = tmp_path / f"the texts.{kind}", tmp_path / "new folder" / f"scored.{output}"
    write(table, source)
    summary = score_file(pipeline, source, target, id_column="id", batch_size=16)
    assert (summary.rows, summary.scored, summary.rejected, summary.empty) == (50, 50, 0, 1)
    found = read(target)
    assert list(found.columns) == ["id", "text", "severity", "severity_predicted"]
    assert found[table.columns].values.tolist() == table.values.tolist()
    expected = [doc.cats["severity"] for doc in nlp.pipe(table["text"], batch_size=16)]
    assert found["severity_predicted"].astype(float).tolist() == pytest.approx(expected, abs=1e-6)
    assert [path.name for path in target.parent.iterdir()] == [target.name]


@pytest.mark.parametrize(
    ("content", "encoding"),
    [
        ("text,y\nCaf\u00e9 was quiet.,1\n".encode("utf-8-sig"), "utf-8"),
        ("text,y\r\nCaf\u00e9 was quiet.,1\r\n".encode(), "utf-8"),
        ("text,y\nCaf\u00e9 was quiet.,1\n".encode("latin-1"), "latin-1"),
        ("text,y\nCaf\u00e9 was quiet.,1\n".encode("utf-16"), "utf-16"),
        ('y,text\n\n1,"Caf\u00e9 was quiet."'.encode(), "utf-8"),
    ],
    ids=["byte order mark", "CRLF", "latin-1", "utf-16", "blank line and no last line's end"],
)
def test_encodings_and_line_ends(pipeline, tmp_path, content, encoding):
    (tmp_path / "in.csv").write_bytes(content)
    score_file(pipeline, tmp_path / "in.csv", tmp_path / "out.csv", encoding=encoding)
    (row,) = csv.DictReader((tmp_path / "out.csv").read_text(encoding="utf-8").splitlines())
    assert (row["text"], row["y"]) == ("Caf\u00e9 was quiet.", "1")
    assert float(row["severity_predicted"])


@pytest.mark.parametrize("kind", ["csv", "jsonl", "parquet"])
def test_a_field_of_ten_megabytes(pipeline, tmp_path, kind):
    table = pd.DataFrame({"text": ["Quiet.", "Calm. ", "Quiet."], "more": ["", "x" * 10**7, ""]})
    table.loc[1, "text"] *= 10**5
    write(table, tmp_path / f"in.{kind}")
    target = tmp_path / f"out.{kind}"
    assert score_file(pipeline, tmp_path / f"in.{kind}", target).scored == 3
    found = read(target)
    assert found["more"].str.len().tolist() == [0, 10**7, 0]
    assert csv.field_size_limit() == 131072


def test_parquet_types_stay(pipeline, nlp, tmp_path):
    import pyarrow.parquet as pq

    texts = ["Shelling killed ten.", None, "Quiet.", "Shelling killed ten."]
    kinds = {
        "text": pa.array(texts).dictionary_encode(),
        "large": pa.array(texts, pa.large_string()),
        "day": pa.array([1, None, 3, 4], pa.timestamp("ns", tz="UTC")),
        "list": pa.array([[1], [], None, [2, 3]]),
    }
    pq.write_table(pa.table(kinds), tmp_path / "in.parquet")
    for text in ("text", "large"):
        target = tmp_path / f"{text}.parquet"
        score_file(pipeline, tmp_path / "in.parquet", target, text=text)
        found = pq.read_table(target)
        assert found.drop_columns("severity_predicted").equals(pa.table(kinds))
        expected = [doc.cats["severity"] for doc in nlp.pipe([t or "" for t in texts])]
        assert found["severity_predicted"].to_pylist() == pytest.approx(expected, abs=1e-6)
    score_file(pipeline, tmp_path / "in.parquet", tmp_path / "out.jsonl")
    first = json.loads((tmp_path / "out.jsonl").read_text().splitlines()[0])
    assert first["list"] == [1]


def test_a_table_without_rows_stays_one(pipeline, tmp_path):
    (tmp_path / "in.csv").write_text("text,y\n")
    for kind in ("csv", "parquet", "jsonl"):
        target = tmp_path / f"out.{kind}"
        assert score_file(pipeline, tmp_path / "in.csv", target).rows == 0
    assert (tmp_path / "out.csv").read_text() == "text,y,severity_predicted\n"
    assert list(pd.read_parquet(tmp_path / "out.parquet").columns) == [
        "text",
        "y",
        "severity_predicted",
    ]
    assert (tmp_path / "out.jsonl").read_text() == ""


def test_limit(pipeline, table, tmp_path):
    for kind in ("csv", "parquet", "jsonl"):
        write(table, tmp_path / f"in.{kind}")
        target = tmp_path / f"out.{kind}"
        summary = score_file(pipeline, tmp_path / f"in.{kind}", target, limit=20, batch_size=16)
        assert summary.rows == len(read(target)) == 20


@pytest.mark.parametrize(
    ("name", "content", "options", "message"),
    [
        ("a.xls", b"x", {}, "a.xls: its name ends in '.xls'; expected .csv"),
        ("a.csv", b"", {}, "a.csv: it is empty"),
        ("a.csv", b"text,text\nx,y\n", {}, "names a column twice: text, text"),
        ("a.csv", b"words\nx\n", {}, "a.csv has no column 'text'. It has: words"),
        ("a.csv", b"text\nx\n", {"id_column": "id"}, "has no column 'id'"),
        ("a.csv", b"text,severity_predicted\nx,1\n", {}, "'severity_predicted' already"),
        ("a.csv", b"te\xffxt\nx\n", {}, "bytes that are not utf-8"),
        ("a.csv", b"text\nx\n", {"encoding": "utf-9"}, "The encoding is 'utf-9'"),
        ("a.csv.gz", b"text\nx\n", {}, "a.csv.gz to its end: Not a gzipped file"),
        ("a.csv.gz", gzip.compress(b"text\nx\n" * 99, mtime=0)[:-9], {}, "a.csv.gz to its end"),
        ("a.parquet", b"PAR1", {}, "Can't read .*a.parquet"),
        ("a.csv", b"text\nx\n", {"limit": 0}, "limit is 0. Expected 1 or more"),
        ("a.csv", b"text\nx\n", {"batch_size": -1}, "batch_size is -1"),
        ("a.csv", b"text\nx\n", {"precision": "auto"}, "has no component 'transformer'"),
    ],
)
def test_wrong_input_is_named_and_nothing_is_written(
    pipeline, tmp_path, name, content, options, message
):
    (tmp_path / name).write_bytes(content)
    with pytest.raises(ValueError, match=message):
        score_file(pipeline, tmp_path / name, tmp_path / "out" / "out.csv", **options)
    assert not (tmp_path / "out" / "out.csv").exists()


def test_numbers_are_no_texts(pipeline, tmp_path):
    pd.DataFrame({"text": [1, 2]}).to_parquet(tmp_path / "in.parquet")
    with pytest.raises(ValueError, match="column 'text': it holds int64. Expected texts"):
        score_file(pipeline, tmp_path / "in.parquet", tmp_path / "out.csv")


def test_the_input_stays(pipeline, tmp_path):
    (tmp_path / "in.csv").write_text("text\nx\n")
    with pytest.raises(ValueError, match="is the input, too"):
        score_file(pipeline, tmp_path / "in.csv", tmp_path / "in.csv", overwrite=True)
    with pytest.raises(FileNotFoundError, match="none.csv does not exist"):
        score_file(pipeline, tmp_path / "none.csv", tmp_path / "out.csv")
    assert (tmp_path / "in.csv").read_text() == "text\nx\n"


def test_an_output_is_not_replaced_unless_asked(pipeline, tmp_path):
    (tmp_path / "in.csv").write_text("text\nx\n")
    (tmp_path / "out.csv").write_text("mine")
    with pytest.raises(ValueError, match="out.csv is there already. Expected --overwrite"):
        score_file(pipeline, tmp_path / "in.csv", tmp_path / "out.csv")
    assert (tmp_path / "out.csv").read_text() == "mine"
    score_file(pipeline, tmp_path / "in.csv", tmp_path / "out.csv", overwrite=True)
    assert (tmp_path / "out.csv").read_text().startswith("text,severity_predicted\n")
