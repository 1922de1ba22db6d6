import math

import numpy as np
import pandas as pd
import pytest
import spacy
from spacy.tokens import DocBin

from spacy_bertreg.convert import convert, split_by_group

TABLE = pd.DataFrame(
    {
        "text": [f"Text {i}, with a comma\nand a “quote”" for i in range(100)],
        "rating": [i / 3 for i in range(100)],
        "price": ["", "NA", "3.5", "-1e3"] * 25,
        "author": [f"a{i // 4}" for i in range(100)],
        "key": [f"k{i:03}" for i in range(100)],
    }
)


def read(path):
    return list(DocBin().from_disk(path).get_docs(spacy.blank("en").vocab))


def write(table, path):
    writers = {
        ".csv": lambda: table.to_csv(path, index=False),
        ".tsv": lambda: table.to_csv(path, index=False, sep="\t"),
        ".jsonl": lambda: table.to_json(path, orient="records", lines=True),
        ".parquet": lambda: table.to_parquet(path),
    }
    writers[path.suffix]()
    return path


@pytest.mark.parametrize("ending", [".csv", ".tsv", ".jsonl", ".parquet"])
def test_every_document_arrives_as_it_was(tmp_path, ending):
    path = write(TABLE, tmp_path / f"table{ending}")
    summary = convert(
        path, tmp_path, targets=["rating", "price"], id_column="key", group="author", seed=1
    )
    docs = {
        doc.user_data["id"]: (name, doc)
        for name in ("train", "dev", "test")
        for doc in read(tmp_path / f"{name}.spacy")
    }
    assert len(docs) == 100
    groups = {}
    for row in TABLE.itertuples():
        name, doc = docs[row.key]
        assert doc.text == row.text
        assert doc.cats["rating"] == pytest.approx(row.rating, abs=1e-9)
        assert doc.cats.get("price") == {"": None, "NA": None, "3.5": 3.5, "-1e3": -1000}[row.price]
        assert doc.user_data["group"] == row.author
        assert groups.setdefault(row.author, name) == name
    assert summary["known"].tolist()[::2] == summary["documents"].tolist()[::2]


def test_split_is_reproducible_and_as_asked(tmp_path):
    groups = [f"g{i}" for i in range(4200)]
    split = split_by_group(groups, (0.7, 0.1, 0.2), seed=0)
    assert dict(zip(*np.unique(split, return_counts=True), strict=True)) == {
        "train": 2940,
        "dev": 420,
        "test": 840,
    }
    np.testing.assert_array_equal(split, split_by_group(groups, (0.7, 0.1, 0.2), seed=0))
    assert (split != split_by_group(groups, (0.7, 0.1, 0.2), seed=1)).any()


def test_equal_texts_stay_in_one_split(tmp_path):
    table = pd.DataFrame({"text": [f"Text {i % 10}" for i in range(60)], "y": range(60)})
    convert(write(table, tmp_path / "a.csv"), tmp_path, targets=["y"])
    texts = [{doc.text for doc in read(tmp_path / f"{name}.spacy")} for name in ("train", "test")]
    assert not texts[0] & texts[1]


def test_a_share_of_zero_leaves_a_file_out(tmp_path):
    path = write(TABLE, tmp_path / "a.csv")
    convert(path, tmp_path, targets=["rating"], shares=(0, 0, 1))
    assert [p.name for p in tmp_path.glob("*.spacy")] == ["test.spacy"]
    assert len(read(tmp_path / "test.spacy")) == 100


@pytest.mark.parametrize(
    ("changes", "options", "message"),
    [
        ({}, {"targets": []}, "No target column is named"),
        ({}, {"targets": ["stars"]}, "a.csv has no column 'stars'. It has: text, y"),
        ({}, {"text": "body"}, "has no column 'body'"),
        ({}, {"group": "author"}, "has no column 'author'"),
        ({"y": ["1", "high", "3"]}, {}, "a.csv, row 2, column 'y': found 'high'"),
        ({"y": ["1", "2", "inf"]}, {}, "row 3, column 'y': found 'inf'"),
        ({"text": ["a", "b", " "]}, {}, "row 3, column 'text': found ' '. Expected a text"),
        ({}, {"shares": (0.5, 0.5, 0.5)}, "shares of the splits are"),
        ({}, {"shares": (1.2, -0.2, 0)}, "shares of the splits are"),
        ({}, {"shares": (0.98, 0.01, 0.01)}, r"would be empty: 3 documents in 3 groups"),
        ({}, {"lang": "klingon"}, "spaCy has no language 'klingon'"),
    ],
)
def test_errors_name_the_place_and_leave_nothing_behind(tmp_path, changes, options, message):
    table = pd.DataFrame({"text": ["a", "b", "c"], "y": ["1", "2", "3"], **changes})
    path = write(table, tmp_path / "a.csv")
    options = {"targets": ["y"], "shares": (0.34, 0.33, 0.33), **options}
    with pytest.raises(ValueError, match=message):
        convert(path, tmp_path / "out", **options)
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("a.xls", b"x", "a.xls: its name ends in '.xls'; expected .csv"),
        ("a.csv", "text,y\nbös,1\n".encode("latin-1"), "Can't read .*a.csv"),
        ("a.csv", b"text,y\na,1\nb,2,3\n", "Can't read .*a.csv.*line 3"),
        ("a.csv", b"text,y\na,1,x\nb,2,x\n", "a.csv: its rows have more fields than its header"),
        ("a.csv", b"text,y\n", "a.csv has no rows"),
        ("a.csv", b"", "Can't read .*a.csv"),
        ("a.jsonl", b'{"text": "a", "y": 1}\n{"text":', "Can't read .*a.jsonl"),
        ("a.parquet", b"PAR", "Can't read .*a.parquet"),
    ],
)
def test_unreadable_tables(tmp_path, name, content, message):
    (tmp_path / name).write_bytes(content)
    with pytest.raises(ValueError, match=message):
        convert(tmp_path / name, tmp_path, targets=["y"])


def test_missing_table(tmp_path):
    with pytest.raises(FileNotFoundError, match="none.csv does not exist"):
        convert(tmp_path / "none.csv", tmp_path, targets=["y"])


def test_missing_pyarrow_names_the_extra(tmp_path, monkeypatch):
    def no_engine(*args, **kwargs):
        raise ImportError("Unable to find a usable engine")

    (tmp_path / "a.parquet").write_bytes(b"")
    monkeypatch.setattr(pd, "read_parquet", no_engine)
    with pytest.raises(ImportError, match=r"pip install 'spacy-bertreg\[parquet\]'"):
        convert(tmp_path / "a.parquet", tmp_path, targets=["y"])


def test_values_are_exact(tmp_path):
    values = [0.1 + 0.2, 1 / 3, 1e-17, -123456789.123456789]
    table = pd.DataFrame({"text": list("abcd"), "y": values})
    convert(write(table, tmp_path / "a.csv"), tmp_path, targets=["y"], shares=(1, 0, 0))
    assert [doc.cats["y"] for doc in read(tmp_path / "train.spacy")] == values
    assert not any(math.isnan(value) for value in values)
