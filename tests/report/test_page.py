"""The page of a comparison: what it says, and what it does in a browser."""

import base64
import html
import json
import re
import shutil
import sys

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
    first = text.index(data["verdicts"][0]["sentence"])
    assert first < text.index("<table>")
    for warning in data["warnings"]:
        assert first < text.index(warning)
    assert "training mean" in text
    runs = [r["r2"] for r in data["runs"] if r["model"] == "two runs"]
    spread = text[text.index("two runs, standard deviation") :]
    assert text.index("two runs, run-1") < text.index("two runs, standard deviation")
    assert f"<td>{np.std(runs, ddof=1):.3f}</td>" in spread[:200]
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
    assert "@import" not in page
    assert "url(" not in page
    for uri in addresses:
        if uri.startswith("data:image/svg"):
            svg = base64.b64decode(uri.split(",", 1)[1]).decode()
            assert not re.search(r'href="(?!#|data:)', svg)


def test_figures_are_files_too(folder, page):
    plots = sorted(p.name for p in (folder / "report" / "plots").iterdir())
    stems = {name.rsplit(".", 1)[0] for name in plots}
    assert plots == sorted(f"{stem}.{ending}" for stem in stems for ending in ("png", "svg"))
    assert {"learning-curves", "sizes"} <= stems
    assert page.count("<img") == len(stems)
    assert len(re.findall(r'<img [^>]*alt="[^"]{30,}"', page)) == len(stems)


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
@pytest.mark.parametrize("width", [375, 1200])
def test_page_in_a_browser(folder, width):
    sync_api = pytest.importorskip("playwright.sync_api")
    address = (folder / "report" / "index.html").resolve().as_uri()
    messages, requests = [], []
    with sync_api.sync_playwright() as playwright:
        browser = playwright.chromium.launch(
            executable_path=CHROMIUM,
            args=["--no-sandbox", "--disable-gpu", "--disable-background-networking"],
        )
        page = browser.new_page(viewport={"width": width, "height": 800})
        page.on("console", lambda message: messages.append(message.text))
        page.on("pageerror", lambda error: messages.append(str(error)))
        page.on("request", lambda request: requests.append(request.url))
        page.goto(address)
        images = page.eval_on_selector_all(
            "img",
            "images => images.map(i => [i.naturalWidth, i.naturalHeight, i.getAttribute('width'),"
            " i.getAttribute('height'), i.alt, i.clientWidth])",
        )
        overflow = page.evaluate("document.documentElement.scrollWidth - window.innerWidth")
        browser.close()
    assert messages == []
    assert [url for url in requests if not url.startswith("data:")] == [address]
    assert len(images) > 5
    assert all(all(image) for image in images)
    assert overflow <= 0
