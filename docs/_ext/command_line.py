"""Write the reference of the command line from what `--help` shows.

A page has `<!-- commands -->` where it shall stand.
"""

import re
from typing import TYPE_CHECKING, Any

import typer

import spacy_bertreg.cli

if TYPE_CHECKING:
    from sphinx.application import Sphinx

MARK = "<!-- commands -->"


def setup(app: "Sphinx") -> dict[str, Any]:
    app.connect("source-read", _fill_page)
    # What it is made of may have changed.
    app.connect("env-get-outdated", lambda *_: ["reference/commands"])
    return {"parallel_read_safe": True, "parallel_write_safe": True}


def _fill_page(app: "Sphinx", page: str, content: list[str]) -> None:
    if MARK in content[0]:
        content[0] = content[0].replace(MARK, "\n\n".join(describe_commands()))


def describe_commands() -> list[str]:
    """Describe all commands.

    RETURNS (list[str]): For each, a section in Markdown.
    """
    group: Any = typer.main.get_command(spacy_bertreg.cli.bertreg_cli)
    return [_describe(name, group.commands[name]) for name in sorted(group.commands)]


def _describe(name: str, command: Any) -> str:
    context = typer.Context(command, info_name=name)
    usage = " ".join([f"python -m spacy bertreg {name}", *command.collect_usage_pieces(context)])
    records = [p.get_help_record(context) for p in command.params if p.name != "help"]
    parts = [
        f"## {name}",
        escape(" ".join(command.help.split())),
        f"```text\n{usage}\n```",
        *(_describe_parameter(*record) for record in records if record),
    ]
    return "\n\n".join(parts)


def _describe_parameter(title: str, text: str) -> str:
    return f"`{title}`\n: {escape(' '.join(text.split()))}"


def escape(text: str) -> str:
    """Keep Markdown from reading signs in a text, but for code between backticks."""
    parts = re.split(r"(`[^`]+`)", text)
    parts[::2] = [re.sub(r"([\\*_\[\]<>|])", r"\\\1", part) for part in parts[::2]]
    return "".join(parts)
