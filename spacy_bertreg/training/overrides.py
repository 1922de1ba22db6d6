"""Settings that override some of several configs."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import spacy
from spacy.util import dict_to_dot
from thinc.api import Config


def overrides_by_config(
    configs: Mapping[str, Path], overrides: Mapping[str, Any]
) -> dict[str, dict[str, Any]]:
    """Sort settings by the configs that they override.

    A setting overrides each config that has it or, if none does, each that has its section. A
    setting that begins with a config's name, such as `full.training.dropout`, is for it alone.

    configs (Mapping[str, Path]): Configs of spaCy, by name.
    overrides (Mapping[str, Any]): Settings by dotted name.
    RETURNS (dict[str, dict[str, Any]]): Each config's settings, by its name.
    RAISES (ValueError, FileNotFoundError): A config can't be read, one is named like a section, or
        no config has the section of a setting.
    """
    read = {name: _read(path) for name, path in configs.items()}
    for name in read:
        for other, config in read.items():
            if name in config:
                raise ValueError(
                    f"A model is named {name!r}, like a section of {configs[other]}. Expected "
                    "another name, so that overrides are clear."
                )
    settings = {name: set(dict_to_dot(config)) for name, config in read.items()}
    # spaCy reads --a-b.c=1 with underscores.
    by_spelling = {name.replace("-", "_"): name for name in read}
    chosen: dict[str, dict[str, Any]] = {name: {} for name in read}
    own: dict[str, dict[str, Any]] = {name: {} for name in read}
    for key, value in overrides.items():
        prefix, _, rest = key.partition(".")
        named = by_spelling.get(prefix.replace("-", "_"))
        if named is not None:
            if not _has_section(read[named], rest):
                raise ValueError(
                    f"--{key}: {configs[named]} has no section [{rest.rpartition('.')[0]}]."
                )
            own[named][rest] = value
            continue
        fitting = [name for name in read if key in settings[name]]
        fitting = fitting or [name for name in read if _has_section(read[name], key)]
        if not fitting:
            raise ValueError(
                f"--{key}: no config has the section [{key.rpartition('.')[0]}]. Expected one of "
                f"{', '.join(map(str, dict.fromkeys(configs.values())))} to have it."
            )
        for name in fitting:
            chosen[name][key] = value
    return {name: chosen[name] | own[name] for name in read}


def _read(path: Path) -> Config:
    if not path.is_file():
        raise FileNotFoundError(f"{path} does not exist. Expected a config of spaCy.")
    try:
        return spacy.util.load_config(path, interpolate=False)
    except Exception as error:  # confection's and configparser's own
        raise ValueError(f"Can't read {path}: {error}") from error


def _has_section(config: Mapping[str, Any], key: str) -> bool:
    """Tell whether a config has the section of a setting, given by its dotted name."""
    section: Any = config
    for part in key.split(".")[:-1]:
        section = section.get(part) if isinstance(section, Mapping) else None
    return isinstance(section, Mapping) and "." in key
