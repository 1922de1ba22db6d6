"""The page of a comparison: what it says, and what it does in a browser."""

import html
import json
import re
import shutil
import sys
from itertools import pairwise

import numpy as np
import pandas as pd
import pytest
import spacy
from conftest import ROOT

from spacy_bertreg.comparison.compare import compare
from spacy_bertreg.comparison.files import write_comparison
from spacy_bertreg.comparison.test_set import read_test_set
from spacy_bertreg.data.convert import convert
from spacy_bertreg.report import make_report
from spacy_bertreg.report.formatting import prose

EVIL = "<script>alert('x')</script> & <b>$100_{x}$"
CHROMIUM = next(
    filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), ""
)


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """A comparison of a dictionary with three files, two of them runs of one model, on texts and
    names that are not kind to a page."""
    folder = tmp_path_factory.mktemp("report")
    sample = pd.read_csv(ROOT / "corpus" / "briefings.csv")
    sample.loc[sample.index[::7], "text"] += f"\n{EVIL}"
    sample["weekly $"] = sample["severity"].round(0)
    sample.to_csv(folder / "table.csv", index=False)
    convert(
        folder / "table.csv",
        folder,
        targets=["severity", "weekly $"],
        id_column="id",
        group="region",
        shares=(0.6, 0, 0.4),
    )
    nlp = spacy.blank("en")
    component = nlp.add_pipe("dictionary_regressor")
    corpus = spacy.training.Corpus(folder / "train.spacy")
    terms = ROOT / "corpus" / "terms.csv"
    component.initialize(lambda: corpus(nlp), nlp=nlp, lexicon=terms)
    run = folder / "dictionary" / "seed-0"
    run.mkdir(parents=True)
    nlp.to_disk(run / "model-best")
    logs = [{"step": step, "scores": {"reg_r2": 10.0 * step}} for step in range(5)]
    (run / "log.jsonl").write_text("\n".join(map(json.dumps, logs)))
    test = read_test_set(folder / "test.spacy")
    rng = np.random.default_rng(0)
    sources = [str(run / "model-best")]
    for i, noise in enumerate((0.5, 0.8, 1.0)):
        for target, values in test.gold.items():
            predicted = values + noise * rng.normal(size=len(values))
            path = folder / f"{i}-{target}.csv"
            pd.DataFrame({"id": test.ids, "target": values, "prediction": predicted}).to_csv(
                path, index=False
            )
        sources.append(f"{'two runs' if i < 2 else EVIL}={folder / f'{i}-severity.csv'}")
    sources.append(f"weekly={folder / '0-weekly $.csv'}")
    comparison = compare(folder / "test.spacy", sources, n_resamples=100)
    write_comparison(comparison, folder / "report")
    sizes = [
        {"model": "dictionary", "n_documents": n, "seed": s, "r2": 0.1 * n / 100 + 0.01 * s}
        for n in (25, 50, 100, 200)
        for s in (0, 1)
    ]
    pd.DataFrame(sizes).to_csv(folder / "report" / "sizes.csv", index=False)
    make_report(folder / "report")
    return folder


@pytest.fixture
def page(folder):
    return (folder / "report" / "index.html").read_text(encoding="utf-8")


def test_page_begins_with_the_verdict(folder, page):
    data = json.loads((folder / "report" / "comparison.json").read_text(encoding="utf-8"))
    text = html.unescape(page)
    assert page.count("<h1>") == 1
    for verdict in data["verdicts"]:
        headline = text.index(f"<h2>{verdict['headline']}</h2>")
        assert headline < text.index(f'<p class="detail">{prose(verdict["sentence"])}')
    first = text.index(data["verdicts"][0]["headline"])
    assert first < text.index("<table")
    for warning in data["warnings"]:
        assert first < text.index(prose(warning))
    assert "training mean" in text
    runs = [r["r2"] for r in data["runs"] if r["model"] == "two runs"]
    spread = text[text.index("two runs, standard deviation") :]
    assert text.index("two runs, run-1") < text.index("two runs, standard deviation")
    assert f">{np.std(runs, ddof=1):.3f}</td>" in spread[:200]
    for score in data["scores"]:
        assert f">{score['r2']:.3f}".replace("-", "\u2212") in page


def test_texts_are_no_markup(page):
    assert "<script" not in page
    assert "<b>" not in page
    assert "&lt;script&gt;alert(" in page


def test_page_refers_to_nothing_outside(page):
    addresses = re.findall(r'(?:src|href|srcset|action)="([^"]*)"', page)
    assert addresses
    assert all(a.startswith(("data:", "#")) for a in addresses)
    ids = re.findall(r' id="([^"]+)"', page)
    assert len(ids) == len(set(ids))
    assert {a[1:] for a in addresses if a.startswith("#")} <= set(ids)
    assert "@import" not in page
    assert set(re.findall(r"url\((.)", page)) <= {"#"}
    assert set(re.findall(r"url\(#([^)]+)\)", page)) <= set(ids)


def test_figures_are_files_too(folder, page):
    plots = sorted(p.name for p in (folder / "report" / "plots").iterdir())
    stems = {name.rsplit(".", 1)[0] for name in plots}
    assert plots == sorted(f"{stem}.{ending}" for stem in stems for ending in ("png", "svg"))
    assert {"learning-curves", "sizes"} <= stems
    assert page.count("<svg") == len(stems)
    assert len(re.findall(r'<svg [^>]*role="img" aria-label="[^"]{30,}"', page)) == len(stems)


def test_numbers_have_one_format(page):
    text = re.sub(r"<style>.*?</style>|<svg.*?</svg>", "", page, flags=re.DOTALL)
    text = re.sub(r"<[^>]*>", " ", re.sub(r'<div class="text-body".*?</div>', "", text))
    assert not re.search(r"\d[eE][-+\u2212]?\d|\bnan\b|\bNone\b|\binf\b", text)
    assert "\u22120.000" not in text
    assert not re.search(r"(?<![\w.-])-\d", text)


def test_headings_are_in_order_and_tables_are_named(page):
    levels = [int(level) for level in re.findall(r"<h([1-6])", page)]
    assert levels[0] == 1
    assert all(b - a <= 1 for a, b in pairwise(levels))
    for table in re.findall(r"<table.*?</table>", page, re.DOTALL):
        assert re.search(r"<caption[^>]*>[^<]{4,}</caption>", table)
        assert table.count("<th ") == table.count("scope=")


def test_pairs_with_the_baselines_are_folded(page):
    folded = "".join(re.findall(r"<details>.*?</details>", page, re.DOTALL))
    assert "two runs vs. training mean" not in re.sub(
        r"<details>.*?</details>", "", page, flags=re.DOTALL
    )
    assert "training mean vs. " in folded or " vs. training mean" in folded
    assert "two runs vs. dictionary" not in folded


def test_the_terms_of_the_dictionary_are_marked(page):
    assert page.count('<mark style="background:') > 5


def test_the_same_comparison_gives_the_same_page(folder, page):
    make_report(folder / "report")
    assert (folder / "report" / "index.html").read_text(encoding="utf-8") == page


def test_errors(folder, tmp_path, monkeypatch):
    with pytest.raises(FileNotFoundError, match="bertreg compare ... --output"):
        make_report(tmp_path)
    shutil.copytree(folder / "report", tmp_path / "report")
    table = pd.read_csv(tmp_path / "report" / "predictions.csv", dtype=str)
    table.drop(columns="two runs:run-1").to_csv(
        tmp_path / "report" / "predictions.csv", index=False
    )
    with pytest.raises(ValueError, match="predictions.csv has no column 'two runs:run-1'"):
        make_report(tmp_path / "report")
    (tmp_path / "report" / "comparison.json").write_text('{"test": 1}')
    with pytest.raises(ValueError, match="comparison.json is not what `compare` writes"):
        make_report(tmp_path / "report")
    monkeypatch.setitem(sys.modules, "matplotlib.figure", None)
    with pytest.raises(ImportError, match=r"pip install 'spacy-bertreg\[plot\]'"):
        make_report(folder / "report")


@pytest.mark.skipif(not CHROMIUM, reason="needs Chromium, as Debian's package chromium brings it")
@pytest.mark.parametrize(("width", "mode"), [(390, "dark"), (1200, "light")])
def test_page_in_a_browser(folder, width, mode):
    sync_api = pytest.importorskip("playwright.sync_api")
    address = (folder / "report" / "index.html").resolve().as_uri()
    messages, requests = [], []
    with sync_api.sync_playwright() as playwright:
        browser = playwright.chromium.launch(
            executable_path=CHROMIUM,
            args=["--no-sandbox", "--disable-gpu", "--disable-background-networking"],
        )
        page = browser.new_page(viewport={"width": width, "height": 800}, color_scheme=mode)
        page.on("console", lambda message: messages.append(message.text))
        page.on("pageerror", lambda error: messages.append(str(error)))
        page.on("request", lambda request: requests.append(request.url))
        page.goto(address)
        page.evaluate("document.querySelectorAll('details').forEach(d => d.open = true)")
        figures = page.eval_on_selector_all(
            "figure svg", "all => all.map(f => [f.clientWidth, f.clientHeight])"
        )
        # What is hidden from sight alone is clipped, which is no scrolling.
        wider = page.evaluate(
            "[...document.querySelectorAll('html, main *:not(svg *)')].filter(e => "
            "e.clientWidth > 1 && e.scrollWidth > e.clientWidth + 1 && !e.closest('thead'))"
            ".map(e => e.tagName + ' ' + e.className + ' ' + e.textContent.slice(0, 50))"
        )
        colours = page.evaluate(
            "[getComputedStyle(document.body).backgroundColor,"
            " getComputedStyle(document.querySelector('figure svg')).fill]"
        )
        page.emulate_media(media="print")
        folded = page.evaluate(
            "document.querySelectorAll('details').forEach(d => d.open = false);"
            "[...document.querySelectorAll('details table')].map(t => t.clientHeight)"
        )
        browser.close()
    assert messages == []
    assert [url for url in requests if not url.startswith("data:")] == [address]
    assert len(figures) > 5
    assert all(all(figure) for figure in figures)
    assert wider == []
    assert (colours[0] == "rgb(255, 255, 255)") == (mode == "light")
    assert colours[0] != colours[1]
    assert folded
    assert all(folded), "what is folded is printed"
