import json

import numpy as np
import pandas as pd
import pytest
import spacy
from conftest import ROOT, train

from spacy_bertreg.comparison.bootstrap import Bootstrap
from spacy_bertreg.comparison.compare import compare
from spacy_bertreg.comparison.files import write_comparison
from spacy_bertreg.comparison.models import LINE, MEAN, Model, Run
from spacy_bertreg.comparison.score_models import _coverage
from spacy_bertreg.comparison.tables import run_table
from spacy_bertreg.comparison.test_set import read_test_set
from spacy_bertreg.comparison.verdict import coverage_warnings
from spacy_bertreg.data.convert import convert
from spacy_bertreg.evaluation.metrics import METRICS
from spacy_bertreg.targets.intervals import Calibration


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """Two trained pipelines and a test set."""
    folder = tmp_path_factory.mktemp("compare")
    sample = ROOT / "corpus" / "briefings.csv"
    convert(sample, folder, targets=["severity"], id_column="id", shares=(0.5, 0, 0.5))
    for name, terms in {"weak": "talks,-1\n", "strong": None}.items():
        (folder / "terms.csv").write_text(terms or (ROOT / "corpus" / "terms.csv").read_text())
        nlp = spacy.blank("en")
        component = nlp.add_pipe("dictionary_regressor")
        corpus = spacy.training.Corpus(folder / "train.spacy")
        component.initialize(
            lambda nlp=nlp, corpus=corpus: corpus(nlp), nlp=nlp, lexicon=folder / "terms.csv"
        )
        (folder / name).mkdir()
        nlp.to_disk(folder / name / "model-best")
    return folder


@pytest.fixture(scope="module")
def comparison(folder):
    pipelines = [str(folder / n / "model-best") for n in ("weak", "strong")]
    return compare(folder / "test.spacy", pipelines, n_resamples=500)


@pytest.fixture
def write_predictions(folder, tmp_path):
    """Writes a CSV file of predictions: the observed values and some noise."""
    test = read_test_set(folder / "test.spacy")

    def write(name, noise, seed=0):
        gold = test.gold["severity"].to_numpy()
        predicted = gold + np.random.default_rng(seed).normal(size=len(gold)) * noise
        path = tmp_path / name
        pd.DataFrame({"id": test.ids, "target": gold, "prediction": predicted}).to_csv(
            path, index=False
        )
        return path

    return write


def test_metrics_are_those_that_spacy_evaluate_gives(folder, comparison):
    metrics = comparison.metrics.set_index("model")
    assert list(metrics.index) == ["weak", "strong", MEAN, LINE]
    for name in ("weak", "strong"):
        nlp = spacy.load(folder / name / "model-best")
        expected = nlp.evaluate(list(spacy.training.Corpus(folder / "test.spacy")(nlp)))
        for metric in METRICS:
            assert metrics.loc[name, metric] == pytest.approx(expected[f"reg_{metric}"], rel=1e-12)
            low, high = metrics.loc[name, [f"{metric}_low", f"{metric}_high"]]
            assert low < metrics.loc[name, metric] < high
        assert metrics.loc[name, "n"] == 200


def test_differences_of_all_pairs(comparison):
    metrics = comparison.metrics.set_index("model")
    pairs = comparison.differences.set_index(["model", "baseline"])
    assert len(pairs) == 6
    row = pairs.loc[("strong", "weak")]
    assert row["r2_difference"] == pytest.approx(
        metrics.loc["strong", "r2"] - metrics.loc["weak", "r2"]
    )
    assert row["mse_change"] == pytest.approx(
        metrics.loc["strong", "mse"] / metrics.loc["weak", "mse"] - 1
    )
    assert 0 < row["r2_difference_low"] < row["r2_difference"] < row["r2_difference_high"]
    # The mean's R² is not positive: there is no relative difference from it.
    assert np.isnan(pairs.loc[("strong", MEAN), "r2_change"])
    assert pairs.loc[("strong", MEAN), "mse_change"] < -0.3


def test_baselines_know_the_training_set_only(folder, comparison):
    (train,) = (read_test_set(folder / f"{name}.spacy") for name in ("train",))
    test = read_test_set(folder / "test.spacy")
    slope, intercept = np.polyfit(np.log1p(train.lengths), train.gold["severity"], 1)
    predictions = comparison.predictions()
    np.testing.assert_allclose(predictions[MEAN], train.gold["severity"].mean())
    np.testing.assert_allclose(predictions[LINE], intercept + slope * np.log1p(test.lengths))


def test_predictions_are_the_pipelines(folder, comparison):
    predictions = comparison.predictions()
    assert list(predictions.columns)[:7] == [
        *("target", "id", "group", "length", "gold", "weak", "strong")
    ]
    test = read_test_set(folder / "test.spacy")
    nlp = spacy.load(folder / "strong" / "model-best")
    expected = [nlp(text).cats["severity"] for text in test.texts]
    np.testing.assert_allclose(predictions["strong"], expected)
    assert predictions["id"].tolist() == test.ids


def test_costs(folder, comparison):
    costs = {model.name: model.costs for model in comparison.models}
    nlp = spacy.load(folder / "strong" / "model-best")
    component = nlp.get_pipe("dictionary_regressor")
    n_features = len(component._model.vectorizer.feature_names)
    assert costs["strong"]["trained_parameters"] == n_features + 1
    assert 0 < costs["strong"]["training_seconds"] < 60
    assert costs["strong"]["documents_per_second"] > 10
    files = [f for f in (folder / "strong" / "model-best").rglob("*") if f.is_file()]
    assert costs["strong"]["bytes"] == sum(f.stat().st_size for f in files)
    assert costs[MEAN] == dict.fromkeys(costs[MEAN])


def test_costs_of_a_transformer(folder, make_bert, make_examples, tmp_path):
    sources = []
    for freeze in ("all", "none"):
        nlp = make_bert(freeze=freeze)
        examples = make_examples(nlp)
        optimizer = nlp.initialize(lambda examples=examples: examples)
        train(nlp, examples, optimizer, steps=2)
        nlp.to_disk(tmp_path / freeze)
        sources.append(str(tmp_path / freeze))
    models = compare(folder / "test.spacy", sources, n_resamples=100).models
    costs = {model.name: model.costs for model in models}
    bert = nlp.get_pipe("transformer").model.transformer
    # Its pooler is not used, and learns nothing.
    n_bert = sum(p.numel() for n, p in bert.named_parameters() if not n.startswith("pooler"))
    assert costs["all"]["trained_parameters"] == bert.config.hidden_size + 1
    assert costs["none"]["trained_parameters"] == n_bert + bert.config.hidden_size + 1
    assert costs["none"]["training_seconds"] > 0


def test_files(comparison, tmp_path):
    paths = write_comparison(comparison, tmp_path / "report")
    assert {p.name for p in paths} == {
        *("comparison.csv", "comparison.json", "comparison.md", "comparison.tex"),
        *("differences.csv", "runs.csv", "predictions.csv", "reporting.md"),
    }
    read = pd.read_csv(tmp_path / "report" / "comparison.csv")
    np.testing.assert_allclose(read["mse_high"], comparison.metrics["mse_high"], rtol=1e-15)
    markdown = (tmp_path / "report" / "comparison.md").read_text(encoding="utf-8")
    assert "| weak | severity | 200 |" in " ".join(markdown.split())
    assert "strong vs. weak" in markdown
    assert comparison.verdicts["sentence"][0] in markdown
    latex = (tmp_path / "report" / "comparison.tex").read_text(encoding="utf-8")
    assert "$R^2$" in latex
    assert "\\%" in latex
    assert "R²" not in latex
    data = json.loads((tmp_path / "report" / "comparison.json").read_text(encoding="utf-8"))
    assert data["interval"]["unit"] == "document"
    assert [model["name"] for model in data["models"]] == ["weak", "strong", MEAN, LINE]
    assert data["differences"][-1]["r2_change"] is None  # and not NaN, which is no JSON


def test_files_of_another_program_need_no_pipeline(folder, tmp_path):
    from sklearn.feature_extraction.text import TfidfVectorizer
    from sklearn.linear_model import Ridge
    from sklearn.metrics import r2_score
    from sklearn.pipeline import make_pipeline

    train, test = (read_test_set(folder / f"{name}.spacy") for name in ("train", "test"))
    model = make_pipeline(TfidfVectorizer(), Ridge()).fit(train.texts, train.gold["severity"])
    predicted = model.predict(test.texts)
    table = pd.DataFrame({"id": test.ids, "target": test.gold["severity"], "prediction": predicted})
    table.sample(frac=1, random_state=0).to_csv(tmp_path / "tfidf.csv", index=False)
    comparison = compare(folder / "test.spacy", [str(tmp_path / "tfidf.csv")], n_resamples=200)
    metrics = comparison.metrics.set_index("model")
    assert metrics.loc["tfidf", "r2"] == pytest.approx(r2_score(test.gold["severity"], predicted))
    assert comparison.models[0].costs["trained_parameters"] is None


def test_seeds_are_runs_of_one_model(folder, write_predictions, tmp_path):
    good, better = write_predictions("a.csv", 0.5, 1), write_predictions("b.csv", 0.3, 2)
    failed = write_predictions("c.csv", 30.0, 3)
    sources = [f"m={good}", f"m={better}", f"m={failed}", f"n={good}"]
    comparison = compare(folder / "test.spacy", sources, n_resamples=200)
    runs = comparison.runs[comparison.runs["model"] == "m"]
    metrics = comparison.metrics.set_index("model")
    assert metrics.loc["m", "r2"] == pytest.approx(runs["r2"].mean())
    assert runs["run"].tolist() == ["run-0", "run-1", "run-2"]
    assert runs["diverged"].isna().tolist() == [True, True, False]
    assert "no better than the training mean" in comparison.warnings[0]
    assert {"m:run-0", "m:run-1", "m:run-2", "n"} <= set(comparison.predictions().columns)
    table = run_table(comparison).set_index("Run")
    assert table.loc["standard deviation", "R²"] == f"{runs['r2'].std():.3f}"
    assert "failed" in table.loc["run-2", ""]


def test_a_folder_of_seeds(folder, tmp_path):
    import shutil

    for seed in (0, 10, 9):
        target = tmp_path / "learned" / f"seed-{seed}" / "model-best"
        shutil.copytree(folder / "strong" / "model-best", target)
    comparison = compare(folder / "test.spacy", [str(tmp_path / "learned")], n_resamples=100)
    runs = comparison.runs[comparison.runs["model"] == "learned"]
    assert runs["run"].tolist() == ["seed-0", "seed-9", "seed-10"]
    one = compare(folder / "test.spacy", [str(target)], n_resamples=100)
    assert one.models[0].name == "learned"


def test_groups_come_from_the_file(folder, tmp_path, write_predictions):
    sample = ROOT / "corpus" / "briefings.csv"
    convert(sample, tmp_path, targets=["severity"], id_column="id", group="region")
    test = read_test_set(tmp_path / "test.spacy")
    table = {"id": test.ids, "target": test.gold["severity"], "prediction": 1.0}
    pd.DataFrame(table).to_csv(tmp_path / "p.csv", index=False)
    comparison = compare(tmp_path / "test.spacy", [str(tmp_path / "p.csv")], n_resamples=100)
    assert comparison.settings["interval"]["unit"] == "group"
    assert comparison.metrics["n_groups"].unique() == [len(set(test.groups))]
    assert any("groups: bootstrap intervals are too narrow" in w for w in comparison.warnings)


def test_predictions_that_do_not_fit(folder, write_predictions, tmp_path):
    path = write_predictions("p.csv", 0.1)
    table = pd.read_csv(path, dtype=str)

    def refuse(changed, match):
        changed.to_csv(tmp_path / "wrong.csv", index=False)
        with pytest.raises(ValueError, match=match):
            compare(folder / "test.spacy", [str(tmp_path / "wrong.csv")])

    first, second = table["id"][:2]
    refuse(table.drop(columns="prediction"), "has no column 'prediction'. It has: id, target")
    refuse(table.iloc[1:], f"for the id '{first}' its target is missing")
    refuse(pd.concat([table, table[:1]]), f"row 201: the id '{first}' is there twice")
    refuse(table.replace({"id": {first: "x"}}), "the id 'x' is not in")
    other = table.assign(target=table["target"].where(table["id"] != second, "9.5"))
    refuse(other, f"not of this test set: for the id '{second}' its target is 9.5")
    wrong = table.assign(prediction=table["prediction"].where(table["id"] != second, "high"))
    refuse(wrong, "row 2, column 'prediction': found 'high'. Expected a finite number")
    with pytest.raises(FileNotFoundError, match=r"none.csv does not exist"):
        compare(folder / "test.spacy", [str(tmp_path / "none.csv")])


def test_errors(folder, tmp_path):
    weak = str(folder / "weak" / "model-best")
    with pytest.raises(FileNotFoundError, match=r"none.spacy does not exist"):
        compare(folder / "none.spacy", [weak])
    with pytest.raises(ValueError, match="Two models are called 'weak'"):
        compare(folder / "test.spacy", [weak, weak])
    with pytest.raises(ValueError, match="The name 'training mean' is taken"):
        compare(folder / "test.spacy", [f"{MEAN}={weak}"])
    with pytest.raises(OSError, match="Can't find model"):
        compare(folder / "test.spacy", [str(folder / "nowhere")])
    spacy.blank("en").to_disk(tmp_path / "blank")
    with pytest.raises(ValueError, match="has no regressor"):
        compare(folder / "test.spacy", [str(tmp_path / "blank")])
    (tmp_path / "test.spacy").write_bytes((folder / "test.spacy").read_bytes())
    with pytest.raises(FileNotFoundError, match=r"train.spacy does not exist.*--train names it"):
        compare(tmp_path / "test.spacy", [weak])
    (tmp_path / "broken.spacy").write_bytes(b"nothing")
    with pytest.raises(ValueError, match=r"broken.spacy can't be read as a .spacy file"):
        compare(tmp_path / "broken.spacy", [weak], train=folder / "train.spacy")


def test_two_documents_of_one_id(folder, tmp_path):
    docs = list(
        spacy.tokens.DocBin().from_disk(folder / "test.spacy").get_docs(spacy.blank("en").vocab)
    )
    docs[3].user_data["id"] = docs[1].user_data["id"]
    spacy.tokens.DocBin(docs=docs, store_user_data=True).to_disk(tmp_path / "test.spacy")
    with pytest.raises(ValueError, match="documents 2 and 4 both have the id"):
        read_test_set(tmp_path / "test.spacy")


def test_broken_intervals_are_explained():
    """Predictions are 1 too high, so that values lie below; moved by that, intervals hold all."""
    gold = np.linspace(0, 10, 50)
    predicted = gold + 1 + np.tile([-0.1, 0.1], 25)
    ends = np.stack([predicted - 1.0, predicted + 1.0], axis=1)
    run = Run(
        "seed-0",
        "",
        {"y": predicted},
        {"y": ends},
        {"y": (Calibration("plain", 0.9, (1,), (9,)), 0)},
    )
    bootstrap = Bootstrap(gold, [str(i) for i in range(50)], n_resamples=200, seed=0)
    model = Model("m", "pipeline", [run])
    (row,) = _coverage([(model, run)], "y", gold, np.arange(50), bootstrap)
    assert (row["coverage"], row["below"], row["above"]) == (0.5, 0.5, 0.0)
    assert row["mean_error"] == pytest.approx(1.0)
    assert row["coverage_moved"] == 1.0
    (warning,) = coverage_warnings(pd.DataFrame([row]))
    assert "1.000 too high on average; 50% of the values lie below" in warning
    assert "would hold 100%" in warning
