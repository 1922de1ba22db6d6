"""Options of `convert`, as words of a command line."""

import re
import shlex
from collections.abc import Mapping, Sequence
from typing import Any

from spacy.compat import is_windows

# By argument of the function `convert`.
SPLIT_OPTIONS = {
    "shares": "--split",
    "dev_from": "--dev-from",
    "test_from": "--test-from",
    "split_column": "--split-column",
    "seed": "--seed",
}
COLUMN_OPTIONS = {
    "text": "--text",
    "targets": "--target",
    "id_column": "--id",
    "group": "--group",
    "time": "--time",
    "covariates": "--covariate",
    "weight": "--weight",
    "label": "--label",
    "lang": "--lang",
    "drop_empty": "--drop-empty",
    "max_docs": "--max-docs",
    "encoding": "--encoding",
    "separator": "--separator",
    "quoting": "--quoting",
    "decimal": "--decimal",
    "sheet": "--sheet",
}
# Those whose values are columns.
ROLES = (
    "text", "targets", "id_column", "group", "time", "covariates", "weight", "label",
    "split_column",
)  # fmt: skip
# Repeated for each value.
REPEATED = ("targets", "covariates")


def command_words(arguments: Mapping[str, Any], options: Mapping[str, str]) -> str:
    """Write arguments of `convert` as options of its command.

    arguments (Mapping[str, Any]): Arguments by name; None, False and empty ones are left out.
    options (Mapping[str, str]): Option by name of the argument.
    RETURNS (str): See `join_words`.
    RAISES (ValueError): See `join_words`.
    """
    words: list[str] = []
    for name, option in options.items():
        value = arguments.get(name)
        if value is None or value is False or value == () or value == []:
            continue
        if value is True:
            words.append(option)
        elif name in REPEATED:
            words += [word for single in value for word in (option, str(single))]
        elif isinstance(value, (list, tuple)):
            words += [option, *map(str, value)]
        else:
            words += [option, str(value)]
    return join_words(words)


def join_words(words: Sequence[str]) -> str:
    """Write words of a command for project.yml, so that `spacy project` takes them apart again.

    words (Sequence[str]): The words.
    RETURNS (str): The words, in quotation marks where they need them.
    RAISES (ValueError): A word needs them on Windows, where they would become part of it
        (`split_command` in weasel, which runs the projects).
    """
    if not is_windows:
        return shlex.join(words)
    for word in words:
        if not word or re.search(r"""[\s'"]""", word):
            raise ValueError(
                f"On Windows, projects of spaCy can't hand {word!r} to their commands. Expected "
                "names and paths without spaces and quotation marks."
            )
    return " ".join(words)
