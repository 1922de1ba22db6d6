import sys

import pandas as pd
import pytest
import spacy
from conftest import ROOT
from spacy.cli._util import app
from typer.testing import CliRunner

import spacy_bertreg.cli  # noqa: F401 - registers the commands
from spacy_bertreg.report.terms import (
    find_dictionary,
    join_overlaps,
    lexicon_table,
    plot_lexicon,
)


@pytest.fixture
def nlp(make_examples):
    nlp = spacy.blank("en")
    component = nlp.add_pipe("dictionary_regressor")
    examples = make_examples(nlp, 200)
    terms = str(ROOT / "corpus" / "terms.csv")
    component.initialize(lambda: examples, nlp=nlp, lexicon=terms, learn="elastic_net")
    return nlp


def bertreg(*arguments):
    return CliRunner().invoke(app, ["bertreg", *map(str, arguments)], env={"COLUMNS": "200"})


def test_table_has_all_terms_and_begins_with_what_matters(nlp):
    component = find_dictionary(nlp)
    table = lexicon_table(component)
    assert len(table) == len(component.lexicon)
    assert list(table.columns)[3:] == ["document_frequency", "contribution:severity"]
    matters = table["contribution:severity"].abs() * table["document_frequency"] ** 0.5
    assert matters.fillna(0).is_monotonic_decreasing
    assert matters[0] > 0


def test_plot_shows_the_strongest_of_either_sign(nlp):
    table = lexicon_table(find_dictionary(nlp))
    lowers, raises = plot_lexicon(table, "severity", n_terms=5).axes
    for axes, sign in ((lowers, -1), (raises, 1)):
        widths = [bar.get_width() * sign for bar in axes.patches]
        assert 1 <= len(widths) <= 5
        assert widths == sorted(widths)
        assert min(widths) > 0


def test_pipeline_without_dictionary(nlp):
    with pytest.raises(ValueError, match="no dictionary_regressor. It has: no components"):
        find_dictionary(spacy.blank("en"))
    with pytest.raises(ValueError, match="no dictionary_regressor named 'x'"):
        find_dictionary(nlp, "x")


def test_plotting_without_matplotlib(nlp, monkeypatch):
    monkeypatch.setitem(sys.modules, "matplotlib.figure", None)
    with pytest.raises(ImportError, match=r"pip install 'spacy-bertreg\[plot\]'"):
        plot_lexicon(lexicon_table(find_dictionary(nlp)), "severity")


def test_commands(nlp, tmp_path):
    nlp.to_disk(tmp_path / "pipeline")
    csv, png, html = (tmp_path / name for name in ("terms.csv", "terms.png", "text.html"))
    result = bertreg("lexicon", tmp_path / "pipeline", "--output", csv, "--plot", png, "--top", 3)
    assert result.exit_code == 0, result.output
    assert "3 of" in result.output
    assert len(pd.read_csv(csv)) == len(find_dictionary(nlp).lexicon)
    assert png.read_bytes().startswith(b"\x89PNG")
    result = bertreg("explain", tmp_path / "pipeline", "A massacre", "--output", html)
    assert result.exit_code == 0, result.output
    assert f"{nlp('A massacre').cats['severity']:.3f}" in result.output
    assert "massacre" in html.read_text(encoding="utf-8")


def test_wrong_arguments(nlp, tmp_path):
    nlp.to_disk(tmp_path / "pipeline")
    result = bertreg("lexicon", tmp_path / "pipeline", "--plot", tmp_path / "a.doc")
    assert result.exit_code == 1
    assert "Expected a name in .png, .svg or .pdf" in " ".join(result.output.split())
    result = bertreg("explain", tmp_path / "pipeline", "A text", "--target", "mood")
    assert result.exit_code == 1
    assert "'mood'" in result.output


def test_marks_that_overlap_are_joined():
    marks = [(4, 9, 0.5), (0, 3, 1.0), (2, 6, -0.25), (9, 12, 2.0)]
    assert join_overlaps(marks) == [(0, 9, 1.25), (9, 12, 2.0)]
