import csv
import gzip
import json
import math

import numpy as np
import pandas as pd
import pytest
import spacy
from spacy.tokens import DocBin

from spacy_bertreg.data.convert import convert
from spacy_bertreg.data.splits import split_by_group
from spacy_bertreg.data.tables.kinds import TableOptions
from spacy_bertreg.data.tables.read import read_table

TABLE = pd.DataFrame(
    {
        "text": [f'Text {i}, with a comma\nand a “quote”\u2028and "more"' for i in range(100)],
        "rating": [i / 3 for i in range(100)],
        "price": ["", "NA", "3.5", "-1e3"] * 25,
        "author": [f"a{i // 4}" for i in range(100)],
        "key": [f"k{i:03}" for i in range(100)],
        "day": [f"2016-{1 + i // 10:02}-{1 + i % 10:02}" for i in range(100)],
        "part": ["train"] * 70 + ["dev"] * 10 + ["test"] * 20,
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
    writers[path.suffix if path.suffix != ".gz" else path.suffixes[0]]()
    return path


def ids_of(folder):
    """The ids of each split's documents, as numbers of rows."""
    return {
        name: [int(doc.user_data["id"]) for doc in read(folder / f"{name}.spacy")]
        for name in ("train", "dev", "test")
    }


@pytest.mark.parametrize(
    "ending", [".csv", ".tsv", ".jsonl", ".parquet", ".csv.gz", ".tsv.gz", ".jsonl.gz"]
)
def test_every_document_arrives_as_it_was(tmp_path, ending):
    path = write(TABLE, tmp_path / f"table{ending}")
    summary = convert(
        path,
        tmp_path,
        targets=["rating", "price"],
        id_column="key",
        group="author",
        time="day",
        seed=1,
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
        assert doc.user_data["time"] == row.day
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
        ({}, {"encoding": "utf-9"}, "The encoding is 'utf-9'"),
        ({"id": ["x", "y", "x"]}, {"id_column": "id"}, "rows 1 and 3, column 'id': found 'x'"),
        ({"id": ["x", "", "z"]}, {"id_column": "id"}, "row 2, column 'id': found ''. Expected an"),
        ({"g": ["x", "y", " "]}, {"group": "g"}, "row 3, column 'g': found ' '. Expected a group"),
        ({"time": ["2016-01", "2016-01-31 12:00", "2016"]}, {"time": "time"}, "row 3, .*'2016'"),
        ({"time": ["2016-01", "2016-02-30", "2016-01"]}, {"time": "time"}, "row 2, .*'2016-02-30'"),
        ({"time": ["3/1/2016", "2016-01", "2016-01"]}, {"time": "time"}, "row 1, .*'3/1/2016'"),
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
        ("a.csv", b"text,y\na,1\nb\xf6s,1\n", "a.csv: line 3 .*0xf6, .*--encoding latin-1"),
        (
            "a.jsonl.gz",
            gzip.compress(b'{"text": "b\xf6s"}\n', mtime=0),
            "a.jsonl.gz: line 1 has the byte",
        ),
        ("a.csv", b'text,y\n"a\n\nc",1\n\nb,2,3\n', "a.csv: row 2 has 3 fields. Expected 2"),
        ("a.csv", b"text,y\na,1\nb\n", "a.csv: row 2 has 1 fields. Expected 2"),
        ("a.csv", b"text,y\na,1,x\nb,2,x\n", "a.csv: row 1 has 3 fields. Expected 2"),
        ("a.csv", b'text,y\na,1\n"b,2\n', "Can't read .*a.csv: line 3: unexpected end"),
        ("a.csv", b"text,y,y\na,1,2\n", "its header names a column twice: text, y, y"),
        ("a.csv.gz", b"text,y\na,1\n", "Can't read .*a.csv.gz to its end: Not a gzipped file"),
        ("a.csv.gz", gzip.compress(b"text,y\na,1\n" * 9, mtime=0)[:-9], "Can't read .*a.csv.gz"),
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


DAYS = {"day": ["2016-01-01", "2016-02", "2016-03-05 23:59:59.5"]}


@pytest.mark.parametrize(
    ("changes", "options", "message"),
    [
        ({}, {"shares": (0.7, 0.1, 0.2), "split_column": "part"}, "--split; --split-column"),
        ({}, {"dev_from": "2016-02", "split_column": "part"}, "--test-from; --split-column"),
        ({}, {"shares": (1, 0, 0), "test_from": "2016-03"}, "--split; --dev-from"),
        (DAYS, {"dev_from": "2016-02", "time": "day"}, "--test-from None. Expected all three"),
        (DAYS, {"dev_from": "2016-02", "test_from": "2016-03"}, "--time is None"),
        (DAYS, {"time": "day", "dev_from": "2016", "test_from": "2017-01"}, "--dev-from is '2016'"),
        (DAYS, {"time": "day", "dev_from": "2016-03", "test_from": "2016-02"}, "dev before test"),
        (DAYS, {"time": "day", "dev_from": "2016-01", "test_from": "2016-02"}, "'train' would be"),
        (DAYS, {"time": "day", "dev_from": "2016-02-02", "test_from": "2016-03"}, "'dev' would be"),
        (
            DAYS,
            {"time": "day", "dev_from": "2016-02", "test_from": "2017-01"},
            "'test' would be empty: there is no document from 2017-01. Documents are dated from "
            "2016-01-01 to 2016-03-05",
        ),
        ({"part": ["train", "dev", "Test"]}, {"split_column": "part"}, "row 3, .* found 'Test'"),
        ({"part": ["train", "", "test"]}, {"split_column": "part"}, "row 2, .*dev or test"),
        ({"part": ["train", "dev", "dev"]}, {"split_column": "part"}, "'test' would be empty"),
    ],
)
def test_splits_that_cannot_be(tmp_path, changes, options, message):
    table = pd.DataFrame({"text": ["a", "b", "c"], "y": ["1", "2", "3"], **changes})
    path = write(table, tmp_path / "a.csv")
    with pytest.raises(ValueError, match=message):
        convert(path, tmp_path / "out", targets=["y"], **options)
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize(
    "options",
    [
        {"time": "day", "dev_from": "2016-08-01", "test_from": "2016-09"},
        {"split_column": "part"},
    ],
)
@pytest.mark.parametrize("ending", [".csv", ".parquet"])
def test_split_by_date_and_by_column(tmp_path, options, ending):
    path = write(TABLE, tmp_path / f"a{ending}")
    summary = convert(path, tmp_path, targets=["rating"], group="author", **options)
    rows = list(range(1, 101))
    assert ids_of(tmp_path) == {"train": rows[:70], "dev": rows[70:80], "test": rows[80:]}
    # Rows 69–72 have the author a17.
    assert summary.attrs["shared_groups"] == 1


def test_a_month_is_its_first_day_and_a_time_of_day_counts(tmp_path):
    times = ["2016-01-31T23:59", "2016-02", "2016-02-29 12:00", "2016-02-29 12:01", "2016-03-01"]
    table = pd.DataFrame({"text": list("abcde"), "y": range(5), "day": times})
    path = write(table, tmp_path / "a.csv")
    limits = {"dev_from": "2016-02-01", "test_from": "2016-02-29 12:01"}
    summary = convert(path, tmp_path, targets=["y"], time="day", **limits)
    assert ids_of(tmp_path) == {"train": [1], "dev": [2, 3], "test": [4, 5]}
    assert [doc.user_data["time"] for doc in read(tmp_path / "dev.spacy")] == times[1:3]
    assert summary.attrs["shared_groups"] == 0


def test_equal_texts_in_two_splits_are_counted(tmp_path):
    table = pd.DataFrame({"text": list("abcab"), "y": range(5)})
    table["part"] = ["train", "train", "dev", "test", "dev"]
    path = write(table, tmp_path / "a.csv")
    summary = convert(path, tmp_path, targets=["y"], split_column="part")
    assert summary.attrs["shared_groups"] == 2


@pytest.mark.parametrize(
    ("name", "content", "encoding"),
    [
        ("a.csv", "\ufefftext,y\nbös,1\n".encode(), "utf-8"),
        ("a.csv", '\ufeff"text",y\nbös,1\n'.encode(), "UTF8"),
        ("a.jsonl", '\ufeff{"text": "bös", "y": 1}\n'.encode(), "utf-8"),
        ("a.tsv", "text\ty\nbös\t1\n".encode("latin-1"), "latin-1"),
        ("a.csv.gz", gzip.compress("text,y\r\nbös,1\r\n".encode("utf-16"), mtime=0), "utf-16"),
        ("a.jsonl", '{"text": "bös", "y": 1}\n'.encode("latin-1"), "latin-1"),
    ],
)
def test_encodings(tmp_path, name, content, encoding):
    (tmp_path / name).write_bytes(content)
    table = read_table(tmp_path / name, TableOptions(encoding))
    assert list(table.columns) == ["text", "y"]
    assert table["text"].tolist() == ["bös"]


def test_a_text_may_be_a_book(tmp_path):
    table = pd.DataFrame({"text": ["word " * 40_000], "y": [1]})
    assert read_table(write(table, tmp_path / "a.csv"))["text"][0] == table["text"][0]


def test_summary_shows_words_and_the_target(tmp_path):
    texts = ["one", "one two.", "one two, three!", "one two three four", "1 2 3 4 5"]
    table = pd.DataFrame(
        {
            "text": texts + [f"{text} dev" for text in texts] + ["the test"],
            "y": [0, 0.5, 1, 1.5, 10, *[4, 4.5, 4.5, 4.5, 4.5], ""],
            "part": ["train"] * 5 + ["dev"] * 5 + ["test"],
        }
    )
    path = write(table, tmp_path / "a.csv")
    summary = convert(path, tmp_path, targets=["y"], split_column="part")
    train, dev, test = summary.to_dict("records")
    assert [train[f"words_p{p}"] for p in (0, 25, 50, 75, 100)] == [1, 2, 3, 4, 5]
    assert [dev[f"words_p{p}"] for p in (0, 25, 50, 75, 100)] == [2, 3, 4, 5, 6]
    percentiles = np.percentile([0, 0.5, 1, 1.5, 10], [5, 25, 50, 75, 95])
    assert [train[f"p{p}"] for p in (5, 25, 50, 75, 95)] == [f"{x:.3f}" for x in percentiles]
    # Ten bins from 0 to 10, in dev too.
    assert train["histogram"] == "██▁▁▁▁▁▁▁▅"
    assert dev["histogram"] == "▁▁▁▁█▁▁▁▁▁"
    assert (test["documents"], test["known"], test["histogram"]) == (1, 0, "")


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


def test_the_csv_modules_limit_stays_as_it_was(tmp_path):
    before = csv.field_size_limit()
    (tmp_path / "t.csv").write_text(f"text,y\n{'a ' * before},1\n")
    assert len(read_table(tmp_path / "t.csv")["text"][0]) == 2 * before
    assert csv.field_size_limit() == before


def test_numbers_of_jsonl_are_exact(tmp_path):
    values = [0.1 + 0.2, 1.2345678901234567, 12345678901234567.0, 1e-310]
    rows = [
        {"text": t, "y": y, "id": 2**53 + i}
        for i, (t, y) in enumerate(zip("abcd", values, strict=True))
    ]
    rows[1]["unneeded"] = 2**70
    rows[2]["unneeded"] = {"deep": [1]}
    path = tmp_path / "a.jsonl"
    path.write_text("\n".join(map(json.dumps, rows)) + "\n\n")
    convert(path, tmp_path, targets=["y"], id_column="id", shares=(1, 0, 0))
    docs = read(tmp_path / "train.spacy")
    assert [doc.cats["y"] for doc in docs] == values
    assert [doc.user_data["id"] for doc in docs] == [str(2**53 + i) for i in range(4)]
    assert read_table(path)["unneeded"][1] == 2**70


@pytest.mark.parametrize("line", ["[1, 2]", '"text"', "5", "{'text': 1}", '{"text": "a"', "null"])
def test_lines_of_jsonl_that_are_no_object(tmp_path, line):
    path = tmp_path / "a.jsonl"
    path.write_text(f'{{"text": "a", "y": 1}}\n\n{line}\n')
    with pytest.raises(ValueError, match=r"Can't read .*a.jsonl: line 3 is no JSON"):
        read_table(path)


def test_a_number_too_large_for_a_float_is_an_error(tmp_path):
    (tmp_path / "a.jsonl").write_text(f'{{"text": "a", "y": {10**400}}}\n')
    with pytest.raises(ValueError, match="row 1, column 'y': found .* Expected a finite number"):
        convert(tmp_path / "a.jsonl", tmp_path, targets=["y"])


def test_a_language_says_what_it_takes(tmp_path, monkeypatch):
    path = write(TABLE, tmp_path / "a.csv")

    def blank(lang):
        raise ImportError("Japanese support requires SudachiPy")

    with monkeypatch.context() as patch:
        patch.setattr(spacy, "blank", blank)
        with pytest.raises(ImportError, match="language 'ja' needs another package: Japanese supp"):
            convert(path, tmp_path, targets=["rating"], lang="ja")
    with pytest.raises(ValueError, match="spaCy has no language 'qx'. Expected a code such as"):
        convert(path, tmp_path, targets=["rating"], lang="qx")
    assert not (tmp_path / "train.spacy").exists()


def test_a_file_is_no_folder_to_write_to(tmp_path):
    path = write(TABLE, tmp_path / "a.csv")
    with pytest.raises(ValueError, match="a.csv is a file. Expected a folder"):
        convert(path, path, targets=["rating"])
    (tmp_path / "dev.spacy").mkdir()
    with pytest.raises(ValueError, match="dev.spacy is a folder. Expected a file"):
        convert(path, tmp_path, targets=["rating"])
    assert not (tmp_path / "train.spacy").exists()


def test_the_group_of_equal_texts_is_the_id_of_the_first(tmp_path):
    table = pd.DataFrame({"text": [f"text {i % 40}" for i in range(100)], "y": range(100)})
    path = write(table, tmp_path / "a.csv")
    summary = convert(path, tmp_path, targets=["y"], seed=5)
    assert summary.attrs["shared_groups"] == 0
    expected = split_by_group(table["text"].tolist(), (0.7, 0.1, 0.2), 5)
    for name in ("train", "dev", "test"):
        docs = read(tmp_path / f"{name}.spacy")
        rows = [int(doc.user_data["id"]) - 1 for doc in docs]
        assert rows == np.flatnonzero(expected == name).tolist()
        assert [d.user_data["group"] for d in docs] == [str(row % 40 + 1) for row in rows]


def test_labels_of_a_classifier_beside_the_targets(tmp_path):
    path = tmp_path / "table.csv"
    rows = [f"text {i},{i}.5,{'praise' if i % 2 else 'blame'}" for i in range(20)]
    path.write_text("\n".join(["text,stars,kind", *rows, "text 20,,blame"]) + "\n")
    convert(path, tmp_path, targets=["stars"], label="kind", shares=[1, 0, 0])
    docs = read(tmp_path / "train.spacy")
    assert docs[1].cats == {"blame": 0.0, "praise": 1.0}
    assert docs[1].user_data["targets"] == {"stars": 1.5}
    assert docs[20].user_data["targets"] == {}
    assert docs[20].cats == {"blame": 1.0, "praise": 0.0}
    with pytest.raises(ValueError, match="no column 'sort'"):
        convert(path, tmp_path, targets=["stars"], label="sort")


@pytest.mark.parametrize(
    "options",
    [
        {},
        {"split_column": "part"},
        {"time": "day", "dev_from": "2016-06-01", "test_from": "2016-09-01"},
    ],
)
@pytest.mark.parametrize("empty", ["", "  "])
def test_rows_without_a_text_are_left_out_if_asked(tmp_path, options, empty):
    table = TABLE.assign(text=TABLE["text"].where(TABLE.index % 5 != 0, empty))
    path = write(table, tmp_path / "table.csv")
    settings = {"targets": ["rating"]} | options
    with pytest.raises(ValueError, match="row 1, column 'text'"):
        convert(path, tmp_path, **settings)
    summary = convert(path, tmp_path, drop_empty=True, **settings)
    ids = sorted(i for part in ids_of(tmp_path).values() for i in part)
    # Ids are numbers of rows, as without it.
    assert ids == [row + 1 for row in range(100) if row % 5]
    assert summary["documents"].sum() == 80
    assert summary.attrs["shared_groups"] == 0


def test_a_sample(tmp_path):
    path = write(TABLE, tmp_path / "table.csv")
    options = {"targets": ["rating"], "group": "author", "max_docs": 40}
    summary = convert(path, tmp_path / "a", **options)
    assert summary["documents"].sum() == 40
    assert not summary.attrs["shared_groups"]
    convert(path, tmp_path / "b", **options)
    convert(path, tmp_path / "c", **options, seed=1)
    first, again, other = (ids_of(tmp_path / name) for name in "abc")
    assert first == again
    assert first != other
    convert(path, tmp_path / "d", **options | {"max_docs": 1000})
    assert sum(map(len, ids_of(tmp_path / "d").values())) == 100
