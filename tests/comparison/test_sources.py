"""What `compare` is given: paths, files of predictions, and groups; and what it hands on."""

import json

import numpy as np
import pandas as pd
import pytest
import spacy
from conftest import SAMPLE
from spacy.tokens import DocBin

from spacy_bertreg.comparison import test_set
from spacy_bertreg.comparison.compare import compare
from spacy_bertreg.comparison.files import write_comparison
from spacy_bertreg.comparison.models import LINE, MEAN, find_models
from spacy_bertreg.comparison.tables import describe_intervals
from spacy_bertreg.comparison.test_set import read_test_set
from spacy_bertreg.data.convert import convert
from spacy_bertreg.report import make_report


@pytest.fixture(scope="module")
def table():
    """Texts, of which two come twice."""
    sample = pd.read_csv(SAMPLE)[["id", "text", "severity"]].head(200)
    sample.loc[[7, 190], "text"] = sample.loc[3, "text"]
    return sample


@pytest.fixture(scope="module")
def folder(table, tmp_path_factory):
    folder = tmp_path_factory.mktemp("sources")
    table.to_csv(folder / "table.csv", index=False)
    options = {"targets": ["severity"], "id_column": "id", "shares": (0.2, 0, 0.8), "seed": 3}
    convert(folder / "table.csv", folder, **options)
    return folder


def predict(folder, path, noise=0.5, constant=False):
    test = read_test_set(folder / "test.spacy")
    gold = test.gold["severity"].to_numpy()
    predicted = gold + np.random.default_rng(0).normal(size=len(gold)) * noise
    predicted = np.full(len(gold), gold.mean() + 1e-4 * gold) if constant else predicted
    frame = pd.DataFrame({"id": test.ids, "target": gold, "prediction": predicted})
    frame.to_csv(path, index=False)
    return str(path)


def test_equal_texts_stay_together_and_no_text_leaves(table, folder, tmp_path):
    docs = {
        doc.user_data["id"]: (name, doc)
        for name in ("train", "test")
        for doc in DocBin().from_disk(folder / f"{name}.spacy").get_docs(spacy.blank("en").vocab)
    }
    ids = table["id"].astype(str).tolist()
    assert {docs[ids[i]][1].user_data["group"] for i in (3, 7, 190)} == {ids[3]}
    assert len({docs[ids[i]][0] for i in (3, 7, 190)}) == 1
    others = [name for i, name in enumerate(ids) if i not in (7, 190)]
    assert all(docs[name][1].user_data["group"] == name for name in others)

    comparison = compare(folder / "test.spacy", [predict(folder, tmp_path / "p.csv")])
    assert docs[ids[3]][0] == "test"
    assert "draws of documents, equal texts together, the same" in describe_intervals(comparison)
    write_comparison(comparison, tmp_path / "out")
    page, *_ = make_report(tmp_path / "out")
    assert "documents, equal texts together were drawn anew" in page.read_text(encoding="utf-8")
    for path in (tmp_path / "out").glob("*.*"):
        content = path.read_bytes().decode("utf-8", "replace")
        assert path.name == "index.html" or not any(text[:40] in content for text in table["text"])


def test_files_of_older_versions_keep_their_draws(folder, tmp_path):
    """There, the text itself was the group."""
    bin_ = DocBin(store_user_data=True)
    for doc in DocBin().from_disk(folder / "test.spacy").get_docs(spacy.blank("en").vocab):
        doc.user_data["group"] = doc.text
        bin_.add(doc)
    bin_.to_disk(tmp_path / "test.spacy")
    newer, older = (read_test_set(f / "test.spacy") for f in (folder, tmp_path))
    assert older.groups == newer.groups
    path = predict(folder, tmp_path / "p.csv")
    options = {"train": folder / "train.spacy", "n_resamples": 100}
    a, b = (compare(f / "test.spacy", [path], **options) for f in (folder, tmp_path))
    pd.testing.assert_frame_equal(a.metrics, b.metrics)


def test_documents_are_not_called_groups(folder, tmp_path):
    test = read_test_set(folder / "test.spacy")
    assert test.unit == "document, equal texts together"
    sample = pd.read_csv(SAMPLE).head(100)
    sample.to_csv(tmp_path / "table.csv", index=False)
    options = {"targets": ["severity"], "id_column": "id", "shares": (0.8, 0, 0.2)}
    convert(tmp_path / "table.csv", tmp_path, **options)
    path = predict(tmp_path, tmp_path / "p.csv")
    comparison = compare(tmp_path / "test.spacy", [path], n_resamples=100)
    assert "draws of documents, the same" in describe_intervals(comparison)
    (warning,) = comparison.warnings
    assert "has 20 documents: bootstrap intervals are too narrow" in warning


def test_no_share_of_what_may_be_nothing(folder, tmp_path):
    sources = [predict(folder, tmp_path / "none.csv", constant=True)]
    sources.append(predict(folder, tmp_path / "good.csv"))
    comparison = compare(folder / "test.spacy", sources, n_resamples=500)
    metrics = comparison.metrics.set_index("model")
    assert metrics.loc["none", "r2"] > 0 > metrics.loc["none", "r2_low"]
    pairs = comparison.differences.set_index(["model", "baseline"])
    row = pairs.loc[("good", "none")]
    assert row["r2_difference"] > 0.5
    assert row[["r2_change", "r2_change_low", "r2_change_high"]].isna().all()
    assert row["mse_change"] < row["mse_change_high"] < 0
    assert "% in R²" not in comparison.verdicts["sentence"][0]
    write_comparison(comparison, tmp_path)
    data = json.loads((tmp_path / "comparison.json").read_text(encoding="utf-8"))
    assert data["differences"][0]["r2_change"] is None
    assert pd.notna(pairs.loc[(LINE, MEAN), "mse_change"])


def test_a_path_with_an_equals_sign(tmp_path, monkeypatch):
    (tmp_path / "a=b" / "model-best").mkdir(parents=True)
    monkeypatch.chdir(tmp_path)
    assert find_models(["a=b/model-best"]) == {"a=b": [("run-0", "a=b/model-best")]}
    assert find_models(["m=a=b/model-best"]) == {"m": [("run-0", "a=b/model-best")]}
    absolute = str(tmp_path / "a=b" / "model-best")
    assert find_models([absolute]) == {"a=b": [("run-0", absolute)]}


def test_runs_of_one_name_may_have_different_targets(folder, tmp_path):
    for name in ("train", "test"):
        bin_ = DocBin(store_user_data=True)
        for doc in DocBin().from_disk(folder / f"{name}.spacy").get_docs(spacy.blank("en").vocab):
            doc.cats["double"] = 2 * doc.cats["severity"]
            bin_.add(doc)
        bin_.to_disk(tmp_path / f"{name}.spacy")
    path = predict(folder, tmp_path / "a.csv")
    double = pd.read_csv(path).assign(target=lambda t: 2 * t["target"])
    double.to_csv(tmp_path / "b.csv", index=False)
    sources = [f"m={path}", f"m={tmp_path / 'b.csv'}"]
    comparison = compare(tmp_path / "test.spacy", sources, n_resamples=100)
    runs = comparison.runs[comparison.runs["model"] == "m"]
    assert runs["target"].tolist() == ["severity", "double"]
    assert runs["run"].tolist() == ["run-0", "run-1"]
    assert comparison.metrics["r2"].notna().all()


def test_names_are_escaped_in_latex(folder, tmp_path):
    path = predict(folder, tmp_path / "p.csv")
    comparison = compare(folder / "test.spacy", [f"$a_b & c^2~\\d={path}"], n_resamples=100)
    write_comparison(comparison, tmp_path / "out")
    text = (tmp_path / "out" / "comparison.tex").read_text(encoding="utf-8")
    escaped = r"\$a\_b \& c\textasciicircum 2\textasciitilde \textbackslash d & severity & "
    assert escaped in text
    assert "–" not in text


def test_files_of_predictions_by_name(folder, tmp_path):
    upper = predict(folder, tmp_path / "Upper.CSV")
    comparison = compare(folder / "test.spacy", [upper], n_resamples=100)
    assert comparison.models[0].name == "Upper"
    assert comparison.models[0].kind == "predictions"

    def refuse(content, match):
        (tmp_path / "wrong.csv").write_bytes(content)
        with pytest.raises(ValueError, match=match):
            compare(folder / "test.spacy", [str(tmp_path / "wrong.csv")])

    refuse(b"", r"Can't read .*wrong.csv: .* Expected a table with the columns id, target")
    refuse(
        "id,target,prediction\nä,1,1\n".encode("latin-1"),
        r"wrong.csv: line 2 has the byte 0xe4, which is not utf-8.*encoding latin-1",
    )
    refuse(
        b"id,target,prediction\n1,2,3,4\n1,2,3,4,5\n", r"Can't read .*wrong.csv: row 1 .*Expected 3"
    )


def test_a_long_text_is_predicted(folder, tmp_path, pipeline):
    bin_ = DocBin(store_user_data=True)
    docs = list(DocBin().from_disk(folder / "test.spacy").get_docs(spacy.blank("en").vocab))
    words = ["quiet"] * 200_000
    docs[0] = spacy.tokens.Doc(docs[0].vocab, words, user_data=docs[0].user_data)
    docs[0].cats["severity"] = 1.0
    assert len(docs[0].text) > 1_000_000
    for doc in docs[:40]:
        bin_.add(doc)
    bin_.to_disk(tmp_path / "long.spacy")
    train = folder / "train.spacy"
    comparison = compare(tmp_path / "long.spacy", [str(pipeline)], train=train, n_resamples=100)
    assert comparison.predictions()["pipeline"].notna().all()


def test_targets_beside_the_labels_of_a_classifier(folder, tmp_path):
    for name in ("train", "test"):
        bin_ = DocBin(store_user_data=True)
        for doc in DocBin().from_disk(folder / f"{name}.spacy").get_docs(spacy.blank("en").vocab):
            doc.user_data["targets"] = dict(doc.cats)
            doc.cats = {"POSITIVE": 1.0}
            bin_.add(doc)
        bin_.to_disk(tmp_path / f"{name}.spacy")
    path = predict(folder, tmp_path / "p.csv")
    a, b = (compare(f / "test.spacy", [path], n_resamples=100) for f in (folder, tmp_path))
    pd.testing.assert_frame_equal(a.metrics, b.metrics)


@pytest.mark.parametrize("block", [1, 3, 7, 100])
def test_values_are_read_in_blocks(tmp_path, monkeypatch, block):
    monkeypatch.setattr(test_set, "BLOCK", block)
    docs = DocBin(store_user_data=True)
    for number in range(7):
        doc = spacy.blank("xx")("word " * number)
        # A target that comes late, and a document without any.
        doc.cats = {} if number == 4 else {"y": float(number)}
        if number > 4:
            doc.cats["late"] = 1.0
        docs.add(doc)
    docs.to_disk(tmp_path / "test.spacy")
    found = read_test_set(tmp_path / "test.spacy")
    nan = float("nan")
    expected = {"y": [0.0, 1.0, 2.0, 3.0, nan, 5.0, 6.0], "late": [nan] * 5 + [1.0, 1.0]}
    pd.testing.assert_frame_equal(found.gold, pd.DataFrame(expected))
    assert found.lengths.tolist() == list(range(7))
    assert found.texts[2] == "word word "
