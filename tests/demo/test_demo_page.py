"""The demo's page in a browser, and its command."""

import os
import re
import shutil
import signal
import subprocess
import sys

import pytest
from conftest import ROOT
from spacy.cli._util import app
from test_demo_server import TEXT, serving
from typer.testing import CliRunner

import spacy_bertreg.cli  # noqa: F401 - registers the commands
from spacy_bertreg.demo.page import render_page
from spacy_bertreg.demo.tables import guess_text_column

CHROMIUM = next(
    filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), ""
)


@pytest.mark.skipif(not CHROMIUM, reason="needs Chromium, as Debian's package chromium brings it")
def test_page_in_a_browser(pipeline, covariate_pipeline):
    sync_api = pytest.importorskip("playwright.sync_api")
    sources = f"plain={pipeline}", f"<i>covariates={covariate_pipeline}"
    messages, requests = [], []
    with serving(*sources, max_mb=1) as server, sync_api.sync_playwright() as playwright:
        browser = playwright.chromium.launch(
            executable_path=CHROMIUM,
            args=["--no-sandbox", "--disable-gpu", "--disable-background-networking"],
        )
        page = browser.new_page(viewport={"width": 390, "height": 800}, color_scheme="dark")
        page.on("console", lambda message: messages.append(message.text))
        page.on("pageerror", lambda error: messages.append(str(error)))
        page.on("request", lambda request: requests.append(request.url))
        page.goto(server.address)

        # A text, with the keyboard.
        page.get_by_label("deaths").fill("5")
        page.get_by_label("Text", exact=True).press("Control+Enter")
        page.wait_for_selector("#text-error:text('The text is empty. Type or paste one.')")
        page.get_by_label("Text", exact=True).fill(TEXT)
        page.get_by_label("Text", exact=True).press("Control+Enter")
        page.wait_for_selector("#explanation h3 >> nth=1")
        expected = server.models.predict(TEXT, {"deaths": 5.0})
        cells = page.eval_on_selector_all(
            "#predictions td:nth-child(3)", "cells => cells.map(cell => cell.textContent)"
        )
        assert cells == [f"{one['value']:.3f}".replace("-", "\u2212") for one in expected]
        assert page.inner_text("#names") == "plain, <i>covariates"
        assert page.locator("#explanation mark").count() > 0
        # The text of each model, less what marks add; a full stop after a number is the text's.
        shown = re.sub(r"[+\u2212]\d+\.\d+", "", page.inner_text("#explanation"))
        assert shown.count(TEXT) == 2

        # A table: errors, then one that is scored.
        page.set_input_files("#file", file_payload("a.csv", b"\xff\x00" * 999))
        page.wait_for_selector('#table-error:text("Can\'t read a.csv")')
        page.set_input_files("#file", file_payload("a.csv", b"a" * 10**6 + b"a"))
        page.wait_for_selector("#table-error:text('a.csv is too large: 1.0 MB')")
        rows = "".join(f"{number},text {number},{number}\n" for number in range(70))
        content = f"id,Review,deaths\n{rows}8,a,b,c\n".encode()
        page.set_input_files("#file", file_payload("b.csv", content))
        page.wait_for_selector("#score:enabled")
        assert page.input_value("#column") == "Review"
        page.click("#score")
        page.wait_for_selector("#downloads a >> nth=1")
        assert page.inner_text("#table-status").startswith("Scored 70 of 71 rows")
        with page.expect_download() as download:
            page.click("#downloads a >> nth=0")
        assert download.value.suggested_filename == "b.scored.csv"
        lines = download.value.path().read_text().splitlines()
        assert len(lines) == 71
        assert lines[0].startswith("id,Review,deaths,plain:severity_predicted,<i>covariates:")
        page.select_option("#column", "id")

        for width in (390, 1200):
            page.set_viewport_size({"width": width, "height": 800})
            overflow = page.evaluate("document.documentElement.scrollWidth - window.innerWidth")
            assert overflow <= 0
        unnamed = page.eval_on_selector_all(
            "input, select, textarea, button, progress",
            "all => all.filter(e => !(e.labels?.length || e.ariaLabel || e.textContent)).length",
        )
        assert unnamed == 0
        background = page.evaluate("getComputedStyle(document.body).backgroundColor")
        assert max(map(int, re.findall(r"\d+", background))) < 64
        browser.close()
    # Chromium itself reports each answer that is an error.
    assert [m for m in messages if "400 (Bad Request)" not in m] == []
    local = server.address, "data:", f"blob:{server.address}"
    assert [url for url in requests if not url.startswith(local)] == []


def file_payload(name, content):
    return {"name": name, "mimeType": "text/csv", "buffer": content}


def test_the_page_has_the_look_of_explained_texts():
    kind, style = render_page("page.css")
    assert kind == "text/css"
    assert b"mark small" in style
    for name in ("page.html", "page.js", "page.css"):
        assert b"http" not in render_page(name)[1]


def test_guessing_the_column_of_texts():
    rows = [{"id": "123456789012345", "a": "short", "b": "much longer than that", "n": 10**30}] * 2
    assert guess_text_column(["id", "a", "b", "n"], rows) == "b"
    assert guess_text_column(["id", "b", " Tweet"], rows) == " Tweet"
    assert guess_text_column(["title", "text"], rows) == "text"
    assert guess_text_column(["title", "text"], rows, "title") == "title"
    assert guess_text_column(["title", "text"], rows, "gone") == "text"
    assert guess_text_column(["x"], []) == "x"


def test_wrong_arguments(tmp_path):
    for arguments, message in (
        (["--port", "99999", "x"], "Can't listen on port 99999 of 127.0.0.1"),
        (["--port", "0", str(tmp_path / "gone")], "There is no pipeline"),
    ):
        result = CliRunner().invoke(app, ["bertreg", "demo", *arguments])
        assert result.exit_code == 1
        assert message in " ".join(result.output.split())


@pytest.mark.slow
@pytest.mark.skipif(os.name == "nt", reason="Windows can't send SIGTERM")
def test_command_ends_and_leaves_nothing(pipeline, tmp_path):
    """With SIGTERM, which is made the same as Ctrl-C."""
    (tmp_path / "tmp").mkdir()
    demo = subprocess.Popen(
        [sys.executable, "-m", "spacy", "bertreg", "demo", str(pipeline), "--port", "0"],
        env={**os.environ, "TMPDIR": str(tmp_path / "tmp"), "PYTHONPATH": str(ROOT)},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    lines = [demo.stdout.readline()]
    while "Ctrl-C" not in lines[-1]:
        lines.append(demo.stdout.readline())
    assert "http://127.0.0.1:" in "".join(lines)
    assert len(list((tmp_path / "tmp").glob("bertreg-demo-*"))) == 1
    demo.send_signal(signal.SIGTERM)
    _, errors = demo.communicate(timeout=300)
    assert demo.returncode == 0
    assert errors == ""
    assert list((tmp_path / "tmp").glob("bertreg-demo-*")) == []
