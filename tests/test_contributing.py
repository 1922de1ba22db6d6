"""What CONTRIBUTING.md shows works: a loss, a readout and a table format."""

import re
import textwrap

import numpy as np
import pandas as pd
import pytest
import scipy.optimize
import spacy
from conftest import ROOT
from sklearn.linear_model import LinearRegression

from spacy_bertreg.data.tables import kinds, read
from spacy_bertreg.dictionary import readouts
from spacy_bertreg.scoring import source
from spacy_bertreg.scoring.frame import score_frame
from spacy_bertreg.scoring.score import score_file
from spacy_bertreg.training.losses import mean_loss

PAGE = (ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8")


def example(section):
    """Run the Python block of a section, and return what it defines."""
    text = PAGE.partition(f"## {section}\n")[2].partition("\n## ")[0]
    (block,) = re.findall(r"```python\n(.*?)```", text, flags=re.DOTALL)
    names = {"__name__": __name__}
    exec(compile(textwrap.dedent(block), "<block>", "exec"), names)  # noqa: S102 - it is ours
    return names


def test_the_loss(make_tok2vec, make_examples):
    loss = example("Add a loss")["expectile_v1"](0.8)
    rng = np.random.default_rng(0)
    outputs, gold = rng.normal(size=(20, 1)), rng.normal(size=(20, 1))

    def value(flat):
        return mean_loss(loss, flat[:, None], gold)[0]

    numeric = scipy.optimize.approx_fprime(outputs[:, 0], value, 1e-7)
    np.testing.assert_allclose(mean_loss(loss, outputs, gold)[1][:, 0], numeric, atol=1e-5)
    # Of one value for all, the expectile: above the mean, as being too low counts more.
    best = scipy.optimize.minimize_scalar(lambda x: value(np.full(20, x))).x
    expectile = scipy.stats.expectile(gold[:, 0], 0.8)
    assert gold.mean() < best == pytest.approx(expectile, abs=1e-4)
    spacy.registry.losses("expectile.v1", func=lambda: loss)
    nlp = make_tok2vec(loss={"@losses": "expectile.v1"})
    examples = make_examples(nlp, 4)
    nlp.initialize(lambda: examples)
    assert np.isfinite(nlp("Ten people were killed.").cats["severity"])


def test_the_readout(make_examples, tmp_path, monkeypatch):
    monkeypatch.setitem(
        readouts.READOUTS, "least_squares", example("Add a readout")["LeastSquares"]
    )
    nlp = spacy.blank("en")
    nlp.add_pipe("dictionary_regressor", config={"readout": "least_squares"})
    lexicon = {"lexicon": str(ROOT / "corpus" / "terms.csv")}
    nlp.config["initialize"]["components"]["dictionary_regressor"] = lexicon
    examples = make_examples(nlp, 100)
    nlp.initialize(lambda: examples)
    doc = nlp(examples[0].reference.text)
    terms = doc.spans["dictionary_regressor"]
    total = terms.attrs["base"]["severity"] + sum(span._.contribution for span in terms)
    assert doc.cats["severity"] == pytest.approx(total)
    nlp.to_disk(tmp_path / "nlp")
    assert spacy.load(tmp_path / "nlp")(doc.text).cats == pytest.approx(doc.cats)
    rng = np.random.default_rng(0)
    features, targets, weights = rng.normal(size=(30, 4)), rng.normal(size=(30, 2)), rng.random(30)
    targets[:5, 1] = np.nan
    predicted = readouts.READOUTS["least_squares"].fit(features, targets, weights=weights)
    for column, known in ((0, slice(None)), (1, slice(5, None))):
        model = LinearRegression().fit(
            features[known], targets[known, column], sample_weight=weights[known]
        )
        expected = model.predict(features)
        np.testing.assert_allclose(predicted.predict(features)[:, column], expected)


def test_the_table_format(nlp, pipeline, table, tmp_path, monkeypatch):
    path = tmp_path / "reports.feather"
    table.to_feather(path)
    with pytest.raises(ValueError, match="Can't tell the kind of"):
        read.read_table(path)
    whole = (*kinds.WHOLE_KINDS, "feather")
    monkeypatch.setattr(kinds, "WHOLE_KINDS", whole)
    monkeypatch.setattr(source, "WHOLE_KINDS", whole)
    monkeypatch.setattr(kinds, "KINDS", (*kinds.KINDS, "feather"))
    monkeypatch.setitem(read.PACKAGES, "feather", ("pyarrow", "parquet"))
    # Called where `readers` in `_read_binary` names no other function.
    monkeypatch.setattr(read, "_read_labelled", example("Add a table format")["_read_feather"])
    pd.testing.assert_frame_equal(read.read_table(path), table.reset_index(drop=True))
    score_file(pipeline, path, tmp_path / "scored.csv", text="text")
    scored = pd.read_csv(tmp_path / "scored.csv", keep_default_na=False)
    expected = score_frame(nlp, table, text="text")["severity_predicted"]
    np.testing.assert_allclose(scored["severity_predicted"], expected, rtol=1e-4)
    path.write_bytes(b"no such table")
    with pytest.raises(ValueError, match=r"Can't read .*reports\.feather"):
        read.read_table(path)


def test_files_and_names_that_are_named_exist():
    text = re.sub(r"```.*?```", "", PAGE, flags=re.DOTALL)
    paths = re.findall(r"`([\w./]+/[\w.]*)`", text) + re.findall(r"\]\((\w[\w./]+)\)", text)
    assert len(paths) > 15
    for path in paths:
        # In spaCy's repository, and a class to come.
        if not path.startswith("website/"):
            assert (ROOT / path).exists(), path
    for name, where in {
        "READOUTS": "spacy_bertreg/dictionary/readouts/__init__.py",
        "WHOLE_KINDS": "spacy_bertreg/data/tables/kinds.py",
        "_read_binary": "spacy_bertreg/data/tables/read.py",
        "readers": "spacy_bertreg/data/tables/read.py",
        "NAMES": "tests/training/test_losses.py",
        "thinc_losses": "setup.cfg",
    }.items():
        assert name in text
        assert name in (ROOT / where).read_text(encoding="utf-8")
