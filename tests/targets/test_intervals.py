from pathlib import Path

import numpy as np
import pytest
import spacy
from conftest import train
from spacy.tokens import Doc, DocBin
from thinc.api import Adam

from spacy_bertreg.comparison.calibrate import calibrate
from spacy_bertreg.data.corpus import Corpus_v1
from spacy_bertreg.targets.intervals import Calibration, is_inside
from spacy_bertreg.targets.predictions import Predictions

rng = np.random.default_rng(0)


def simulate(n: int) -> tuple[Predictions, np.ndarray]:
    """Values whose spread, and predicted spread and quantiles, grow with the prediction."""
    scaled = rng.uniform(0, 2, size=(n, 1))
    spread = 0.2 + scaled
    gold = scaled + spread * rng.standard_t(5, size=(n, 1))
    quantiles = scaled[..., None] + spread[..., None] * np.array([-1.0, 0.0, 1.0])
    return Predictions(scaled, scaled, 3 * spread, quantiles), gold


@pytest.mark.parametrize("method", ["plain", "normalised", "quantiles"])
@pytest.mark.parametrize("level", [0.5, 0.9])
def test_coverage_in_the_mean_over_many_calibrations(method, level):
    held = []
    for _ in range(300):
        calibration = Calibration.fit(*simulate(60), level, method, ["y"])
        predictions, gold = simulate(200)
        ends = calibration.intervals(predictions)
        assert (ends[..., 0] <= ends[..., 1]).all()
        held.append(is_inside(gold[:, 0], ends[:, 0]).mean())
    # The promise is level to level + 1 / (n + 1), in the mean.
    assert level - 0.015 < np.mean(held) < level + 1 / 61 + 0.015


def test_normalised_intervals_are_as_wide_as_the_spread():
    predictions, gold = simulate(100)
    widths = np.diff(
        Calibration.fit(predictions, gold, 0.9, "normalised", ["y"]).intervals(predictions)[:, 0]
    )
    assert predictions.spread is not None
    ratios = widths / predictions.spread
    assert np.ptp(ratios) < 1e-9


def test_too_few_documents_and_unknown_values():
    predictions, gold = simulate(10)
    Calibration.fit(predictions, gold, 0.9, "plain", ["y"])
    gold[3:] = np.nan
    with pytest.raises(ValueError, match=r"3 documents .* .y. are too few .*0.9. Expected 9"):
        Calibration.fit(predictions, gold, 0.9, "plain", ["y"])


def test_weights_of_one_change_nothing_and_weights_of_none_leave_out():
    predictions, gold = simulate(100)
    plain = Calibration.fit(predictions, gold, 0.9, "plain", ["y"])
    assert Calibration.fit(predictions, gold, 0.9, "plain", ["y"], np.ones(100)) == plain
    wild = gold.copy()
    wild[60:] *= 1000
    some = predictions.select(np.arange(100) < 60)
    weighted = Calibration.fit(predictions, wild, 0.9, "plain", ["y"], 1.0 * (np.arange(100) < 60))
    assert weighted.widths == Calibration.fit(some, gold[:60], 0.9, "plain", ["y"]).widths
    with pytest.raises(ValueError, match=r"100 .* count as 5.0 by their weights, are too few"):
        Calibration.fit(predictions, gold, 0.9, "plain", ["y"], np.full(100, 0.05))


def test_weights_that_fall_with_age_hold_more_where_errors_grow():
    generator, held = np.random.default_rng(0), []
    scale = np.linspace(0.5, 2, 400)
    zeros = np.zeros((400, 1))
    for _ in range(200):
        errors = scale[:, None] * generator.normal(size=(400, 1))
        later = 2 * generator.normal(size=200)
        row = []
        for weights in (None, 0.5 ** (np.arange(400)[::-1] / 40)):
            fitted = Calibration.fit(
                Predictions(zeros, zeros), errors, 0.9, "plain", ["y"], weights
            )
            row.append((np.abs(later) <= fitted.widths[0]).mean())
        held.append(row)
    plain, weighted = np.mean(held, axis=0)
    assert plain < 0.82
    assert 0.87 < weighted < 0.93


@pytest.mark.parametrize(
    ("level", "method", "message"),
    [
        (1.0, "plain", "level is 1.0"),
        (0.9, "normalised", "needs a model trained with spacy-bertreg.gaussian"),
        (0.9, "quantiles", "needs a model trained with spacy-bertreg.pinball"),
        (0.9, "best", "method is 'best'. Expected one of plain, normalised, quantiles"),
    ],
)
def test_wrong_settings(level, method, message):
    scaled = np.zeros((20, 1))
    with pytest.raises(ValueError, match=message):
        Calibration.fit(Predictions(scaled, scaled), scaled, level, method, ["y"])


@pytest.fixture(scope="module")
def files(tmp_path_factory):
    rng = np.random.default_rng(1)
    folder = tmp_path_factory.mktemp("intervals")
    nlp = spacy.blank("en")
    for name, n in (("train", 80), ("calibration", 161), ("test", 162)):
        docs = []
        for i in range(n):
            words = rng.choice(["good", "bad", "fine", "poor"], size=6)
            doc = Doc(nlp.vocab, words=[*map(str, words), str(n + 1000 * i)])
            positive = np.isin(words, ["good", "fine"]).sum()
            doc.cats["y"] = float(np.exp(positive / 2 + rng.normal(scale=0.3)))
            docs.append(doc)
        DocBin(docs=docs, store_user_data=True).to_disk(folder / f"{name}.spacy")
    return folder


def trained(make_tok2vec, files, loss=None, **config):
    settings = {"transform": "log1p", **config}
    if loss:
        settings["loss"] = {"@losses": f"spacy-bertreg.{loss}.v1"}
    spacy.util.fix_random_seed(0)
    nlp = make_tok2vec(**settings)
    examples = list(Corpus_v1(files / "train.spacy")(nlp))
    nlp.initialize(lambda: examples)
    train(nlp, examples, Adam(0.01), 40)
    return nlp


@pytest.mark.parametrize(
    ("loss", "method"),
    [
        ("squared", "plain"),
        ("gaussian", "normalised"),
        ("poisson", "normalised"),
        ("pinball", "quantiles"),
    ],
)
def test_calibrated_pipelines_say_what_they_hold(make_tok2vec, files, tmp_path, loss, method):
    config = {"transform": "none"} if loss == "poisson" else {}
    nlp = trained(make_tok2vec, files, loss, **config)
    nlp.to_disk(tmp_path / "model")
    table = calibrate(tmp_path / "model", files / "calibration.spacy")
    assert table[["method", "n", "seen"]].to_numpy().tolist() == [[method, 161, 0]]
    nlp = spacy.load(tmp_path / "model")
    scores = nlp.evaluate(list(Corpus_v1(files / "test.spacy")(nlp)))
    interval = scores["reg_per_target"]["y"]["interval"]
    assert (interval["level"], interval["method"], interval["n_calibration"]) == (0.9, method, 161)
    assert 0.83 < interval["coverage"] < 0.97
    assert interval["mean_width"] > 0
    assert (scores["reg_per_target"]["y"].get("transformed") is None) == (loss == "poisson")
    for doc in nlp.pipe(["good bad fine", "", "unknown", " "]):
        low, high = doc._.interval["y"]
        assert low <= high
        assert low <= doc.cats["y"] <= high or method == "quantiles"
        assert low >= 0 or loss != "poisson"
        assert (doc._.std is not None) == (loss == "gaussian")
    assert not list(tmp_path.glob(".*"))
    if loss == "pinball":
        quantiles = nlp("good").copy()._.quantiles["y"]
        assert list(quantiles) == [0.05, 0.5, 0.95]
    for doc in nlp.pipe(["good bad", "fine"], n_process=2):
        assert len(doc._.interval["y"]) == 2


def test_training_documents_are_refused_and_few_repeats_left_out(make_tok2vec, files, tmp_path):
    trained(make_tok2vec, files).to_disk(tmp_path / "model")
    with pytest.raises(ValueError, match=r"80 of the 80 documents of .*train.spacy .*trained on"):
        calibrate(tmp_path / "model", files / "train.spacy")
    bin_ = DocBin(store_user_data=True)
    vocab = spacy.blank("en").vocab
    for name, n in (("train", 2), ("calibration", 161)):
        docs = list(DocBin().from_disk(files / f"{name}.spacy").get_docs(vocab))
        for doc in docs[:n]:
            bin_.add(doc)
    bin_.to_disk(tmp_path / "mixed.spacy")
    table = calibrate(tmp_path / "model", tmp_path / "mixed.spacy", output=tmp_path / "a" / "b")
    assert table[["n", "seen"]].to_numpy().tolist() == [[161, 2]]
    assert spacy.load(tmp_path / "model").get_pipe("text_regressor").calibration is None
    assert spacy.load(tmp_path / "a" / "b").get_pipe("text_regressor").calibration is not None


def test_a_dictionary_can_be_calibrated(files, tmp_path):
    nlp = spacy.blank("en")
    nlp.add_pipe("dictionary_regressor", config={"transform": "log1p", "smearing": True})
    examples = list(Corpus_v1(files / "train.spacy")(nlp))
    nlp.get_pipe("dictionary_regressor").initialize(lambda: examples, learn="elastic_net")
    nlp.to_disk(tmp_path / "model")
    calibrate(tmp_path / "model", files / "calibration.spacy", level=0.8)
    loaded = spacy.load(tmp_path / "model")
    scores = loaded.evaluate(list(Corpus_v1(files / "test.spacy")(loaded)))
    assert scores["reg_per_target"]["y"]["interval"]["coverage"] > 0.6
    assert scores["reg_per_target"]["y"]["transformed"]["r2"] > 0.5


@pytest.mark.parametrize(
    ("content", "message"),
    [(b"no docbin", "can't be read as a .spacy file"), (DocBin().to_bytes(), "has no documents")],
)
def test_unreadable_and_empty_files(tmp_path, content, message):
    (tmp_path / "data.spacy").write_bytes(content)
    with pytest.raises(ValueError, match=message):
        calibrate(tmp_path, tmp_path / "data.spacy")


def test_no_file_no_level_and_no_values(make_tok2vec, files, tmp_path):
    with pytest.raises(FileNotFoundError, match="missing.spacy"):
        calibrate(tmp_path, tmp_path / "missing.spacy")
    with pytest.raises(ValueError, match="level is 90"):
        calibrate(tmp_path, files / "test.spacy", level=90)
    trained(make_tok2vec, files).to_disk(tmp_path / "model")
    docs = [Doc(spacy.blank("en").vocab, words=["new", str(i)]) for i in range(50)]
    DocBin(docs=docs).to_disk(tmp_path / "bare.spacy")
    with pytest.raises(ValueError, match="0 documents with a known value for 'y'"):
        calibrate(tmp_path / "model", tmp_path / "bare.spacy")


def test_a_pipeline_outlives_a_failure_to_write(make_tok2vec, files, tmp_path, monkeypatch):
    trained(make_tok2vec, files).to_disk(tmp_path / "model")
    before = {path: path.read_bytes() for path in tmp_path.rglob("*") if path.is_file()}
    replace = Path.replace
    calls = []

    def fail(path, target):
        calls.append(path)
        if len(calls) == 1:
            raise OSError("disk is full")
        return replace(path, target)

    monkeypatch.setattr(Path, "replace", fail)
    with pytest.raises(OSError, match="disk is full"):
        calibrate(tmp_path / "model", files / "calibration.spacy")
    assert [path.name for path in tmp_path.iterdir()] == ["model"]
    assert {p: p.read_bytes() for p in tmp_path.rglob("*") if p.is_file()} == before
    assert spacy.load(tmp_path / "model").get_pipe("text_regressor").calibration is None
