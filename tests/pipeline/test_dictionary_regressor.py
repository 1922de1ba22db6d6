import numpy as np
import pytest
import spacy
from conftest import ROOT, examples_from
from spacy.tokens import DocBin

TERMS = str(ROOT / "corpus" / "terms.csv")


def initialized(make_examples, n=200, **config):
    nlp = spacy.blank("en")
    component = nlp.add_pipe("dictionary_regressor", config=config)
    examples = make_examples(nlp, n)
    component.initialize(lambda: examples, nlp=nlp, lexicon=TERMS)
    return nlp


def test_learns_from_the_terms(make_examples):
    nlp = initialized(make_examples)
    assert nlp.evaluate(make_examples(nlp, 400)[200:])["reg_r2"] > 0.3


def test_is_deterministic_and_ignores_the_order_of_documents(make_examples):
    nlp = spacy.blank("en")
    component = nlp.add_pipe("dictionary_regressor")
    examples = make_examples(nlp, 100)
    component.initialize(lambda: examples, nlp=nlp, lexicon=TERMS)
    first = nlp("A massacre.").cats["severity"]
    component.initialize(lambda: examples[::-1], nlp=nlp, lexicon=TERMS)
    assert nlp("A massacre.").cats["severity"] == pytest.approx(first, abs=1e-9)


def test_saves_a_readable_lexicon(make_examples, tmp_path):
    initialized(make_examples).to_disk(tmp_path)
    saved = (tmp_path / "dictionary_regressor" / "lexicon.csv").read_text(encoding="utf-8")
    assert saved.startswith("term,category,weight,document_frequency,contribution:severity\n")
    assert len(saved.splitlines()) == 41


def test_case_sensitivity_is_kept(make_examples, tmp_path):
    nlp = initialized(make_examples, case_sensitive=True)
    nlp.to_disk(tmp_path)
    for pipeline in (nlp, spacy.load(tmp_path)):
        calm = pipeline("A usual day").cats["severity"]
        assert pipeline("A MASSACRE day").cats["severity"] == calm
        assert pipeline("A massacre day").cats["severity"] > calm


def test_documents_without_terms_are_all_alike(make_examples):
    nlp = initialized(make_examples)
    predicted = [doc.cats["severity"] for doc in nlp.pipe(["Nothing.", "Blue skies", "日本語"])]
    assert len(set(predicted)) == 1
    assert predicted[0] != pytest.approx(nlp("").cats["severity"])


def test_two_processes(make_examples):
    nlp = initialized(make_examples)
    texts = ["A massacre.", "", "Talks went on."] * 4
    docs = nlp.pipe(texts, n_process=2, batch_size=2)
    expected = [nlp(text).cats["severity"] for text in texts]
    np.testing.assert_allclose([doc.cats["severity"] for doc in docs], expected)


def test_no_lexicon(make_examples):
    nlp = spacy.blank("en")
    nlp.add_pipe("dictionary_regressor")
    message = r"no lexicon.*lexicon.*or learn.*in \[initialize.components.dictionary_regressor\]"
    with pytest.raises(ValueError, match=message):
        nlp.initialize(lambda: make_examples(nlp))


def test_missing_lexicon(make_examples):
    nlp = spacy.blank("en")
    component = nlp.add_pipe("dictionary_regressor")
    with pytest.raises(FileNotFoundError, match=r"Lexicon nowhere.csv does not exist"):
        component.initialize(lambda: make_examples(nlp), nlp=nlp, lexicon="nowhere.csv")


def test_no_targets():
    nlp = spacy.blank("en")
    component = nlp.add_pipe("dictionary_regressor")
    with pytest.raises(ValueError, match="'dictionary_regressor' found no target"):
        component.initialize(lambda: examples_from(nlp, [("a", {})]), nlp=nlp, lexicon=TERMS)


@pytest.fixture(scope="module", params=["ridge", "random_forest", "gradient_boosting"])
def best(request, make_examples):
    """Terms given and learned, with context, and each readout."""
    nlp = spacy.blank("en")
    component = nlp.add_pipe("dictionary_regressor", config={"readout": request.param})
    examples = make_examples(nlp, 200)
    component.initialize(
        lambda: examples, nlp=nlp, lexicon=TERMS, learn="elastic_net", context="en"
    )
    return nlp


TEXTS = ["A massacre! Not a CALM month, but talks.", "", "Nothing", "shelling shelling", " "]


def test_contributions_and_base_sum_to_the_prediction(best, make_examples):
    texts = TEXTS + [eg.reference.text for eg in make_examples(best, 50)]
    for doc in best.pipe(texts):
        group = doc.spans["dictionary_regressor"]
        total = group.attrs["base"]["severity"] + sum(group.attrs["contributions"]["severity"])
        assert total == pytest.approx(doc.cats["severity"], abs=1e-6)
        assert [span._.contribution for span in group] == group.attrs["contributions"]["severity"]


def test_spans_hold_terms_and_categories(best):
    doc = best("A massacre, really")
    group = doc.spans["dictionary_regressor"]
    found = {(span.text, span.label_, span.id_) for span in group}
    assert ("massacre", "massacre", "given") in found
    assert {category for _, _, category in found} == {"given", "learned"}
    span = next(span for span in group if span.id_ == "given")
    assert span._.contributions == {"severity": span._.contribution}
    assert doc[0:3]._.contribution is None


def test_terms_survive_in_a_docbin(best):
    docs = list(DocBin(docs=[best(TEXTS[0])]).get_docs(best.vocab))
    group = docs[0].spans["dictionary_regressor"]
    assert len(group) == len(group.attrs["contributions"]["severity"]) > 0
    assert isinstance(group[0]._.contribution, float)


def test_saving_and_loading_is_exact(best, tmp_path):
    best.to_disk(tmp_path)
    loaded = spacy.load(tmp_path)
    before, after = (n.get_pipe("dictionary_regressor") for n in (best, loaded))
    assert after.lexicon == before.lexicon
    np.testing.assert_array_equal(after.lexicon.contribution, before.lexicon.contribution)
    for text in TEXTS:
        assert loaded(text).cats == best(text).cats
        groups = [n(text).spans["dictionary_regressor"].attrs for n in (best, loaded)]
        assert groups[0] == groups[1]


def test_frequencies_and_contributions_are_of_the_training_documents(best, make_examples):
    lexicon = best.get_pipe("dictionary_regressor").lexicon
    entry = max(range(len(lexicon)), key=lambda e: lexicon.document_frequency[e])
    values = []
    for example in make_examples(best, 200):
        doc = best(example.reference.text)
        group = doc.spans["dictionary_regressor"]
        own = [
            span._.contribution
            for span in group
            if (span.label_, span.id_) == (lexicon.terms[entry], lexicon.categories[entry])
        ]
        if own:
            values.append(sum(own))
    assert lexicon.document_frequency[entry] == len(values)
    # A term that stands twice in a document has added both.
    assert lexicon.contribution[entry, 0] == pytest.approx(np.mean(values))


def test_no_spans_where_not_wished(make_examples):
    nlp = initialized(make_examples, spans_key=None)
    assert not nlp("A massacre").spans
    assert nlp("A massacre").cats == initialized(make_examples)("A massacre").cats


@pytest.mark.parametrize("learn", ["sensitivity", "elastic_net"])
def test_learned_lists_predict_new_documents(learn, make_examples):
    nlp = spacy.blank("en")
    component = nlp.add_pipe("dictionary_regressor")
    examples = make_examples(nlp, 400)
    component.initialize(lambda: examples[:300], nlp=nlp, learn=learn)
    assert nlp.evaluate(examples[300:])["reg_r2"] > 0.3
    assert set(component.lexicon.categories) == {"learned"}


def test_order_of_documents_and_terms_does_not_matter(make_examples, tmp_path):
    header, *lines = (ROOT / "corpus" / "terms.csv").read_text().splitlines()
    (tmp_path / "reversed.csv").write_text("\n".join([header, *lines[::-1]]))
    predicted = []
    for step, lexicon in ((1, TERMS), (-1, tmp_path / "reversed.csv")):
        nlp = spacy.blank("en")
        component = nlp.add_pipe("dictionary_regressor")
        examples = make_examples(nlp, 150)[::step]
        component.initialize(
            lambda examples=examples: examples, nlp=nlp, lexicon=lexicon, learn="sensitivity"
        )
        predicted.append([nlp(text).cats["severity"] for text in TEXTS])
    assert predicted[0] == pytest.approx(predicted[1], abs=1e-9)


def test_groups_stay_together_where_settings_are_chosen(make_examples):
    nlp = spacy.blank("en")
    component = nlp.add_pipe("dictionary_regressor")
    examples = make_examples(nlp, 50)
    for example in examples:
        example.reference.user_data["group"] = "one"
    with pytest.raises(ValueError, match="for the target 'severity' are of one group"):
        component.initialize(lambda: examples, nlp=nlp, learn="elastic_net")


def test_lemmas(make_examples):
    @spacy.Language.component("cut_ed")
    def cut_ed(doc):
        for token in doc:
            token.lemma_ = token.lower_.removesuffix("ed")
        return doc

    nlp = spacy.blank("en")
    nlp.add_pipe("cut_ed")
    component = nlp.add_pipe("dictionary_regressor", config={"match_on": "lemma"})
    examples = make_examples(nlp, 100)
    component.initialize(lambda: examples, nlp=nlp, lexicon=TERMS, learn="elastic_net")
    assert not any(term.endswith("ed") and len(term) > 6 for term in component.lexicon.terms[40:])
    with pytest.raises(ValueError, match="match_on is 'lemma' .* have no lemmas"):
        component(spacy.blank("en")("No lemmas"))


def test_two_targets(make_examples):
    nlp = spacy.blank("en")
    component = nlp.add_pipe("dictionary_regressor")
    examples = make_examples(nlp, 200)
    for example in examples:
        example.reference.cats["calm"] = 10 - 2 * example.reference.cats["severity"]
    component.initialize(lambda: examples, nlp=nlp, learn="elastic_net")
    doc = nlp("A massacre")
    assert doc.cats["calm"] == pytest.approx(10 - 2 * doc.cats["severity"], abs=0.05)
    attrs = doc.spans["dictionary_regressor"].attrs
    assert set(attrs["contributions"]) == set(attrs["base"]) == {"severity", "calm"}


@pytest.mark.parametrize(
    ("config", "message"),
    [
        ({"readout": "lasso"}, r"readout is 'lasso' in \[components.*Expected one of 'ridge'"),
        ({"match_on": "stem"}, r"match_on is 'stem' .*'text', 'lemma'"),
        ({"context_window": 0}, "context_window is 0"),
    ],
)
def test_wrong_settings(config, message):
    with pytest.raises(ValueError, match=message):
        spacy.blank("en").add_pipe("dictionary_regressor", config=config)


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"learn": "magic"}, r"learn is 'magic' in \[initialize.*'sensitivity', 'elastic_net'"),
        ({"learn": "elastic_net", "n_terms": 0}, "n_terms is 0"),
        (
            {"lexicon": TERMS, "duplicates": "sum"},
            r"duplicates is 'sum' in \[init.*'error', 'first'",
        ),
        ({"learn": "elastic_net", "min_documents": 1000}, "No word occurs in 1000 of the 100"),
    ],
)
def test_wrong_settings_of_the_initialization(settings, message, make_examples):
    nlp = spacy.blank("en")
    component = nlp.add_pipe("dictionary_regressor")
    examples = make_examples(nlp, 100)
    with pytest.raises(ValueError, match=message):
        component.initialize(lambda: examples, nlp=nlp, **settings)
    assert component.targets == ()


@pytest.mark.parametrize(
    ("readout", "texts"),
    [
        ("ridge", ["", " "]),
        ("random_forest", ["A massacre", "calm", "talks", ""]),
        ("gradient_boosting", ["A massacre"]),
    ],
)
def test_too_few_documents(readout, texts):
    nlp = spacy.blank("en")
    component = nlp.add_pipe("dictionary_regressor", config={"readout": readout})
    examples = examples_from(nlp, [(text, {"y": float(i)}) for i, text in enumerate(texts)])
    with pytest.raises(ValueError, match="documents have words and a value for the target 'y'"):
        component.initialize(lambda: examples, nlp=nlp, lexicon=TERMS)
    assert component.targets == ()


def fitted(texts, values, readout="ridge", **settings):
    nlp = spacy.blank("en")
    component = nlp.add_pipe("dictionary_regressor", config={"readout": readout})
    rows = [(text, {"y": float(y)}) for text, y in zip(texts, values, strict=True)]
    examples = examples_from(nlp, rows)
    component.initialize(lambda: examples, nlp=nlp, **settings)
    return nlp, examples


@pytest.mark.parametrize("readout", ["ridge", "random_forest", "gradient_boosting"])
def test_a_term_in_few_texts(readout, tmp_path):
    (tmp_path / "a.csv").write_text("bomb,1\n")
    texts = [f"a bomb in town {i}" if i % 20 == 0 else f"a day in town {i}" for i in range(500)]
    values = 4 + np.random.default_rng(0).normal(size=500)
    nlp, examples = fitted(texts, values, readout, lexicon=tmp_path / "a.csv")
    predicted = [nlp(text).cats["y"] for text in texts]
    assert np.mean(predicted) == pytest.approx(values.mean(), abs=0.05)
    assert nlp.evaluate(examples)["reg_r2"] > -0.01


@pytest.mark.parametrize("word", ["General", "Gen.", "gen.", "U.S.", "Mr.", "CAN'T"])
@pytest.mark.parametrize("learn", ["elastic_net", "sensitivity"])
def test_a_word_predicts_however_the_tokenizer_cuts_it(word, learn):
    draw = np.random.default_rng(0)
    holds = draw.random(150) < 0.5
    others = [" ".join(f"w{n}" for n in draw.integers(30, size=8)) for _ in holds]
    texts = [f"{word} {other}" if own else other for own, other in zip(holds, others, strict=True)]
    nlp, examples = fitted(texts, holds + 0.1 * draw.normal(size=150), learn=learn)
    assert nlp.evaluate(examples)["reg_r2"] > 0.8


def test_how_much_of_the_list_occurs_is_told(make_examples, tmp_path, capsys):
    path = tmp_path / "a.csv"
    path.write_text("massacre,1\nMassacre,1\ncalm,-1\ncar_bomb,2\nzzz,1\n")
    nlp = spacy.blank("en")
    examples = make_examples(nlp, 200)
    component = nlp.add_pipe("dictionary_regressor")
    component.initialize(lambda: examples, nlp=nlp, lexicon=path, learn="elastic_net")
    told = " ".join(capsys.readouterr().out.split())
    assert "a.csv: 2 of 4 terms occur in the 200 training texts." in told
    assert "1 repeated line." in told
    assert "'car_bomb' (an underscore" in told


def test_a_list_of_which_nothing_occurs(tmp_path):
    (tmp_path / "a.csv").write_text("guten_tag,1\nschlecht,-1\n")
    with pytest.warns(
        UserWarning, match=r"a.csv: 0 of 2 terms occur .*'guten_tag' \(an underscore"
    ):
        nlp, _ = fitted(["a good day", "a bad day"], [1, 2], lexicon=tmp_path / "a.csv")
    assert nlp("A day").cats["y"] == pytest.approx(1.5)


def test_repeated_terms_and_other_encodings(tmp_path):
    (tmp_path / "a.csv").write_bytes("good,1\ngood,3\nb\xf6se,-1\n".encode("latin-1"))
    settings = {"duplicates": "mean", "encoding": "latin-1"}
    nlp, _ = fitted(["a good day", "b\xf6se"], [1, 2], lexicon=tmp_path / "a.csv", **settings)
    lexicon = nlp.get_pipe("dictionary_regressor").lexicon
    assert dict(zip(lexicon.terms, lexicon.weights, strict=True)) == {"good": 2.0, "b\xf6se": -1.0}


def test_a_list_with_the_category_of_learned_terms(tmp_path):
    (tmp_path / "a.csv").write_text("term,category\ngood,learned\n")
    with pytest.raises(ValueError, match="has a category 'learned', which is for learned terms"):
        fitted(["a good day"], [1], lexicon=tmp_path / "a.csv", learn="elastic_net")
