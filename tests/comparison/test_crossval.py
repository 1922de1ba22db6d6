"""Comparing from the out-of-fold predictions of a cross-validation."""

import json

import numpy as np
import pandas as pd
import pytest
import spacy
from spacy.cli._util import app
from spacy.tokens import Doc, DocBin
from typer.testing import CliRunner

import spacy_bertreg.cli  # noqa: F401 - registers the commands
from spacy_bertreg.comparison.bootstrap import Bootstrap, interval
from spacy_bertreg.comparison.compare import compare
from spacy_bertreg.comparison.crossval_models import read_crossval
from spacy_bertreg.comparison.files import write_comparison
from spacy_bertreg.comparison.fold_scores import corrected_t_interval, t_quantile
from spacy_bertreg.comparison.models import LINE, MEAN

N, K = 60, 3


def write_folder(folder, models, *, k=K, repeats=2, by="group", data=None, seed=0, n=N):
    """Write what `crossval` writes, for models that predict the value and some noise."""
    rng = np.random.default_rng(seed)
    gold = rng.normal(size=n)
    rows, scores = [], []
    for repeat in range(repeats):
        fold = np.arange(n) * (k + 1) // n - 1 if by == "time" else rng.permutation(n) % k
        noise = {name: rng.normal(size=n) * scale for name, scale in models.items()}
        for i in np.flatnonzero(fold >= 0):
            predicted = {name: gold[i] + noise[name][i] for name in models}
            label = {"target": "y", "id": f"d{i}", "group": f"g{i // 2}", "repeat": repeat}
            rows.append(label | {"fold": fold[i], "gold": gold[i]} | predicted)
        for number in range(k):
            n_train = int((fold < number if by == "time" else fold != number).sum())
            size = {"n_train": n_train - 5, "n_dev": 5, "n_test": int((fold == number).sum())}
            label = {"target": "y", "repeat": repeat, "fold": number}
            scores += [{"model": name, **label, **size} for name in models]
    folder.mkdir(exist_ok=True)
    pd.DataFrame(rows).to_csv(folder / "predictions.csv", index=False)
    settings = {"k": k, "repeats": repeats, "by": by, "targets": ["y"], "data": data}
    (folder / "crossval.json").write_text(json.dumps({"settings": settings, "scores": scores}))
    return folder


def write_docs(path, n=N):
    """Write the documents of `write_folder`; long ones have high values."""
    vocab, gold = spacy.blank("en").vocab, np.random.default_rng(0).normal(size=n)
    docs = []
    for i in range(n):
        doc = Doc(vocab, words=["word"] * round(20 + 5 * gold[i]))
        doc.cats["y"] = gold[i]
        doc.user_data.update(id=f"d{i}", group=f"g{i // 2}")
        docs.append(doc)
    DocBin(docs=docs, store_user_data=True).to_disk(path)
    return str(path)


def test_scores_and_differences(tmp_path):
    folder = write_folder(tmp_path / "cv", {"weak": 1.0, "good": 0.2})
    found = compare(folder, n_resamples=200)
    table = pd.read_csv(folder / "predictions.csv")
    squared = (table["good"] - table["gold"]) ** 2
    metrics = found.metrics.set_index("model")
    assert list(metrics.index) == ["weak", "good", MEAN]
    assert metrics.loc["good", "mse"] == pytest.approx(squared.mean())
    assert (metrics["n"] == N).all()
    assert (metrics["n_groups"] == N // 2).all()
    assert len(found.folds) == 3 * 2 * K
    one = found.folds.query("model == 'good' and repeat == 1 and fold == 2").iloc[0]
    is_one = (table["repeat"] == 1) & (table["fold"] == 2)
    assert one["mse"] == pytest.approx(squared[is_one].mean())
    assert one["n"] == is_one.sum()
    row = found.differences.set_index(["model", "baseline"]).loc[("good", "weak")]
    wide = found.folds.pivot(index=["repeat", "fold"], columns="model", values="mse")
    by_fold = (wide["good"] - wide["weak"]).to_numpy()
    assert row["mse_folds"] == pytest.approx(by_fold.mean())
    half = t_quantile(0.975, 5) * np.sqrt(by_fold.var(ddof=1) * (1 / 6 + 20 / 40))
    assert row["mse_folds_high"] - row["mse_folds"] == pytest.approx(half)
    (sentence,) = found.verdicts["sentence"]
    assert "On 60 documents in cross-validation (3 folds by group, 2 repeats), good" in sentence
    assert "; over folds " in sentence
    written = {path.name: path for path in write_comparison(found, tmp_path / "report")}
    content = json.loads(written["comparison.json"].read_text())
    first = content["folds"][0]
    assert {"model", "target", "repeat", "fold", "n", "r2", "mse"} <= set(first)
    assert content["crossval"]["repeats"] == 2
    markdown = written["comparison.md"].read_text()
    assert "R², good" in markdown
    assert "corrected resampled t" in markdown


def test_a_difference_is_sure_only_if_both_intervals_say_so(tmp_path):
    folder = write_folder(tmp_path / "cv", {"weak": 0.5, "good": 0.4}, k=2, repeats=1, n=400)
    found = compare(folder, n_resamples=500)
    row = found.differences.iloc[0]
    assert row["r2_difference_low"] > 0 > row["r2_folds_low"]
    assert "which may be chance, more than weak" in found.verdicts["sentence"][0]


@pytest.mark.parametrize("by", ["group", "time"])
def test_baselines_are_fitted_in_each_fold(tmp_path, by):
    data = write_docs(tmp_path / "all.spacy")
    if by == "group":
        # What `convert` wrote.
        vocab = spacy.blank("en").vocab
        docs = list(DocBin().from_disk(data).get_docs(vocab))
        data = str(tmp_path / "corpus")
        (tmp_path / "corpus").mkdir()
        for name, part in (("train", docs[:40]), ("dev", docs[40:]), ("test", docs[:3])):
            DocBin(docs=part, store_user_data=True).to_disk(tmp_path / "corpus" / f"{name}.spacy")
    folder = write_folder(tmp_path / "cv", {"good": 0.2}, by=by, repeats=1, data=data)
    found = compare(folder, n_resamples=100)
    assert list(found.metrics["model"]) == ["good", MEAN, LINE]
    assert found.metrics["n"].iloc[0] == (45 if by == "time" else N)
    predictions = found.predictions().set_index("id")
    table = pd.read_csv(folder / "predictions.csv").set_index("id")
    gold = pd.Series(np.random.default_rng(0).normal(size=N), [f"d{i}" for i in range(N)])
    fold = table["fold"].reindex(gold.index, fill_value=-1)
    for number in range(K):
        train = gold[fold < number] if by == "time" else gold[fold != number]
        test = predictions.loc[fold[fold == number].index]
        np.testing.assert_allclose(test[MEAN], train.mean())
    # Length gives the value away, in the documents that each line was fitted to, too.
    assert found.metrics.set_index("model").loc[LINE, "r2"] > 0.9
    assert any("good does not surely beat a line" in warning for warning in found.warnings)


def test_without_the_documents(tmp_path):
    # Any name of a model will do; and by time, no baseline can be fitted to the first period.
    folder = write_folder(tmp_path / "cv", {"place": 0.2, "weak": 1.0}, by="time", repeats=1)
    found = compare(folder, n_resamples=100)
    assert list(found.metrics["model"]) == ["place", "weak"]
    table = pd.read_csv(folder / "predictions.csv")
    expected = ((table["place"] - table["gold"]) ** 2).mean()
    assert found.metrics["mse"][0] == pytest.approx(expected)
    assert "(3 folds by time), place predicts y best" in found.verdicts["sentence"][0]
    table.drop(columns="weak").to_csv(folder / "predictions.csv", index=False)
    (sentence,) = compare(folder, n_resamples=100).verdicts["sentence"]
    assert sentence.endswith(").")


def test_other_models_of_the_same_folds(tmp_path):
    first = write_folder(tmp_path / "a", {"good": 0.2})
    second = write_folder(tmp_path / "b", {"weak": 1.0})
    found = compare(first, [str(second)], n_resamples=100)
    assert list(found.metrics["model"])[:2] == ["good", "weak"]
    table = pd.read_csv(second / "predictions.csv")
    expected = ((table["weak"] - table["gold"]) ** 2).mean()
    assert found.metrics["mse"][1] == pytest.approx(expected)
    with pytest.raises(ValueError, match="both have a model 'good'"):
        compare(first, [str(first)])
    other = write_folder(tmp_path / "c", {"weak": 1.0}, k=4)
    with pytest.raises(ValueError, match="c has other folds than .*a, as for the id"):
        compare(first, [str(other)])
    data = write_docs(tmp_path / "train.spacy")
    with pytest.raises(ValueError, match="b is a cross-validation, which has its own documents"):
        compare(data, [str(second)])


def edit(folder, change):
    table = pd.read_csv(folder / "predictions.csv").astype(object)
    change(table).to_csv(folder / "predictions.csv", index=False)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda t: t.drop(columns="fold"), "has no column 'fold'. It has: target, id"),
        (lambda t: t.drop(columns="good"), "has no predictions. Expected a column for each model"),
        (lambda t: pd.concat([t, t[3:4]]), "the id '.*' is there twice for 'y'"),
        (lambda t: t.replace({"good": {t["good"][4]: "n/a"}}), "row 5, column 'good': found 'n/a'"),
        (lambda t: t.replace({"gold": {t["gold"][0]: ""}}), "row 1, .*Expected an observed value"),
        (lambda t: t.rename(columns={"good": MEAN}), "'training mean'. The name is taken"),
    ],
)
def test_malformed_predictions(tmp_path, change, message):
    folder = write_folder(tmp_path / "cv", {"good": 0.2})
    edit(folder, change)
    with pytest.raises(ValueError, match=message):
        read_crossval([folder])


def test_malformed_settings_and_a_failed_model(tmp_path):
    folder = write_folder(tmp_path / "cv", {"good": 0.2, "bad": 0.3})
    edit(folder, lambda t: t.assign(bad=t["bad"].where(t.index != 7)))
    found = compare(folder, n_resamples=100).metrics.set_index("model")
    assert np.isnan(found.loc["bad", "r2"])
    with pytest.raises(ValueError, match="Expected no --train"):
        compare(folder, train=folder)
    (folder / "crossval.json").write_text("{}")
    with pytest.raises(ValueError, match=r"crossval.json is not what `crossval` writes"):
        compare(folder)


def test_the_command_spares_the_folder(tmp_path):
    folder = write_folder(tmp_path / "cv", {"good": 0.2, "weak": 1.0})
    before = (folder / "predictions.csv").read_bytes()
    arguments = ["bertreg", "compare", str(folder), "--resamples", "100", "--output"]
    failed = CliRunner().invoke(app, [*arguments, str(folder)])
    assert failed.exit_code == 1
    assert "predictions.csv is the input, too" in " ".join(failed.output.split())
    assert (folder / "predictions.csv").read_bytes() == before
    result = CliRunner().invoke(app, [*arguments, str(tmp_path / "report")])
    assert result.exit_code == 0, result.output
    assert "cross-validation (3 folds by group, 2 repeats)" in " ".join(result.output.split())
    assert (tmp_path / "report" / "comparison.json").is_file()


def test_t_interval_by_hand():
    # Two tables of Student's t.
    assert t_quantile(0.975, 1) == pytest.approx(12.7062, abs=1e-4)
    assert t_quantile(0.975, 4) == pytest.approx(2.7764, abs=1e-4)
    assert t_quantile(0.95, 29) == pytest.approx(1.6991, abs=1e-4)
    low, high = corrected_t_interval(np.array([0.1, 0.2, 0.3]), 0.5)
    assert (low + high) / 2 == pytest.approx(0.2)
    assert (high - low) / 2 == pytest.approx(4.3027 * 0.1 * np.sqrt(1 / 3 + 1 / 2), rel=1e-4)
    assert np.isnan(corrected_t_interval(np.array([0.1]), 0.5)).all()
    assert np.isnan(corrected_t_interval(np.array([0.1, np.nan]), 0.5)).all()


def simulate_crossval(rng, n, k, repeats, beta):
    """Cross-validate ridge regressions on half and on all of the variables that matter.

    RETURNS (tuple): The difference of their MSE in each fold, the difference that each pair of
        models really has, and of each document the mean difference of squared errors.
    """
    p = len(beta)
    x = rng.normal(size=(n, p))
    y = x @ beta + rng.normal(size=n)
    by_fold, true, by_document = [], [], np.zeros(n)
    for _ in range(repeats):
        fold = rng.permutation(n) % k
        for number in range(k):
            test = fold == number
            squared, risk = [], []
            for n_used in (p // 2, p):
                used = x[~test, :n_used]
                penalised = used.T @ used + 10 * np.eye(n_used)
                fitted = np.r_[np.linalg.solve(penalised, used.T @ y[~test]), np.zeros(p - n_used)]
                squared.append((y[test] - x[test] @ fitted) ** 2)
                risk.append(1 + ((fitted - beta) ** 2).sum())
            by_document[test] += (squared[0] - squared[1]) / repeats
            by_fold.append((squared[0] - squared[1]).mean())
            true.append(risk[0] - risk[1])
    return np.array(by_fold), true, by_document


@pytest.mark.slow
@pytest.mark.parametrize(("n", "least"), [(100, 0.75), (300, 0.85)])
def test_coverage_of_the_true_difference(n, least):
    """Data drawn anew and models refitted: what docs/comparison.md says of both intervals."""
    rng, k, repeats, n_data = np.random.default_rng(n), 5, 3, 500
    beta = rng.normal(size=40) / np.sqrt(40)
    found = [simulate_crossval(rng, n, k, repeats, beta) for _ in range(n_data)]
    truth = np.mean([true for _, true, _ in found])
    hits = {"t": 0, "bootstrap": 0}
    for seed, (by_fold, _, by_document) in enumerate(found):
        low, high = corrected_t_interval(by_fold, 1 / (k - 1))
        hits["t"] += low <= truth <= high
        bootstrap = Bootstrap(np.zeros(n), list(map(str, range(n))), n_resamples=300, seed=seed)
        low, high = interval(bootstrap.means([by_document])[0])
        hits["bootstrap"] += low <= truth <= high
    share = {name: n_hits / n_data for name, n_hits in hits.items()}
    print(f"{n} documents: the true difference in MSE is held in {share}")  # noqa: T201
    assert 0.92 <= share["t"] <= 0.98
    # It knows nothing of other training sets.
    assert least <= share["bootstrap"] <= 0.93
