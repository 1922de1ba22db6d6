"""What a page is made of: bins, numbers, figures and texts at their limits."""

import json
import sys

import numpy as np
import pandas as pd
import pytest
import spacy
from spacy.cli._util import app
from spacy.tokens import DocBin
from typer.testing import CliRunner

import spacy_bertreg.cli  # noqa: F401 - registers the commands
from spacy_bertreg.report import formatting, make_report
from spacy_bertreg.report.bins import quantile_bins
from spacy_bertreg.report.disagreement import cut_text
from spacy_bertreg.report.drawing import drawing_style
from spacy_bertreg.report.plots import plot_folds, plot_metrics, plot_predictions


@pytest.mark.parametrize(
    ("values", "names", "counts"),
    [
        (range(8), ["0 – 1", "2 – 3", "4 – 5", "6 – 7"], [2, 2, 2, 2]),
        ([0] * 6 + [1, 2, 8, 9], ["0", "1 – 2", "8", "9"], [6, 2, 1, 1]),
        ([0, 0, 0, 5], ["0", "5"], [3, 1]),
        ([1, 9, 9, 9, 9, 9], ["1 – 9"], [6]),
        ([3, 3], ["3"], [2]),
        ([-1500.5], ["\u22121,500"], [1]),
    ],
)
def test_bins_with_ties(values, names, counts):
    found, bins = quantile_bins(np.array(values, dtype=float), 4)
    assert found == names
    assert np.bincount(bins).tolist() == counts


def test_numbers():
    assert [formatting.number(v) for v in (None, -0.5, 0, -0.00012, 12345.6)] == [
        "–",
        "\u22120.500",
        "0.000",
        "0.000",
        "12,345.600",
    ]
    assert [formatting.number(v, 0) for v in (12345.6, 2.5e12)] == ["12,346", "2.50 \u00d7 10¹²"]
    assert [formatting.number(v, 8) for v in (-1.4e-5, 0)] == ["\u22121.40 \u00d7 10⁻⁵", "0.000000"]
    assert [formatting.signed(v) for v in (1, -1, 0.0001)] == ["+1.000", "\u22121.000", "0.000"]
    assert [formatting.percent(0.271), formatting.percent(None)] == ["+27.1\u00a0%", "–"]
    assert [formatting.decimals_for(v) for v in (0.08, 0.8, 1.8, 1500, 0, np.nan)] == [
        4,
        3,
        2,
        0,
        3,
        3,
    ]
    assert [formatting.significant(v) for v in (0, 1.4e-5, 1e-9, 0.333, 123456)] == [
        "0",
        "0.000014",
        "1.00 \u00d7 10⁻⁹",
        "0.333",
        "123,456",
    ]
    text = "gpt-4: -0.02 (-5.5% in MSE, 95 %)"
    assert formatting.prose(text) == "gpt-4: \u22120.02 (\u22125.5\u00a0% in MSE, 95\u00a0%)"
    assert [formatting.duration(s) for s in (1e-5, 1.5, 42, 180, 7200)] == [
        "< 0.1 s",
        "1.5 s",
        "42 s",
        "3 min",
        "2.0 h",
    ]
    assert [formatting.size(b) for b in (1.5e6, 9.1e7)] == ["1.5 MB", "91 MB"]


def test_long_texts_are_cut_at_a_space():
    assert cut_text("short") == "short"
    cut = cut_text("word " * 400)
    assert cut.endswith("word …")
    assert len(cut) <= 602
    assert cut_text("字" * 1000) == "字" * 600 + " …"


def test_many_points_are_binned_and_what_lies_outside_is_counted():
    rng = np.random.default_rng(0)
    gold = rng.normal(size=2500)
    predictions = pd.DataFrame({"good": gold, "bad": gold})
    predictions.loc[:2, "bad"] = [1e9, -1e9, np.nan]
    with drawing_style():
        plot = plot_predictions("p", "y", gold, predictions, [{"model": "good", "r2": 1.0}])
        titles = [axes.get_title() for axes in plot.figure.axes]
        assert titles == ["good\nR² 1.000", "bad (2 outside)"]
        assert plot.figure.axes[0].get_xlim()[1] < 10
        assert plot_metrics("p", [{"model": "good", "r2": None}], ["good"]) is None


def make_folds():
    rows = [("a", 1, 1, 0.5), ("a", 1, 2, -3.0), ("b", 1, 1, 0.6), ("b", 1, 2, 0.7)]
    rows += [("a", 2, 1, None), ("b", 2, 1, 0.65)]
    return pd.DataFrame(rows, columns=["model", "repeat", "fold", "r2"])


def test_folds_are_dots():
    with drawing_style():
        plot = plot_folds("p", make_folds(), ["a", "b"])
        (axes,) = plot.figure.axes
        a, b = (points.get_offsets() for points in axes.collections)
        # One fold is at one height; what is far to the left is drawn at the edge.
        assert np.allclose(a[:, 1], b[:2, 1] - 1)
        assert a[1, 0] == axes.get_xlim()[0] == -0.53
        assert b[:, 0].tolist() == [0.6, 0.7, 0.65]
        undefined = make_folds().assign(r2=np.nan)
        assert plot_folds("p", undefined, ["a", "b"]) is None
    assert "a \u22123.000 to 0.500; b 0.600 to 0.700" in plot.alt
    assert "each of 3 folds" in plot.caption


def write(folder, gold, models, text="A text."):
    """Write what `compare` would, for one target and models of one run."""
    folder.mkdir(exist_ok=True)
    nlp, bin_ = spacy.blank("xx"), DocBin(store_user_data=True)
    for value in gold:
        doc = nlp(text)
        doc.cats["y"] = value
        bin_.add(doc)
    bin_.to_disk(folder / "test.spacy")
    empty = {"verdicts": [], "warnings": [], "runs": [], "differences": []}
    comparison = {
        "test": str(folder / "test.spacy"),
        "interval": {},
        "models": [{"name": name, "kind": "predictions", "runs": []} for name in models],
        "scores": [
            {"model": name, "target": "y", "n": len(gold), "r2": float("nan")} for name in models
        ],
    }
    (folder / "comparison.json").write_text(json.dumps(empty | comparison))
    table = {"target": "y", "id": range(len(gold)), "group": "", "length": 2, "gold": gold}
    pd.DataFrame(table | models).to_csv(folder / "predictions.csv", index=False)
    return folder


def test_one_model_of_a_target_that_does_not_vary(tmp_path):
    page, *plots = make_report(write(tmp_path, [0.0] * 9, {"_only": np.linspace(-1, 1, 9)}))
    assert {p.name for p in plots if p.suffix == ".svg"} == {
        "1-y-predicted.svg",
        "1-y-residuals.svg",
        "1-y-lengths.svg",
    }
    text = page.read_text(encoding="utf-8")
    assert ">–</td>" in text
    assert "disagree about" not in text


def test_folds_of_a_comparison(tmp_path):
    folder = write(tmp_path, [0.0, 1.0], {"a": [0, 1], "b": [0, 3]})
    comparison = json.loads((folder / "comparison.json").read_text())
    folds = make_folds().assign(target="y").astype({"r2": object}).to_dict("records")
    (folder / "comparison.json").write_text(json.dumps(comparison | {"folds": folds}))
    page, *plots = make_report(folder)
    assert folder / "plots" / "1-y-folds.png" in plots
    assert "each of 3 folds" in page.read_text(encoding="utf-8")
    del folds[1]["fold"]
    (folder / "comparison.json").write_text(json.dumps(comparison | {"folds": folds}))
    with pytest.raises(ValueError, match="entry 1 of 'folds' has no fold"):
        make_report(folder)


def test_texts_from_right_to_left_and_texts_that_are_gone(tmp_path):
    folder = write(tmp_path, [0.0, 1.0], {"a": [0, 1], "b": [0, 3]}, text="شكرا <b>")
    page = make_report(folder)[0].read_text(encoding="utf-8")
    assert '<div class="text-body" dir="auto">شكرا &lt;b&gt;</div>' in page
    assert page.index("<dd>1</dd>") < page.index("<dd>0</dd>"), "the larger disagreement first"
    (folder / "test.spacy").unlink()
    page = make_report(folder)[0].read_text(encoding="utf-8")
    assert "The texts are not shown" in page


def test_command(tmp_path, monkeypatch):
    folder = write(tmp_path / "report", [0.0, 1.0], {"a": [0, 1]})
    result = CliRunner().invoke(app, ["bertreg", "report", str(folder)])
    assert result.exit_code == 0, result.output
    assert "index.html" in result.output
    monkeypatch.setitem(sys.modules, "matplotlib.figure", None)
    result = CliRunner().invoke(app, ["bertreg", "report", str(folder)])
    assert result.exit_code == 1
    assert "spacy-bertreg[plot]" in result.output


@pytest.mark.parametrize(
    ("file", "content", "message"),
    [
        ("comparison.json", "{", "comparison.json is not JSON"),
        ("predictions.csv", "target,id,group,length,gold,a\ny,0,,2,x,1", "Expected numbers"),
        ("sizes.csv", "model,seed,r2\na,0,1", "has no column 'n_documents'"),
    ],
)
def test_malformed_files(tmp_path, file, content, message):
    folder = write(tmp_path, [0.0, 1.0], {"a": [0, 1]})
    (folder / file).write_text(content)
    with pytest.raises(ValueError, match=message):
        make_report(folder)
