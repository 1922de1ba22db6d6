"""Tables of Excel, Stata, SPSS and Parquet."""

import datetime
import sys

import pandas as pd
import pytest
import spacy
from spacy.tokens import DocBin

from spacy_bertreg.data.convert import convert
from spacy_bertreg.data.tables.kinds import TableOptions
from spacy_bertreg.data.tables.read import read_table, with_labels

pyreadstat = pytest.importorskip("pyreadstat")
pytest.importorskip("openpyxl")

LABELS = {"party": {1: "left", 2: "right"}}


@pytest.fixture
def table():
    return pd.DataFrame(
        {
            "id": [101.0, 102.0, 103.0, 104.0],
            "text": ["Quiet.", "None", "War.", "Calm."],
            "y": [1.0, 2.5, 9.0, None],
            "party": [1.0, 2.0, 1.0, 2.0],
            "day": pd.to_datetime(["2016-01-01", "2016-02-01", "2016-03-01", "2016-04-01"]),
        }
    )


def docs_of(folder):
    return list(DocBin().from_disk(folder / "train.spacy").get_docs(spacy.blank("en").vocab))


@pytest.mark.parametrize("ending", [".dta", ".sav"])
def test_labels_and_codes_of_missing_values(tmp_path, table, ending):
    path = tmp_path / f"a{ending}"
    if ending == ".sav":
        # 9 stands for no answer.
        pyreadstat.write_sav(table, path, variable_value_labels=LABELS, missing_ranges={"y": [9.0]})
    else:
        stata = table.assign(y=table["y"].astype(object).where(table["y"] != 9.0, "a"))
        pyreadstat.write_dta(
            stata, path, variable_value_labels=LABELS, missing_user_values={"y": ["a"]}
        )
    found = read_table(path)
    assert found["party"].tolist() == [1, 2, 1, 2]
    assert with_labels(found, "party").tolist() == ["left", "right", "left", "right"]
    columns = {"id_column": "id", "group": "party", "time": "day", "covariates": ["party"]}
    summary = convert(path, tmp_path, targets=["y"], shares=(1, 0, 0), **columns)
    assert summary.attrs["notes"] == [
        "Some numbers of 'party' have labels, and are read as numbers: 1 = left, 2 = right"
    ]
    docs = docs_of(tmp_path)
    assert [doc.user_data["id"] for doc in docs] == ["101", "102", "103", "104"]
    assert [doc.text for doc in docs] == ["Quiet.", "None", "War.", "Calm."]
    assert [doc.cats for doc in docs] == [{"y": 1.0}, {"y": 2.5}, {}, {}]
    assert [doc.user_data["group"] for doc in docs] == ["left", "right", "left", "right"]
    assert [doc.user_data["covariates"]["party"] for doc in docs] == [1, 2, 1, 2]
    assert docs[1].user_data["time"].startswith("2016-02-01")


def test_excel(tmp_path, table):
    path = tmp_path / "a.xlsx"
    with pd.ExcelWriter(path) as writer:
        table.assign(big=2**70).astype({"big": object}).to_excel(
            writer, sheet_name="first", index=False
        )
        pd.DataFrame({"text": ["Only."], "y": ["1,5"]}).to_excel(
            writer, sheet_name="second", index=False
        )
    found = read_table(path)
    assert found["text"].tolist() == table["text"].tolist()
    assert found["id"].tolist() == [101, 102, 103, 104]
    assert found["day"][0] == datetime.datetime(2016, 1, 1)
    assert found.attrs["notes"] == ["Of the sheets first, second, the first is read (--sheet)"]
    convert(path, tmp_path, targets=["y"], time="day", id_column="id", shares=(1, 0, 0))
    assert [doc.cats for doc in docs_of(tmp_path)] == [{"y": 1.0}, {"y": 2.5}, {"y": 9.0}, {}]
    summary = convert(path, tmp_path, targets=["y"], shares=(1, 0, 0), sheet="second")
    assert docs_of(tmp_path)[0].cats == {"y": 1.5}
    assert summary.attrs["notes"] == ["The numbers of 'y' have a decimal comma"]
    with pytest.raises(ValueError, match="Can't read .*a.xlsx: it has no sheet 'x'. It has: first"):
        read_table(path, options=TableOptions(sheet="x"))


def test_headers_of_excel(tmp_path):
    def read(rows):
        pd.DataFrame(rows).to_excel(tmp_path / "a.xlsx", header=False, index=False)
        return read_table(tmp_path / "a.xlsx")

    found = read([["text", "y", None], ["One", 1, None], ["Two", None, None]])
    assert found.columns.tolist() == ["text", "y"]
    with pytest.raises(ValueError, match="a.xlsx: its header names a column twice: y, y"):
        read([["y", "y"], [1, 2]])
    with pytest.raises(ValueError, match=r"a.xlsx: the sheet 'Sheet1' is empty"):
        read([])
    with pytest.raises(ValueError, match=r"a.xlsx has no rows below its header"):
        read([["text", "y"]])


@pytest.mark.parametrize("ending", [".xlsx", ".dta", ".sav"])
def test_damaged_files_and_missing_packages(tmp_path, monkeypatch, ending):
    path = tmp_path / f"a{ending}"
    path.write_bytes(b"text,y\n1,2\n" * 200)
    with pytest.raises(ValueError, match=f"Can't read .*a{ending}: "):
        read_table(path)
    for name in ("openpyxl", "pyreadstat"):
        monkeypatch.setitem(sys.modules, name, None)
    with pytest.raises(ImportError, match=r"Reading .* needs .*'spacy-bertreg\[tables\]'"):
        read_table(path)


def test_the_index_of_pandas_is_a_column(tmp_path):
    pytest.importorskip("pyarrow")
    frame = pd.DataFrame({"text": ["One", "Two"], "y": [1, 2]})
    frame.set_index(pd.Index(["a", "b"], name="id")).to_parquet(tmp_path / "a.parquet")
    assert read_table(tmp_path / "a.parquet")["id"].tolist() == ["a", "b"]
    frame.set_index(pd.Index([5, 6])).to_parquet(tmp_path / "a.parquet")
    assert read_table(tmp_path / "a.parquet").columns.tolist() == ["text", "y"]
