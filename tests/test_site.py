"""The documentation: links work on GitHub and on the site, and the reference is complete."""

import inspect
import re
import sys
import unicodedata
from configparser import ConfigParser
from types import SimpleNamespace

import pytest
import spacy
from conftest import ROOT
from thinc.api import Config
from typer.main import get_command

import spacy_bertreg.cli

DOCS = ROOT / "docs"
sys.path.insert(0, str(DOCS / "_ext"))
from command_line import describe_commands, escape  # noqa: E402
from docstring import Field, parse_docstring  # noqa: E402
from outside_links import CODE, rewrite_links  # noqa: E402
from registered_blocks import describe_group, registered, registered_settings  # noqa: E402
from spacy_docstrings import to_rst  # noqa: E402

PAGES = [
    *(ROOT / "README.md", ROOT / "corpus" / "README.md"),
    *sorted(DOCS.rglob("*.md")),
    *sorted(ROOT.glob("projects/*/README.md")),
]
GROUPS = re.findall(r"<!-- registered: (\w+) -->", (DOCS / "reference" / "config.md").read_text())
REGISTERED = [point for group in GROUPS for point in registered(group)]


def slug(heading):
    """Name a heading as GitHub does in links."""
    text = re.sub(r"\[([^\]]*)\]\([^)]*\)", r"\1", heading).strip().lower()
    kept = (c for c in text if c in " -_" or unicodedata.category(c)[0] in "LNM")
    return "".join(kept).replace(" ", "-")


def anchors(path):
    text = re.sub(r"^```.*?^```$", "", path.read_text(encoding="utf-8"), flags=re.S | re.M)
    return {slug(heading) for heading in re.findall(r"^#+ (.*)$", text, flags=re.M)}


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_links_lead_to_files_and_headings(page):
    prose = "".join(CODE.split(page.read_text(encoding="utf-8"))[::2])
    for match in re.finditer(r"\[[^\]]*\]\(([^)\s#]*)(#[^)\s]*)?\)", prose):
        path, anchor = match.groups()
        if re.match(r"[a-z]+:", path):
            continue
        target = page.parent / path if path else page
        assert target.exists(), match[0]
        # The reference has its headings on the site alone.
        if anchor and target.suffix == ".md" and target.parent.name != "reference":
            assert anchor[1:] in anchors(target), match[0]


@pytest.mark.parametrize(
    ("link", "repository", "expected"),
    [
        ("[a](tables.md#files)", "", "[a](tables.md#files)"),
        ("[a](https://spacy.io)", "", "[a](https://spacy.io)"),
        ("[a](../README.md)", "", "[a](/index.md)"),
        ("[`a`](../projects/length)", "", "`a`"),
        ("[a](../corpus/README.md)", "", "a"),
        ("[a](../configs/bert.cfg)", "", "[a](../configs/bert.cfg)"),
        ("[a](../projects/length)", "https://x.org/y", "[a](https://x.org/y/tree/main/projects/length)"),
        ("[a](../configs/bert.cfg)", "https://x.org/y", "[a](https://x.org/y/blob/main/configs/bert.cfg)"),
        ("`[a](../README.md)`", "", "`[a](../README.md)`"),
        ("[a](../missing.md)", "", "[a](../missing.md)"),
    ],
)  # fmt: skip
def test_links_out_of_the_folder(link, repository, expected):
    app = SimpleNamespace(srcdir=DOCS, config=SimpleNamespace(repository_url=repository))
    page = DOCS / "tables.md"
    assert rewrite_links(f"See {link}.", page, page, app) == f"See {expected}."


def test_links_of_the_readme_on_the_first_page():
    app = SimpleNamespace(srcdir=DOCS, config=SimpleNamespace(repository_url=""))
    text = "[a](docs/tables.md) and [b](configs/bert.cfg)"
    rewritten = rewrite_links(text, ROOT / "README.md", DOCS / "index.md", app)
    assert rewritten == "[a](docs/tables.md) and [b](../configs/bert.cfg)"


def test_parse_docstring():
    body, fields = parse_docstring(
        """Do a thing.

        Details: see there.

        a, b (int), c (str | None): One text
            for all.
        **settings (Any): More.
        RETURNS (dict[str, int]): The
            result.
        """
    )
    assert body == "Do a thing.\n\nDetails: see there."
    assert fields == [
        Field("a", "int", "One text for all."),
        Field("b", "int", "One text for all."),
        Field("c", "str | None", "One text for all."),
        Field("**settings", "Any", "More."),
        Field("RETURNS", "dict[str, int]", "The result."),
    ]


def test_to_rst():
    text = "Globs `kill*` or kill*, `.nlp_` and nlp_; see docs/freezing.md."
    expected = r"Globs ``kill*`` or kill\*, ``.nlp_`` and nlp\_; see :doc:`freezing </freezing>`."
    assert to_rst(text) == expected


def test_every_group_is_on_the_page():
    setup = ConfigParser()
    setup.read(ROOT / "setup.cfg", encoding="utf-8")
    assert {*GROUPS, "spacy_cli"} == set(setup["options.entry_points"])


@pytest.mark.parametrize("point", REGISTERED, ids=lambda point: point.name)
def test_config_blocks_are_complete_and_read_as_they_are_written(point):
    (section,) = (s for s in describe_group(point.group) if s.startswith(f"### `{point.name}`"))
    (block,) = re.findall(r"```ini\n(.*?)```", section, flags=re.DOTALL)
    place = re.match(r"\[(.*)\]", block)[1]
    parents = place.split(".")[:-1]
    headers = "".join(f"[{'.'.join(parents[: i + 1])}]\n\n" for i in range(len(parents)))
    settings = Config().from_str(headers + block)
    for part in place.split("."):
        settings = settings[part]
    if point.group == "spacy_factories":
        assert settings.pop("factory") == point.name
        assert settings == spacy.language.Language.get_factory_meta(point.name).default_config
        documented = set(re.findall(r"^- \*\*(\w+)\*\*", section, flags=re.M))
        initialize = inspect.signature(component_of(point).initialize).parameters
        blocks = {"model", "loss"}
        left_out = {"self", "get_examples", "nlp", "labels", *blocks}
        assert documented | left_out >= {*settings, *initialize}
    else:
        assert settings == registered_settings(point)
        registry = point.group.partition("_")[2]
        assert settings.pop(f"@{registry}") == point.name
        inspect.signature(spacy.registry.get(registry, point.name)).bind(**settings)
        documented = set(re.findall(r"^- \*\*(\w+)\*\*", section, flags=re.M))
        assert documented == set(inspect.signature(point.load()).parameters)


def component_of(point):
    nlp = spacy.blank("en")
    return type(nlp.create_pipe(point.name))


def test_every_command_is_on_the_page():
    sections = describe_commands()
    group = get_command(spacy_bertreg.cli.bertreg_cli)
    assert [s.split()[1] for s in sections] == sorted(group.commands)
    for section in sections:
        command = group.commands[section.split()[1]]
        for parameter in command.params:
            for option in (o for o in parameter.opts if o.startswith("--") and o != "--help"):
                assert re.search(rf"^`[^`]*{option}\b", section, flags=re.M), option


def test_escape():
    assert escape("a_b <c> `d_e*` [f]") == r"a\_b \<c\> `d_e*` \[f\]"
