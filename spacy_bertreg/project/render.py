"""The template of a project: of this package's own, and of those that `bertreg init` writes."""

import json
import textwrap
from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

from jinja2 import Environment, FileSystemLoader, StrictUndefined

TEMPLATE = Path(__file__).parent / "template"
CONFIGS = TEMPLATE / "configs"


class Variable(NamedTuple):
    """One of the `vars` of project.yml.

    name (str): Its name. value (str | int): Its value.
    comment (str): What it is, and which values it may have; one line.
    """

    name: str
    value: str | int
    comment: str


# The section of windows goes before this one.
NEXT_TO_WINDOWS = "[components.transformer.model.tokenizer_config]"
TOK2VEC_EPOCHS = 10
MODELS = ("dictionary", "dictionary-best", "tok2vec", "frozen", "full")
# Variables of every project, after those that say what its data are.
TRAINING = {
    "epochs": "BERT's number of passes over the training texts",
    "seeds": "Each model is trained once per seed; the split has its own seed",
    "crossval": "For bertreg crossval; --repeats 3 shows the effect of split and seed",
    "gpu_id": "A GPU's number, or -1 for the CPU",
    "version": "Version of the package with the full pipeline",
    "package_options": "--forget-training-texts omits fingerprints of the training texts",
}


def render_project(
    *,
    title: str,
    description: str,
    variables: Sequence[Variable],
    lang: str = "en",
    lexicon: str | None = None,
    is_demo: bool = False,
) -> str:
    """Write a project.yml.

    title (str): Its title. description (str): What it does, without a line break.
    variables (Sequence[Variable]): Its vars: `table`, `dataset`, `columns`, `split`, `transformer`
        and those of `TRAINING`.
    lang (str): spaCy's code of the language. English has rules of negation and emphasis.
    lexicon (str | None): A term list for the best dictionary, a path in the project.
    is_demo (bool): Whether it is this package's own, which fetches its data and has a smoke run.
    RETURNS (str): YAML.
    """
    parts = ["a given term list, a learned one" if lexicon else "a learned term list"]
    parts += ["rules for their context"] if lang == "en" else []
    template = _environment().get_template("project.yml.jinja")
    return template.render(
        title=title,
        description=textwrap.indent(
            textwrap.fill(description, 98, break_on_hyphens=False, break_long_words=False), "  "
        ),
        variables=variables,
        lang=lang,
        lexicon=lexicon,
        has_context_rules=lang == "en",
        best=f"{', '.join(parts)} and boosted trees",
        is_demo=is_demo,
        tok2vec_epochs=TOK2VEC_EPOCHS,
        evaluated=MODELS if is_demo else MODELS[-1:],
    )


def render_readme(**values: Any) -> str:
    """Write the README of a user's project. RETURNS (str): Markdown."""
    return _environment().get_template("README.md.jinja").render(**values)


def render_config(name: str, settings: dict[str, str]) -> str:
    """Take a config of the template, and change single lines.

    name (str): Name of the config, such as "bert".
    settings (dict[str, str]): New values as written in the config, by the lines' keys; a key that
        is in several sections is changed in the first.
    RETURNS (str): The config, with its comments.
    """
    text = (CONFIGS / f"{name}.cfg").read_text(encoding="utf-8")
    for key, value in settings.items():
        lines = text.splitlines(keepends=True)
        place = next(i for i, line in enumerate(lines) if line.startswith(f"{key} = "))
        lines[place] = f"{key} = {value}\n"
        text = "".join(lines)
    return text


def set_windows(config: str, window: int, stride: int) -> str:
    """Set the windows that a transformer reads.

    config (str): bert.cfg of the template. window (int), stride (int): In tokens.
    RETURNS (str): The config, with its comments.
    """
    block = (
        "# Tokens per window, and from the start of one window to the next\n"
        "[components.transformer.model.get_spans]\n"
        '@span_getters = "spacy-transformers.strided_spans.v1"\n'
        f"window = {window}\nstride = {stride}\n\n"
    )
    head, tail = config.replace("get_spans = null\n", "").split(NEXT_TO_WINDOWS)
    return head + block + NEXT_TO_WINDOWS + tail


def _environment() -> Environment:
    environment = Environment(
        loader=FileSystemLoader(TEMPLATE),
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
        autoescape=False,  # noqa: S701 - YAML and Markdown
    )
    # A text of JSON is one of YAML; jinja's own filter writes quotes and umlauts as codes.
    environment.filters["quote"] = partial(json.dumps, ensure_ascii=False)
    return environment
