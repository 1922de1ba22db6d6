"""Loading a trained pipeline, with errors that say which of its files is at fault."""

from pathlib import Path
from typing import Any

import spacy
import srsly
from spacy import util
from spacy.language import Language

TRANSFORMER = "components.transformer.model"
FILES = ("config.cfg", "meta.json", "tokenizer", "vocab")


def import_code(path: str | Path | None) -> None:
    """Import a Python file, for the functions that it registers.

    path (str | Path | None): The file; None to do nothing.
    RAISES (FileNotFoundError, ValueError, ImportError): It does not exist or can't be imported.
    """
    if path is None:
        return
    if not Path(path).is_file():
        raise FileNotFoundError(f"{path} does not exist. Expected a Python file, as --code.")
    if Path(path).suffix != ".py":
        raise ValueError(f"--code is {path}. Expected a Python file, in .py.")
    try:
        util.import_file("python_code", path)
    except Exception as error:  # whatever is wrong with the user's code
        raise ImportError(f"Can't import {path}: {type(error).__name__}: {error}") from error


def load_pipeline(
    pipeline: str | Path, precision: str | None = None, backend: str | None = None
) -> Language:
    """Load a trained pipeline.

    pipeline (str | Path): Folder of a trained pipeline, or name of an installed package.
    precision (str | None): "float32", "bfloat16" or "auto"; None as the pipeline has it.
    backend (str | None): "torch", "openvino" or "auto"; None as the pipeline has it.
    RETURNS (Language): The pipeline.
    RAISES (ValueError): There is none, its files are missing, damaged, or of different pipelines,
        it has no transformer of ours to set something of, or OpenVINO is not installed.
    """
    folder = Path(pipeline)
    if not folder.is_dir():
        if not util.is_package(str(pipeline)):
            raise ValueError(
                f"There is no pipeline {str(pipeline)!r}. Expected the folder of a trained "
                "pipeline, or the name of an installed package."
            )
        package = Path(util.get_package_path(str(pipeline)))
        (folder,) = {path.parent for path in package.glob("*/config.cfg")}
    for name in FILES:
        if not (folder / name).exists():
            raise ValueError(f"Can't load the pipeline {pipeline}: {folder / name} is missing.")
    try:
        components = util.load_config(folder / "config.cfg").get("components", {})
        model = components.get("transformer", {}).get("model", {})
    except Exception as error:
        raise ValueError(f"Can't read {folder / 'config.cfg'}: {error}") from error
    given = {"precision": precision, "backend": backend}
    settings = {name: value for name, value in given.items() if value is not None}
    # Ours has had a precision from the beginning.
    if settings and "precision" not in model:
        name, value = next(iter(settings.items()))
        raise ValueError(
            f"{name} is {value!r}, but the pipeline {pipeline} has no component "
            f"'transformer' with a spacy-bertreg.TransformerModel.v1. Expected no {name}."
        )
    config = {f"{TRANSFORMER}.{name}": value for name, value in settings.items()}
    try:
        nlp = spacy.load(pipeline, config=config)
    except Exception as error:
        raise ValueError(
            f"Can't load the pipeline {pipeline}: {_find_fault(folder) or error}"
        ) from error
    for name, part in nlp.pipeline:
        # spaCy goes on without, with nothing learned.
        if hasattr(part, "cfg") and not (folder / name / "cfg").exists():
            raise ValueError(f"Can't load the pipeline {pipeline}: {folder / name}/cfg is missing.")
    return nlp


def _find_fault(folder: Path) -> str | None:
    """Say which file keeps a pipeline from being loaded, and why; None if none is found."""
    try:
        srsly.read_json(folder / "meta.json")
    except ValueError as error:
        return f"{folder / 'meta.json'} is damaged: {error}"
    try:
        nlp = util.load_model_from_config(util.load_config(folder / "config.cfg"), auto_fill=True)
    except Exception as error:
        return f"{folder / 'config.cfg'} is at fault: {error}"
    parts: list[tuple[str, Any]] = [("tokenizer", nlp.tokenizer), *nlp.pipeline]
    for name, part in parts:
        if not hasattr(part, "from_disk"):
            continue
        path = folder / name
        if not path.exists():
            return f"{path} is missing, which config.cfg names"
        try:
            part.from_disk(path, exclude=["vocab"])
        except FileNotFoundError as error:
            return f"{error.filename or path} is missing"
        except Exception as error:
            return _describe_error(path, error)
    return None


def _describe_error(path: Path, error: Exception) -> str:
    files = sorted(path.rglob("*")) if path.is_dir() else [path]
    for file_ in files:
        if file_.name == "model":
            try:
                srsly.msgpack_loads(file_.read_bytes())
            except ValueError as damage:
                return f"{file_} is truncated or damaged: {damage}"
    return f"{path} does not fit config.cfg, or is damaged: {error}"
