"""Colours of the pages: texts must be legible in light and in dark mode."""

import re

import pytest
from conftest import ROOT

STYLE = (ROOT / "spacy_bertreg" / "report" / "style.css").read_text(encoding="utf-8")


def read_colours(style):
    """Read the variables of a part of the style sheet as red, green and blue."""
    colours = {}
    for name, code in re.findall(r"--(\w[\w-]*): ([^;]+);", style):
        if code.startswith("#"):
            digits = code[1:] if len(code) == 7 else "".join(2 * digit for digit in code[1:])
            colours[name] = tuple(int(digits[i : i + 2], 16) for i in (0, 2, 4))
        else:
            colours[name] = tuple(map(int, code.split()))
    return colours


def contrast(first, second):
    """Contrast of two colours after WCAG 2, from 1 to 21."""
    luminances = []
    for colour in (first, second):
        parts = [part / 255 for part in colour]
        linear = [p / 12.92 if p <= 0.04045 else ((p + 0.055) / 1.055) ** 2.4 for p in parts]
        luminances.append(0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2])
    dark, light = sorted(luminances)
    return (light + 0.05) / (dark + 0.05)


@pytest.mark.parametrize("mode", ["light", "dark"])
def test_texts_have_contrast(mode):
    light, dark = re.findall(r":root \{(.*?)\}", STYLE, re.DOTALL)
    colours = read_colours(light) | (read_colours(dark) if mode == "dark" else {})
    pairs = [
        (text, back) for text in ("ink", "soft", "accent", "alarm") for back in ("page", "card")
    ]
    pairs += [("ink", "raises"), ("ink", "lowers"), ("ink", "alarm-card"), ("alarm", "alarm-card")]
    for text, back in pairs:
        assert contrast(colours[text], colours[back]) >= 4.5, (text, back)
