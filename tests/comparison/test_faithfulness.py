import json

import numpy as np
import pandas as pd
import pytest
import spacy
from conftest import ROOT, examples_from
from spacy.cli._util import app
from spacy.tokens import DocBin
from typer.testing import CliRunner

import spacy_bertreg.cli  # noqa: F401 - registers the commands
from spacy_bertreg.comparison.faithfulness import SHARES, measure_faithfulness
from spacy_bertreg.comparison.test_set import make_test_set

TEXT = "Heavy shelling killed ten people in Corvash near the border."


@pytest.fixture(scope="module")
def bert(tiny_bert, sample):
    """A frozen tiny BERT with a solved head, cls pooling and masks in its texts' windows."""
    nlp = spacy.blank("en")
    model = {"@architectures": "spacy-bertreg.TransformerModel.v1", "name": tiny_bert}
    nlp.add_pipe("transformer", config={"model": {**model, "freeze": "all"}})
    listener = {"@architectures": "spacy-bertreg.TransformerListener.v1", "pooling": "cls"}
    nlp.add_pipe("text_regressor", config={"model": {"tok2vec": listener}})
    rows = sample.head(32)
    values = [{"severity": value} for value in rows["severity"]]
    examples = examples_from(nlp, list(zip(rows["text"], values, strict=True)))
    nlp.initialize(lambda: examples)
    return nlp


@pytest.fixture(scope="module")
def dictionary(sample):
    nlp = spacy.blank("en")
    component = nlp.add_pipe("dictionary_regressor")
    rows = sample.head(60)
    values = [{"severity": value} for value in rows["severity"]]
    examples = examples_from(nlp, list(zip(rows["text"], values, strict=True)))
    terms = str(ROOT / "corpus" / "terms.csv")
    component.initialize(lambda: examples, nlp=nlp, lexicon=terms)
    return nlp


def documents(*texts):
    blank = spacy.blank("en")
    return make_test_set([blank(text) for text in texts], "texts.spacy")


def row(found, method, removal, measure):
    rows = found.table.set_index(["method", "removal", "measure"])
    return rows.loc[(method, removal, measure)]


def test_changes_are_those_of_the_texts_without_the_words(bert):
    component = bert.get_pipe("text_regressor")
    found = measure_faithfulness(component, documents(TEXT), methods=["gradient_x_input"])
    doc = bert(TEXT)
    (explanation,) = component.explain([doc], method="gradient_x_input")
    strongest = np.argsort(-np.abs(explanation.contributions[:, 0])).tolist()

    def change(words):
        other = bert(
            "".join(word + token.whitespace_ for word, token in zip(words, doc, strict=True))
        )
        return abs(other.cats["severity"] - doc.cats["severity"]) / component.scale.std[0]

    def replaced(taken, mask):
        return [mask if token.i in taken else token.text for token in doc]

    assert len(doc) == 11
    for removal, mask in (("deletion", ""), ("masking", "[MASK]")):
        taken = row(found, "gradient_x_input", removal, "comprehensiveness")
        left = row(found, "gradient_x_input", removal, "sufficiency")
        for share, n in ((0.01, 1), (0.1, 1), (0.2, 2), (0.5, 6)):
            if removal == "masking":
                expected = change(replaced(strongest[:n], mask))
                assert taken[f"change:{share}"] == pytest.approx(expected, abs=1e-4)
                expected = change(replaced(strongest[n:], mask))
                assert left[f"change:{share}"] == pytest.approx(expected, abs=1e-4)
        assert taken["area"] == pytest.approx(
            np.mean([taken[f"change:{share}"] for share in SHARES])
        )
    without = " ".join(t.text for t in doc if t.i != strongest[0]).replace(" .", ".")
    expected = abs(bert(without).cats["severity"] - doc.cats["severity"]) / component.scale.std[0]
    taken = row(found, "gradient_x_input", "deletion", "comprehensiveness")
    assert taken["change:0.01"] == pytest.approx(expected, abs=1e-4)
    ids = bert.get_pipe("transformer").model.tokenizer("a [MASK].")["input_ids"]
    assert bert.get_pipe("transformer").model.tokenizer.mask_token_id in ids


def test_methods_against_random_words_and_a_dictionary(bert, dictionary, sample):
    texts = [*sample["text"].head(3), "", "One"]
    component = bert.get_pipe("text_regressor")
    found = measure_faithfulness(
        component, documents(*texts), dictionary=dictionary, n_random=2, n_resamples=200
    )
    methods = {"integrated_gradients", "gradient_x_input", "occlusion", "random", "dictionary"}
    assert set(found.table["method"]) == methods
    assert "pooling = 'cls'" in found.left_out["token_vectors"]
    assert found.speed.keys() == {"scoring", *methods} - {"random", "dictionary"}
    assert found.n == 4
    assert len(found.table) == len(methods) * 4
    for _, own in found.table.iterrows():
        assert own["area_low"] <= own["area"] <= own["area_high"]
        if own["method"] != "random":
            base = row(found, "random", own["removal"], own["measure"])
            assert own["over_random"] == pytest.approx(own["area"] - base["area"])
            assert own["over_random_low"] <= own["over_random"] <= own["over_random_high"]
    # Leaving one word out is what occlusion measures.
    best = row(found, "occlusion", "deletion", "comprehensiveness")
    least_words = found.table.query("removal == 'deletion' and measure == 'comprehensiveness'")
    assert best["change:0.01"] == least_words["change:0.01"].max()
    again = measure_faithfulness(
        component, documents(*texts), dictionary=dictionary, n_random=2, n_resamples=200
    )
    pd.testing.assert_frame_equal(found.table, again.table)


def test_a_tok2vec_has_no_mask(nlp):
    found = measure_faithfulness(nlp.get_pipe("text_regressor"), documents(TEXT, "Calm."))
    assert set(found.table["removal"]) == {"deletion"}
    assert found.left_out.keys() == {"integrated_gradients", "gradient_x_input"}
    few = measure_faithfulness(nlp.get_pipe("text_regressor"), documents(TEXT, "Calm."), max_docs=1)
    assert few.n == 1


def test_wrong_arguments(nlp, dictionary):
    component = nlp.get_pipe("text_regressor")
    for settings, message in (
        ({"target": "mood"}, "no target 'mood'. Expected one of: severity"),
        ({"methods": ["integrated_gradients"]}, "does not listen to"),
        ({"methods": ["x"]}, "method is 'x'"),
        ({"dictionary": nlp}, "has no dictionary_regressor that predicts 'severity'"),
    ):
        with pytest.raises(ValueError, match=message):
            measure_faithfulness(component, documents(TEXT), **settings)
    with pytest.raises(ValueError, match="None of 2 documents of texts.spacy has a word"):
        measure_faithfulness(component, documents("", " "))


def test_command(pipeline, dictionary, tmp_path):
    blank = spacy.blank("en")
    DocBin(docs=[blank(TEXT), blank("Calm.")]).to_disk(tmp_path / "texts.spacy")
    dictionary.to_disk(tmp_path / "dictionary")
    result = CliRunner().invoke(
        app,
        list(
            map(
                str,
                [
                    "bertreg", "faithfulness", pipeline, tmp_path / "texts.spacy",
                    "--dictionary", tmp_path / "dictionary", "--method", "token_vectors",
                    "--output", tmp_path / "a.json", "--csv", tmp_path / "a.csv",
                ],
            )
        ),
        env={"COLUMNS": "250"},
    )  # fmt: skip
    assert result.exit_code == 0, result.output
    assert "token_vectors" in result.output
    found = json.loads((tmp_path / "a.json").read_text(encoding="utf-8"))
    assert {r["method"] for r in found["results"]} == {"token_vectors", "random", "dictionary"}
    assert found["documents"] == 2
    assert len(pd.read_csv(tmp_path / "a.csv")) == len(found["results"])
