"""Write the reference of everything registered: docstrings, and config blocks with all defaults.

A page has `<!-- registered: GROUP -->` for each group of entry points.
"""

import inspect
import re
from collections.abc import Container, Iterable
from importlib.metadata import EntryPoint, distribution
from typing import TYPE_CHECKING, Any

from docstring import parse_docstring
from outside_links import PAGE_NAME
from spacy.language import Language
from thinc.api import Config

from spacy_bertreg.dictionary.fitting import FitSettings

if TYPE_CHECKING:
    from sphinx.application import Sphinx

MARK = re.compile(r"<!-- registered: (\w+) -->")
# Where in a config a block stands.
PLACES = {
    "spacy-bertreg.TextRegressor.v1": "components.text_regressor.model",
    "spacy-bertreg.TransformerModel.v1": "components.transformer.model",
    "spacy-bertreg.TransformerListener.v1": "components.text_regressor.model.tok2vec",
    "spacy-bertreg.Tok2VecPooling.v1": "components.text_regressor.model.tok2vec",
    "spacy-bertreg.long_texts.v1": "nlp.after_pipeline_creation",
    "spacy-bertreg.gradual_unfreezing.v1": "training.before_update",
    "spacy-bertreg.AdamW.v1": "training.optimizer",
    "spacy-bertreg.Corpus.v1": "corpora.train",
    "spacy-bertreg.regression_scorer.v1": "components.text_regressor.scorer",
}
LOSS_PLACE = "components.text_regressor.loss"
# For arguments without a default.
EXAMPLES: dict[str, dict[str, Any]] = {
    "spacy-bertreg.TransformerModel.v1": {"name": "bert-base-uncased"},
    "spacy-bertreg.Tok2VecPooling.v1": {
        "tok2vec": {
            "@architectures": "spacy.HashEmbedCNN.v2",
            "pretrained_vectors": None,
            **{"width": 96, "depth": 4, "embed_size": 2000, "window_size": 1},
            **{"maxout_pieces": 3, "subword_features": True},
        }
    },
    "spacy-bertreg.gradual_unfreezing.v1": {"steps_per_block": 50},
    "spacy-bertreg.Corpus.v1": {"path": "corpus/reports/train.spacy"},
}
# Arguments that spaCy gives.
GIVEN = ("nlp", "get_examples", "labels")


def setup(app: "Sphinx") -> dict[str, Any]:
    app.connect("source-read", _fill_page)
    # What it is made of may have changed.
    app.connect("env-get-outdated", lambda *_: ["reference/config"])
    return {"parallel_read_safe": True, "parallel_write_safe": True}


def _fill_page(app: "Sphinx", page: str, content: list[str]) -> None:
    content[0] = MARK.sub(lambda mark: "\n\n".join(describe_group(mark[1])), content[0])


def registered(group: str) -> list[EntryPoint]:
    """List this package's entry points of a group, such as "spacy_architectures", by name."""
    points = distribution("spacy-bertreg").entry_points
    return sorted((p for p in points if p.group == group), key=lambda p: p.name)


def describe_group(group: str) -> list[str]:
    """Describe what is registered in a group.

    group (str): The entry points' group, such as "spacy_architectures".
    RETURNS (list[str]): For each, a section in Markdown.
    """
    if group == "spacy_factories":
        return [_describe_factory(point) for point in registered(group)]
    return [_describe_function(point) for point in registered(group)]


def _describe_factory(point: EntryPoint) -> str:
    make = point.load()
    component = getattr(inspect.getmodule(make), str(make.__annotations__["return"]).strip("'\""))
    body, _ = parse_docstring(component.__doc__)
    defaults = Language.get_factory_meta(point.name).default_config or {}
    settings = {"factory": point.name, **defaults}
    parts = [
        f"### `{point.name}`",
        to_markdown(body),
        _config_block(f"components.{point.name}", settings),
        _list_fields([make, component.__init__], settings),
        f"In `[initialize.components.{point.name}]`:",
        _list_fields(
            [component.initialize, FitSettings], inspect.signature(component.initialize).parameters
        ),
    ]
    return "\n\n".join(parts)


def _describe_function(point: EntryPoint) -> str:
    function = point.load()
    # What a loss is, its class says.
    described = type(function()) if point.group == "thinc_losses" else function
    body, _ = parse_docstring(described.__doc__)
    parts = [
        f"### `{point.name}`",
        to_markdown(body),
        _config_block(PLACES.get(point.name, LOSS_PLACE), registered_settings(point)),
        _list_fields([function], inspect.signature(function).parameters),
    ]
    return "\n\n".join(part for part in parts if part)


def registered_settings(point: EntryPoint) -> dict[str, Any]:
    """Get the settings of a registered function, with all defaults.

    point (EntryPoint): Its entry point.
    RETURNS (dict[str, Any]): As in a config. Arguments without a default have an example.
    """
    registry = point.group.partition("_")[2]
    settings: dict[str, Any] = {f"@{registry}": point.name, **EXAMPLES.get(point.name, {})}
    for name, parameter in inspect.signature(point.load()).parameters.items():
        if parameter.default is not parameter.empty:
            default = parameter.default
            settings[name] = dict(default) if isinstance(default, dict) else default
    return settings


def _config_block(place: str, settings: dict[str, Any]) -> str:
    nested = settings
    for part in reversed(place.split(".")):
        nested = {part: nested}
    text = Config(nested).to_str()
    # Without the headers of what it stands in.
    start = text.index(f"[{place}]")
    return f"```ini\n{text[start:].strip()}\n```"


def _list_fields(documented: Iterable[Any], names: Container[str]) -> str:
    """List those fields of docstrings that have these names."""
    fields = [field for thing in documented for field in parse_docstring(thing.__doc__)[1]]
    shown = [field for field in fields if field.name in names and field.name not in GIVEN]
    return "\n".join(f"- **{f.name}** (`{f.type}`): {to_markdown(f.text)}" for f in shown)


def to_markdown(text: str) -> str:
    """Turn a docstring's text into Markdown, with links to the pages that it names."""
    escaped = re.sub(r"(?<![`\w])\*(?=[^`]*(?:`[^`]*`[^`]*)*$)", r"\\*", text)
    return PAGE_NAME.sub(r"[\1](/\1.md)", escaped)
