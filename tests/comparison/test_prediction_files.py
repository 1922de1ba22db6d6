"""Files of predictions of any kind, and a test set of one group."""

import io

import numpy as np
import pandas as pd
import pytest
from conftest import SAMPLE

from spacy_bertreg.comparison.bootstrap import Bootstrap, interval
from spacy_bertreg.comparison.compare import compare
from spacy_bertreg.comparison.files import _csv, write_comparison
from spacy_bertreg.comparison.prediction_files import is_table, read_predictions
from spacy_bertreg.comparison.test_set import read_test_set
from spacy_bertreg.data.convert import convert
from spacy_bertreg.data.tables.kinds import TableOptions
from spacy_bertreg.report import make_report


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    folder = tmp_path_factory.mktemp("predictions")
    table = pd.read_csv(SAMPLE)[["id", "text", "severity"]].head(60)
    table.assign(author="a").to_csv(folder / "table.csv", index=False)
    options = {"targets": ["severity"], "id_column": "id"}
    convert(folder / "table.csv", folder, shares=(0.5, 0, 0.5), **options)
    table.head(30).assign(author="a").to_csv(folder / "table.csv", index=False)
    convert(folder / "table.csv", folder / "one", group="author", shares=(0, 0, 1), **options)
    return folder


def predictions(path):
    test = read_test_set(path)
    gold = test.gold["severity"].to_numpy()
    noise = np.random.default_rng(0).normal(size=len(gold)) / 10
    return pd.DataFrame({"id": test.ids, "target": gold, "prediction": gold + noise})


@pytest.mark.parametrize("ending", ["tsv", "TSV", "jsonl", "csv.gz", "parquet", "xlsx", "csv"])
def test_files_of_every_kind(folder, tmp_path, ending):
    table = predictions(folder / "test.spacy")
    path = tmp_path / f"v1.2.{ending}"
    if ending.lower() == "tsv":
        table.to_csv(path, index=False, sep="\t")
    elif ending == "jsonl":
        table.to_json(path, orient="records", lines=True, double_precision=15)
    elif ending == "parquet":
        table.to_parquet(path)
    elif ending == "xlsx":
        table.to_excel(path, index=False)
    elif ending == "csv":
        table.to_csv(path, index=False, sep=";", decimal=",")
    else:
        table.to_csv(path, index=False)
    assert is_table(path)
    test = read_test_set(folder / "test.spacy")
    found = read_predictions(path, test)["severity"]
    np.testing.assert_allclose(found, table["prediction"], rtol=1e-9)
    comparison = compare(folder / "test.spacy", [str(path)], n_resamples=100)
    assert comparison.models[0].name == "v1.2"


def test_encodings_and_empty_cells(folder, tmp_path):
    test = read_test_set(folder / "test.spacy")
    path = tmp_path / "p.csv"
    path.write_bytes("id,target,prediction,note\n1,1,1,“x”\n".encode("cp1252"))
    with pytest.raises(ValueError, match=r"p.csv: line 2 has the byte 0x93.*--encoding cp1252\."):
        read_predictions(path, test)
    table = predictions(folder / "test.spacy").astype(str).assign(note="“x”")
    table.to_csv(path, index=False, encoding="cp1252")
    options = TableOptions("cp1252")
    assert compare(folder / "test.spacy", [str(path)], n_resamples=100, options=options).models
    table.loc[3, "prediction"] = ""
    table.to_csv(path, index=False)
    with pytest.raises(ValueError, match=r"row 4, column 'prediction'.* Expected a finite number"):
        read_predictions(path, test)


def test_one_group_gives_no_interval():
    gold = np.arange(10.0)
    bootstrap = Bootstrap(gold, ["a"] * 10, n_resamples=100)
    drawn = bootstrap.metrics([gold + 0.1])[0]
    assert all(np.isnan(interval(values)).all() for values in drawn.values())
    assert np.isnan(interval(bootstrap.means([gold]))).all()
    two = Bootstrap(gold, ["a"] * 5 + ["b"] * 5, n_resamples=100).metrics([gold + 0.1])[0]
    assert np.isfinite(interval(two["mse"])).all()


def test_nothing_is_sure_of_one_group(folder, tmp_path):
    test = folder / "one" / "test.spacy"
    good = predictions(test)
    good.to_csv(tmp_path / "good.csv", index=False)
    worse = good.assign(prediction=good["prediction"] * 0.9)
    worse.to_csv(tmp_path / "worse.csv", index=False)
    sources = [str(tmp_path / "worse.csv"), str(tmp_path / "good.csv")]
    comparison = compare(test, sources, train=folder / "train.spacy", n_resamples=100)
    ends = comparison.metrics.filter(regex="_(low|high)$")
    assert ends.isna().all(axis=None)
    assert comparison.differences.filter(regex="_(low|high)$").isna().all(axis=None)
    (sentence,) = comparison.verdicts["sentence"]
    assert "(no interval). That is" in sentence
    assert "(no interval), which may be chance, more than worse" in sentence
    assert "nan" not in sentence
    assert comparison.warnings[-1] == (
        "The test set for severity is one group: there are no intervals, and no difference is "
        "sure. Expected several."
    )
    write_comparison(comparison, tmp_path / "out")
    page, *_ = make_report(tmp_path / "out")
    assert page.is_file()


def test_an_id_with_a_lone_carriage_return_stays_in_its_field():
    table = pd.DataFrame({"id": ["a\rb", "c"], "x": [0.1, 2.0]})
    again = pd.read_csv(io.StringIO(_csv(table), newline=""))
    pd.testing.assert_frame_equal(again, table, check_dtype=False)
    assert _csv(table[1:]) == "id,x\nc,2.0\n"
