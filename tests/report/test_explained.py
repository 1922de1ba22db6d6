import re
import shutil

import pandas as pd
import pytest
import spacy
from conftest import ROOT, examples_from
from spacy.cli._util import app
from typer.testing import CliRunner

import spacy_bertreg.cli  # noqa: F401 - registers the commands
from spacy_bertreg.report.disagreement import disagreements, load_explaining
from spacy_bertreg.report.explained import (
    ExplainedText,
    Part,
    explain_text,
    find_regressor,
    greatest_by_scale,
    mark_text,
)
from spacy_bertreg.report.explained_page import render_explanations
from spacy_bertreg.report.read import Results

CHROMIUM = next(
    filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), ""
)
TEXT = "A massacre <b>in</b> a calm month, & shelling."


@pytest.fixture(scope="module")
def pipelines(tiny_bert, sample, tmp_path_factory):
    """Folders of a BERT with a covariate, and of a dictionary with intervals."""
    folder = tmp_path_factory.mktemp("explained")
    rows = sample.head(40)
    values = [{"severity": value} for value in rows["severity"]]
    bert = spacy.blank("en")
    model = {"@architectures": "spacy-bertreg.TransformerModel.v1", "name": tiny_bert}
    bert.add_pipe("transformer", config={"model": {**model, "freeze": "all"}})
    bert.add_pipe("text_regressor", config={"covariates": ["deaths"]})
    examples = examples_from(bert, list(zip(rows["text"], values, strict=True)))
    for number, example in enumerate(examples):
        example.reference.user_data["covariates"] = {"deaths": float(number)}
    bert.initialize(lambda: examples)
    bert.to_disk(folder / "bert")
    dictionary = spacy.blank("en")
    component = dictionary.add_pipe("dictionary_regressor")
    terms = str(ROOT / "corpus" / "terms.csv")
    component.initialize(lambda: examples, nlp=dictionary, lexicon=terms)
    dictionary.to_disk(folder / "dictionary")
    return folder


def bertreg(*arguments):
    return CliRunner().invoke(app, ["bertreg", *map(str, arguments)], env={"COLUMNS": "200"})


def read(pipelines, **settings):
    given = {"covariates": {"deaths": 50.0}, **settings}
    return [
        explain_text(spacy.load(pipelines / name), TEXT, name, **given)
        for name in ("bert", "dictionary")
    ]


def test_both_kinds_add_up(pipelines):
    for one in read(pipelines):
        assert one.total + one.error == pytest.approx(one.prediction, abs=1e-3)
        assert one.scale == ""
        assert all(part.start < part.end for part in one.parts)
        strongest = one.strongest()
        assert len(strongest) <= 10
        assert [value for _, value in strongest] == sorted((v for _, v in strongest), reverse=True)
    bert, dictionary = read(pipelines)
    assert bert.covariates["deaths"] != 0
    assert bert.method == "integrated_gradients"
    assert {part.term for part in dictionary.parts} >= {"massacre"}


def test_one_scale_of_colours_for_all_models():
    settings = {"target": "y", "text": "good bad", "base": 1.0, "covariates": {}, "error": 0.0}
    settings |= {"prediction": 1.0, "interval": None}
    weak = ExplainedText(model="a", scale="", parts=[Part(0, 4, 0.5)], **settings)
    strong = ExplainedText(model="b", scale="", parts=[Part(5, 8, -1.0)], **settings)
    logs = ExplainedText(model="c", scale="log1p", parts=[Part(5, 8, 9.0)], **settings)
    greatest = greatest_by_scale([weak, strong, logs])
    assert greatest == {"": 1.0, "log1p": 9.0}
    assert "background:rgb(var(--raises,94 130 200)/0.50)" in mark_text(weak, greatest[""])
    assert "background:rgb(var(--lowers,230 97 1)/1.00)" in mark_text(strong, greatest[""])
    assert str(mark_text(strong, greatest[""], end=6)) == "good b"


def test_page_of_several_models(pipelines):
    texts = read(pipelines)
    page = render_explanations(texts, observed=2.5)
    assert page.count("<h2>") == 2
    assert re.search(r"<dt>observed</dt><dd>2\.50*</dd>", page)
    assert page.count("<h1>") == 1
    assert "<b>" not in page
    assert "&lt;b&gt;" in re.sub(r"</?mark[^>]*>|<small>[^<]*</small>", "", page)
    assert "http" not in page
    assert "covariate deaths" in page
    for one in texts:
        assert f"<dt>prediction</dt><dd>{one.prediction:.3f}" in page.replace("−", "-")  # noqa: RUF001
    # The rows of each table sum to what stands below them.
    for table in re.findall(r"<tbody>(.*?)</tbody>", page, re.DOTALL):
        cells = [float(c.replace("−", "-")) for c in re.findall(r"<td>(.*?)</td>", table)]  # noqa: RUF001
        assert sum(cells[:-1]) == pytest.approx(cells[-1], abs=0.01)


def test_command(pipelines, tmp_path):
    paths = pipelines / "bert", pipelines / "dictionary"
    html = tmp_path / "page.html"
    result = bertreg(
        "explain", paths[0], TEXT, "--with", paths[1], "--observed", 2, "--covariate",
        "deaths=50", "--method", "gradient_x_input", "--output", html,
    )  # fmt: skip
    assert result.exit_code == 0, result.output
    bert, dictionary = read(pipelines)
    assert f"{bert.prediction:.3f}" in result.output
    assert f"{dictionary.prediction:.3f}" in result.output
    page = html.read_text(encoding="utf-8")
    assert page.count("<h2>") == 2
    assert "gradient_x_input" in page


def test_all_models_of_a_page_predict_the_same(pipelines, sample, tmp_path):
    """As they share a scale of colours, and the observed value."""
    other = spacy.blank("en")
    component = other.add_pipe("dictionary_regressor")
    rows = sample.head(24)
    pairs = zip(rows["text"], rows["severity"], strict=True)
    examples = examples_from(other, [(text, {"mood": value}) for text, value in pairs])
    terms = str(ROOT / "corpus" / "terms.csv")
    component.initialize(lambda: examples, nlp=other, lexicon=terms)
    other.to_disk(tmp_path / "other")
    page = tmp_path / "page.html"
    paths = pipelines / "dictionary", tmp_path / "other"
    result = bertreg("explain", paths[0], TEXT, "--with", paths[1], "--output", page)
    assert result.exit_code == 1
    assert "has no target 'severity'. It has: mood" in " ".join(result.output.split())
    assert not page.exists()


def test_wrong_arguments(pipelines):
    nlp = spacy.load(pipelines / "dictionary")
    with pytest.raises(ValueError, match="no text_regressor. It has: dictionary_regressor"):
        find_regressor(nlp, text=True)
    with pytest.raises(ValueError, match="named 'x'"):
        find_regressor(nlp, "x")
    with pytest.raises(ValueError, match="has no target 'mood'. It has: severity"):
        explain_text(nlp, TEXT, "m", target="mood")
    result = bertreg("explain", pipelines / "bert", TEXT, "--covariate", "deaths")
    assert result.exit_code == 1
    assert "Expected NAME=NUMBER" in result.output
    result = bertreg("explain", pipelines / "dictionary", TEXT, "--method", "occlusion")
    assert result.exit_code == 1
    assert "is not a text_regressor" in " ".join(result.output.split())
    result = bertreg("explain", pipelines / "dictionary", TEXT, "--observed", "nan")
    assert result.exit_code == 1
    assert "--observed is nan. Expected a finite number" in result.output
    result = bertreg("explain", pipelines / "bert", TEXT)
    assert result.exit_code == 1
    assert "expects the covariates 'deaths'" in " ".join(result.output.split())


def test_texts_that_models_disagree_about_side_by_side(pipelines, nlp, tmp_path):
    nlp.to_disk(tmp_path / "tok2vec")
    paths = {"d": pipelines / "dictionary", "t": tmp_path / "tok2vec", "gone": tmp_path / "gone"}
    models = [
        {"name": name, "kind": "pipeline", "runs": [{"path": str(path)}]}
        for name, path in paths.items()
    ]
    scores = [{"model": name, "target": "severity", "n": 2, "r2": r2} for name, r2 in (("t", 0.1),)]
    results = Results({"models": models, "scores": scores}, pd.DataFrame(), pd.DataFrame())
    explaining = load_explaining(results)
    assert list(explaining) == ["d", "t"]
    documents = pd.DataFrame({"id": ["1", "2"], "gold": [1.0, 2.0]})
    predictions = pd.DataFrame({"d": [1.0, 2.0], "t": [1.0, 4.0]})
    texts = {"2": "A massacre. " * 60}
    found = disagreements("severity", documents, predictions, texts, explaining)
    assert [text.id for text in found] == ["2", "1"]
    assert found[0].marked.keys() == {"d", "t"}
    for marked in found[0].marked.values():
        assert "<mark" in marked
        assert marked.endswith(" …")
    assert found[1].marked == {}
    found = disagreements("other", documents, predictions, texts, explaining)
    assert found[0].marked == {}


@pytest.mark.skipif(not CHROMIUM, reason="needs Chromium, as Debian's package chromium brings it")
def test_page_in_a_browser(pipelines, tmp_path):
    sync_api = pytest.importorskip("playwright.sync_api")
    path = tmp_path / "page.html"
    path.write_text(render_explanations(read(pipelines), observed=2.5), encoding="utf-8")
    messages, requests = [], []
    with sync_api.sync_playwright() as playwright:
        browser = playwright.chromium.launch(
            executable_path=CHROMIUM,
            args=["--no-sandbox", "--disable-gpu", "--disable-background-networking"],
        )
        for width in (390, 1200):
            page = browser.new_page(viewport={"width": width, "height": 800})
            page.on("console", lambda message: messages.append(message.text))
            page.on("request", lambda request: requests.append(request.url))
            page.goto(path.as_uri())
            overflow = page.evaluate("document.documentElement.scrollWidth - window.innerWidth")
            assert overflow <= 0
            page.close()
        browser.close()
    assert messages == []
    assert {url for url in requests if not url.startswith("data:")} == {path.as_uri()}
