"""What others read of this repository: issue forms, the entry in spaCy's Universe, its extras."""

import json
import re
from configparser import ConfigParser

import pytest
import spacy
import yaml
from conftest import ROOT

FORMS = sorted((ROOT / ".github" / "ISSUE_TEMPLATE").glob("*.yml"))
# Of https://github.com/explosion/spaCy/blob/master/website/UNIVERSE.md
FIELDS = {
    "id", "title", "slogan", "description", "github", "pip", "code_example", "code_language",
    "url", "thumb", "image", "author", "author_links", "category", "tags",
}  # fmt: skip
CATEGORIES = {
    "pipeline", "training", "conversational", "research", "scientific", "biomedical", "visualizers",
    "apis", "nonpython", "standalone", "models",
}  # fmt: skip
# Of https://docs.github.com/communities/using-templates-to-encourage-useful-issues-and-pull-requests
NEEDED = {"textarea": {"label"}, "input": {"label"}, "markdown": {"value"}}


def read(path):
    return yaml.safe_load(path.read_text(encoding="utf-8"))


def test_forms_for_bugs_features_and_questions():
    assert [path.stem for path in FORMS] == ["bug", "config", "feature", "question"]
    config = read(ROOT / ".github" / "ISSUE_TEMPLATE" / "config.yml")
    assert set(config) == {"blank_issues_enabled", "contact_links"}
    for link in config["contact_links"]:
        assert set(link) == {"name", "url", "about"}


@pytest.mark.parametrize("path", [p for p in FORMS if p.stem != "config"], ids=lambda p: p.stem)
def test_a_form_is_one_that_github_shows(path):
    form = read(path)
    assert set(form) == {"name", "description", "labels", "body"}
    ids = [element["id"] for element in form["body"] if element["type"] != "markdown"]
    assert len(set(ids)) == len(ids) > 0
    assert any(e.get("validations", {}).get("required") for e in form["body"])
    for element in form["body"]:
        assert NEEDED[element["type"]] <= set(element["attributes"])


def test_the_entry_in_the_universe(make_bert, make_examples, monkeypatch, capsys):
    entry = json.loads((ROOT / "docs" / "universe.json").read_text(encoding="utf-8"))
    assert set(entry) <= FIELDS
    assert set(entry["category"]) <= CATEGORIES
    assert entry["id"] == entry["pip"] == "spacy-bertreg"
    nlp = make_bert()
    examples = make_examples(nlp, 4)
    nlp.initialize(lambda: examples)
    monkeypatch.setattr(spacy, "load", lambda path: nlp)
    capsys.readouterr()
    exec("\n".join(entry["code_example"]), {})  # noqa: S102 - it is ours
    value, *words = capsys.readouterr().out.splitlines()
    float(value)
    assert [word.split()[0] for word in words] == ["Shelling", "killed", "ten", "people", "."]


def test_extras_that_the_page_on_installing_names_exist():
    page = (ROOT / "docs" / "install.md").read_text(encoding="utf-8")
    table = page.partition("| Extra |")[2].partition("\n\n")[0]
    named = set(re.findall(r"`(\w+)`", "".join(row.split("|")[1] for row in table.splitlines())))
    config = ConfigParser()
    config.read(ROOT / "setup.cfg", encoding="utf-8")
    assert len(named) > 8
    assert named <= set(config["options.extras_require"])
