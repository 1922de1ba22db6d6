import numpy as np
import pandas as pd
import pytest
import spacy
from conftest import ROOT

from spacy_bertreg.compare import compare, write_comparison
from spacy_bertreg.convert import convert


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """Two trained pipelines and a test set."""
    folder = tmp_path_factory.mktemp("compare")
    sample = ROOT / "corpus" / "briefings.csv"
    convert(sample, folder, targets=["severity"], shares=(0.5, 0, 0.5))
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


def test_compares_with_the_scores_that_spacy_evaluate_gives(folder):
    test = folder / "test.spacy"
    comparison = compare(test, [str(folder / n / "model-best") for n in ("weak", "strong")])
    scores = comparison.scores.set_index("model")
    assert list(scores.index) == ["weak", "strong"]
    for name in ("weak", "strong"):
        nlp = spacy.load(folder / name / "model-best")
        expected = nlp.evaluate(list(spacy.training.Corpus(test)(nlp)))
        assert scores.loc[name, "r2"] == expected["reg_r2"]
        assert scores.loc[name, "n"] == 200
    (difference,) = comparison.differences.to_dict("records")
    assert (difference["model"], difference["baseline"]) == ("strong", "weak")
    weak, strong = scores.loc["weak"], scores.loc["strong"]
    assert difference["r2_change"] == pytest.approx(strong["r2"] / weak["r2"] - 1)
    assert difference["mse_change"] == pytest.approx(strong["mse"] / weak["mse"] - 1)


def test_writes_full_precision_and_a_table_for_people(folder, tmp_path):
    pipelines = [f"a={folder / 'weak/model-best'}", f"b={folder / 'strong/model-best'}"]
    comparison = compare(folder / "test.spacy", pipelines)
    write_comparison(comparison, tmp_path / "report")
    read = pd.read_csv(tmp_path / "report" / "comparison.csv")
    np.testing.assert_allclose(read["mse"], comparison.scores["mse"], rtol=1e-15)
    assert len(pd.read_csv(tmp_path / "report" / "differences.csv")) == 1
    markdown = (tmp_path / "report" / "comparison.md").read_text(encoding="utf-8")
    assert "| a | severity | 200 |" in " ".join(markdown.split())
    assert "b vs. a" in markdown


def test_no_relative_difference_from_an_r2_that_is_not_positive(folder):
    from spacy_bertreg.compare import _differences

    scores = pd.DataFrame(
        {"model": ["a", "b"], "target": "y", "r2": [-0.1, 0.5], "mse": [2.0, 1.0]}
    )
    (difference,) = _differences(scores).to_dict("records")
    assert np.isnan(difference["r2_change"])
    assert difference["mse_change"] == -0.5


def test_errors(folder, tmp_path):
    weak = str(folder / "weak" / "model-best")
    with pytest.raises(FileNotFoundError, match="Test set .*none.spacy does not exist"):
        compare(folder / "none.spacy", [weak])
    with pytest.raises(ValueError, match="different names, not weak, weak"):
        compare(folder / "test.spacy", [weak, weak])
    with pytest.raises(OSError, match="Can't find model"):
        compare(folder / "test.spacy", [str(folder / "nowhere")])
    spacy.blank("en").to_disk(tmp_path / "blank")
    with pytest.raises(ValueError, match="has no regressor"):
        compare(folder / "test.spacy", [str(tmp_path / "blank")])


def test_a_test_set_of_another_target(folder, tmp_path):
    table = pd.DataFrame({"text": ["a", "b"], "mood": [1.0, 2.0]})
    table.to_csv(tmp_path / "a.csv", index=False)
    convert(tmp_path / "a.csv", tmp_path, targets=["mood"], shares=(0, 0, 1))
    with pytest.raises(ValueError, match="has no values for 'severity'"):
        compare(tmp_path / "test.spacy", [str(folder / "weak" / "model-best")])
