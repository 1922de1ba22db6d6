"""`doc._.score` and others, also where another package has set them."""

import subprocess
import sys

import pytest
from conftest import ROOT
from spacy.tokens import Doc, Span

PROGRAM = """
import warnings
from spacy.tokens import Doc
{before}
with warnings.catch_warnings(record=True) as caught:
    warnings.simplefilter("always")
    import spacy
    import spacy_bertreg.pipeline.text_regressor
    nlp = spacy.blank("en")
    nlp.add_pipe("dictionary_regressor")
from spacy.training import Example
rows = [("good", 1.0), ("bad", -1.0)] * 4
examples = [Example.from_dict(nlp.make_doc(t), {{"cats": {{"y": y}}}}) for t, y in rows]
nlp.get_pipe("dictionary_regressor").initialize(
    lambda: examples, nlp=nlp, lexicon={lexicon!r}
)
doc = nlp("good")
scores = nlp.evaluate(examples)
assert scores["reg_per_target"]["y"]["n"] == 8
print(doc.cats["y"], doc._.score)
print([str(w.message)[:60] for w in caught if "belongs to another package" in str(w.message)])
"""


@pytest.mark.parametrize(
    ("before", "shown", "warns"),
    [
        ("", "same", False),
        ('Doc.set_extension("score", default=7)', "same", False),
        ('Doc.set_extension("score", getter=lambda doc: 7)', "theirs", True),
        ('Doc.set_extension("score", method=lambda doc: 7)', "theirs", True),
    ],
)
def test_another_package_has_set_score(before, shown, warns, tmp_path):
    (tmp_path / "terms.csv").write_text("term,weight\ngood,1\nbad,-1\n")
    program = PROGRAM.format(before=before, lexicon=str(tmp_path / "terms.csv"))
    result = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, cwd=ROOT
    )
    assert result.returncode == 0, result.stderr
    values, warned = result.stdout.splitlines()[-2:]
    prediction, score = values.split(" ", 1)
    assert (prediction == score) == (shown == "same")
    assert ("doc._.score belongs" in warned) == warns


def test_extensions_are_there():
    assert all(map(Doc.has_extension, ("score", "interval", "quantiles", "std")))
    assert all(map(Span.has_extension, ("contribution", "contributions")))
