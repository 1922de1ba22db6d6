"""How much of a teacher's lead survives in a distilled model."""

import json

import numpy as np
import pandas as pd
import pytest
import spacy
from spacy.tokens import DocBin
from typer.testing import CliRunner

from spacy_bertreg.cli import bertreg_cli
from spacy_bertreg.comparison.bootstrap import Bootstrap
from spacy_bertreg.comparison.compare import compare
from spacy_bertreg.comparison.files import write_comparison
from spacy_bertreg.comparison.lead_share import ShareModels, share_of_lead
from spacy_bertreg.evaluation.metrics import r_squared

NAMES = ShareModels("plain", "distilled", "teacher")
NOISE = {"plain": 0.8, "distilled": 0.7, "teacher": 0.4, "twin": 0.8}


@pytest.fixture(scope="module")
def gold():
    return np.random.default_rng(0).normal(size=200)


@pytest.fixture(scope="module")
def predictions(gold):
    rng = np.random.default_rng(1)
    return {name: gold + noise * rng.normal(size=len(gold)) for name, noise in NOISE.items()}


@pytest.fixture(scope="module")
def folder(gold, predictions, tmp_path_factory):
    """A test set of 100 groups of two, and a table for each model."""
    folder = tmp_path_factory.mktemp("shares")
    nlp = spacy.blank("en")
    docs = []
    for number, value in enumerate(gold):
        doc = nlp.make_doc(f"text {number}")
        doc.cats["y"] = value
        doc.user_data.update(id=str(number), group=str(number // 2))
        docs.append(doc)
    for name in ("train", "test"):
        DocBin(docs=docs, store_user_data=True).to_disk(folder / f"{name}.spacy")
    for name, values in predictions.items():
        table = {"id": range(len(gold)), "target": gold, "prediction": values}
        pd.DataFrame(table).to_csv(folder / f"{name}.csv", index=False)
    return folder


def run(folder, names=tuple(NOISE), share=NAMES):
    tables = [str(folder / f"{name}.csv") for name in names]
    return compare(folder / "test.spacy", tables, n_resamples=500, share=share)


def test_share_and_interval_from_the_draws_of_the_differences(folder, gold, predictions):
    comparison = run(folder)
    (row,) = comparison.shares.to_dict("records")
    r2 = {name: r_squared(gold, predictions[name]) for name in NAMES}
    lead = r2["teacher"] - r2["plain"]
    assert row["lead"] == pytest.approx(lead)
    assert row["share"] == pytest.approx((r2["distilled"] - r2["plain"]) / lead)
    groups = np.arange(len(gold)) // 2
    shares = []
    for counts in Bootstrap(gold, [str(g) for g in groups], n_resamples=500).draws():
        drawn = np.repeat(np.arange(len(gold)), counts[groups])
        plain, distilled, teacher = (r_squared(gold[drawn], predictions[n][drawn]) for n in NAMES)
        shares.append((distilled - plain) / (teacher - plain))
    ends = np.quantile(shares, [0.025, 0.975])
    np.testing.assert_allclose([row["share_low"], row["share_high"]], ends)
    differences = comparison.differences.set_index(["model", "baseline"])
    expected = differences.loc[("teacher", "plain"), ["r2_difference_low", "r2_difference_high"]]
    np.testing.assert_allclose([row["lead_low"], row["lead_high"]], expected.astype(float))


def test_share_in_files_and_sentences(folder, tmp_path):
    comparison = run(folder)
    write_comparison(comparison, tmp_path)
    scores = pd.read_csv(tmp_path / "comparison.csv").set_index("model")
    share = comparison.shares["share"].iloc[0]
    assert scores.loc["distilled", "share_of_lead"] == share
    assert scores["share_of_lead_low"].notna().sum() == 1
    data = json.loads((tmp_path / "comparison.json").read_text())
    assert data["shares"][0]["share"] == share
    sentence = comparison.verdicts["sentence"].iloc[0]
    assert f"Of the lead of teacher over plain (R² {comparison.shares['lead'][0]:+.3f}" in sentence
    assert f"{share:.0%} (" in sentence
    assert "survives in distilled." in sentence
    markdown = (tmp_path / "comparison.md").read_text()
    assert sentence in markdown
    assert f"{share:.1%} [" in markdown


def test_without_being_asked_there_is_none(folder, tmp_path):
    comparison = run(folder, share=None)
    write_comparison(comparison, tmp_path)
    assert comparison.shares.empty
    assert "survives" not in comparison.verdicts["sentence"].iloc[0]
    assert "shares" not in json.loads((tmp_path / "comparison.json").read_text())
    assert "share_of_lead" not in pd.read_csv(tmp_path / "comparison.csv")


def test_of_no_lead_there_is_no_share(folder, tmp_path):
    comparison = run(folder, share=("plain", "distilled", "twin"))
    row = comparison.shares.iloc[0]
    assert row["lead_low"] <= 0
    assert row[["share", "share_low", "share_high"]].isna().all()
    assert "twin has no sure lead over plain (R² " in comparison.verdicts["sentence"].iloc[0]
    write_comparison(comparison, tmp_path)
    assert json.loads((tmp_path / "comparison.json").read_text())["shares"][0]["share"] is None


def test_a_distilled_model_may_be_worse_than_the_plain_one():
    rng = np.random.default_rng(0)
    noise = 0.01 * rng.normal(size=(3, 101))
    r2 = dict(zip(NAMES, noise + np.array([[0.5], [0.45], [0.8]]), strict=True))
    row = share_of_lead(NAMES, r2)
    assert row["share"] < 0
    assert row["share_low"] < row["share"] < row["share_high"]


def test_a_target_that_not_all_predict():
    assert share_of_lead(NAMES, {"plain": np.ones(3), "teacher": np.ones(3)}) is None


@pytest.mark.parametrize(
    ("share", "message"),
    [
        (
            ("plain", "distilled", "bert"),
            "--share names 'bert', which is none of the models: plain",
        ),
        (("plain", "plain", "teacher"), "Expected three different models"),
    ],
)
def test_names_that_are_not_right(folder, share, message):
    with pytest.raises(ValueError, match=message):
        run(folder, share=share)


def test_the_command(folder):
    tables = [str(folder / f"{name}.csv") for name in NAMES]
    arguments = ["compare", str(folder / "test.spacy"), *tables, "--resamples", "100"]
    result = CliRunner().invoke(bertreg_cli, [*arguments, "--share", *NAMES])
    assert result.exit_code == 0, result.output
    assert "survives in distilled." in " ".join(result.output.split())
