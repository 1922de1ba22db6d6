import numpy as np
import pandas as pd
import pytest
import spacy
from spacy.cli._util import app
from spacy.tokens import DocBin
from typer.testing import CliRunner

import spacy_bertreg.cli  # noqa: F401 - registers the commands
from spacy_bertreg.comparison.test_set import make_test_set, read_test_set
from spacy_bertreg.report.terms import plot_lexicon
from spacy_bertreg.report.words import _add, _columns, _Word, word_table


@pytest.fixture
def data(sample, tmp_path):
    blank = spacy.blank("en")
    path = tmp_path / "texts.spacy"
    DocBin(docs=[blank(text) for text in sample["text"].head(30)]).to_disk(path)
    return path


def test_means_are_those_of_the_explanations(nlp, data):
    component = nlp.get_pipe("text_regressor")
    table = word_table(component, read_test_set(data))
    docs = list(nlp.pipe(doc.text for doc in DocBin().from_disk(data).get_docs(nlp.vocab)))
    sums: dict[str, list[float]] = {}
    for doc, explanation in zip(docs, component.explain(docs), strict=True):
        for word in {token.lower_ for token in doc}:
            rows = [t.lower_ == word for t in doc]
            sums.setdefault(word, []).append(explanation.contributions[rows].sum())
    for row in table.to_dict("records"):
        own = sums.pop(row["term"])
        assert row["document_frequency"] == len(own)
        assert row["contribution:severity"] == pytest.approx(np.mean(own), abs=1e-6)
        assert row["sd:severity"] == pytest.approx(np.std(own), abs=1e-6)
        assert row["term"] in row["lowest:severity"].lower()
    assert all(len(own) == 1 for own in sums.values())
    importance = table["contribution:severity"].abs() * table["document_frequency"] ** 0.5
    assert importance.is_monotonic_decreasing
    assert len(plot_lexicon(table, "severity", n_terms=3).axes) == 2


def test_words_whose_sign_changes():
    blank = spacy.blank("en")
    words: dict[str, _Word] = {}
    rows = [("good", 1.0, "good"), ("not good", -0.5, "not good"), ("no good", -0.4, "x")]
    for term in ("good", "not", "no", "fine"):
        words[term] = _Word.new(1)
    texts = [text for text, *_ in rows] + ["good fine"] * 7
    values = [value for _, value, _ in rows] + [1.0] * 7
    for text, value in zip(texts, values, strict=True):
        doc = blank(text)
        contributions = np.array([[value if token.text == "good" else 0.005] for token in doc])
        units = [(token.i, token.i + 1) for token in doc]
        _add(words, doc, units, contributions, np.array([0.01]))
    found = _columns(list(words.values()), 0, "y")
    assert found["opposite:y"].tolist() == [0.2, 0, 0, 0]
    assert found["changes_sign:y"].tolist() == [True, False, False, False]
    assert found["lowest:y"][0] == "not good"
    assert found["highest:y"][0] == "good"


def test_fewer_documents_and_none(nlp, data):
    component = nlp.get_pipe("text_regressor")
    few = word_table(component, read_test_set(data), max_docs=4, min_documents=1)
    assert few["document_frequency"].max() <= 4
    again = word_table(component, read_test_set(data), max_docs=4, min_documents=1)
    pd.testing.assert_frame_equal(few, again)
    one = make_test_set([spacy.blank("en")("Some words.")], "one.spacy")
    with pytest.raises(ValueError, match="No word is in 2 or more of the documents of one.spacy"):
        word_table(component, one)


def test_command(pipeline, data, tmp_path):
    csv, png = tmp_path / "words.csv", tmp_path / "words.png"
    arguments = ["bertreg", "lexicon", pipeline, "--data", data, "--output", csv, "--plot", png]
    result = CliRunner().invoke(app, [*map(str, arguments), "--top", "3"], env={"COLUMNS": "200"})
    assert result.exit_code == 0, result.output
    assert "3 of" in result.output
    table = pd.read_csv(csv)
    assert list(table.columns)[:2] == ["term", "document_frequency"]
    assert png.read_bytes().startswith(b"\x89PNG")
    arguments = ["bertreg", "lexicon", pipeline]
    result = CliRunner().invoke(app, list(map(str, arguments)))
    assert result.exit_code == 1
    assert "are listed with --data" in " ".join(result.output.split())
