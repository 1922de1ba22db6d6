"""The verdict's card, and figures as part of a page."""

import pandas as pd

from spacy_bertreg.comparison.models import MEAN
from spacy_bertreg.report.card import make_card
from spacy_bertreg.report.inline_svg import inline_svg
from spacy_bertreg.report.read import Results

SCORES = [
    {"model": "a", "target": "y", "r2": 0.5, "r2_low": 0.4, "r2_high": 0.6, "mae": 10.0},
    {"model": "b", "target": "y", "r2": 0.7, "r2_low": None, "r2_high": None, "mae": 8.26},
    {"model": MEAN, "target": "y", "r2": 0.0, "mae": 20.0},
]
PAIR = {"model": "a", "baseline": "b", "target": "y", "r2_difference": -0.2}
ENDS = {"r2_difference_low": -0.3, "r2_difference_high": 0.01}
VERDICT = {"target": "y", "headline": "b is best.", "sentence": "b is best: 0.7.", "best": "b"}


def card(verdict):
    comparison = {"scores": SCORES, "differences": [PAIR | ENDS], "models": []}
    return make_card(verdict, Results(comparison, pd.DataFrame(), pd.DataFrame()), "95 %", 1)


def test_three_numbers_of_a_card():
    found = card(VERDICT | {"other": "a"})
    assert (found.headline, found.detail) == ("b is best.", "b is best: 0.7.")
    r2, lead, error = found.figures
    assert (r2.value, r2.label, r2.notes) == ("0.700", "R² of b", [])
    # The pair is the other way round.
    assert (lead.value, lead.label) == ("+0.200", "more R² than a")
    assert lead.notes == ["95 % interval \u22120.010 to 0.300"]
    assert (error.value, error.notes) == ("8.3", ["training mean: 20.0"])


def test_cards_without_numbers():
    old = card({"target": "y", "sentence": "b is best: 0.7."})
    assert (old.headline, old.figures, old.detail) == ("b is best: 0.7.", [], "")
    (r2, error) = card(VERDICT | {"best": MEAN, "other": None}).figures
    assert r2.label == f"R² of {MEAN}"
    assert error.notes == []


def test_figures_share_shapes_and_take_the_colour_of_the_page():
    svg = (
        b'<?xml version="1.0"?><svg xmlns="http://www.w3.org/2000/svg" width="9pt" '
        b'xmlns:xlink="http://www.w3.org/1999/xlink" viewBox="0 0 9 9"><metadata>x</metadata>'
        b'<g id="unused"><defs><path id="glyph" d="M 0 0.123456"/></defs>'
        b'<path d="M 0 0" style="fill: #ffffff; stroke: #000000"/><use xlink:href="#glyph"/></g>'
        b"</svg>"
    )
    seen = set()
    first, second = (inline_svg(svg, 'a "<b>"', seen) for _ in range(2))
    assert first.startswith(
        '<svg viewBox="0 0 9 9" role="img" aria-label="a &quot;&lt;b&gt;&quot;">'
    )
    assert 'style="fill:none;stroke:currentColor"' in first
    assert '<path id="glyph" d="M 0 0.12"' in first
    assert "id=" not in second
    assert 'href="#glyph"' in second
    assert seen == {"glyph"}
    assert "unused" not in first
    assert "http" not in first
