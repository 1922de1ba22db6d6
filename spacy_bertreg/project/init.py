"""From a user's table to a spaCy project of their own."""

import json
import re
import unicodedata
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import spacy
from spacy.tokens import Doc, DocBin

import spacy_bertreg

from ..data.convert import convert
from ..data.files import check_folder, folder_beside, replace_files, write_whole
from ..data.splits import SPLITS
from ..data.tables.columns import parse_numbers
from ..data.tables.kinds import TableOptions
from ..data.tables.read import read_table
from ..dictionary.formats import read_lexicon
from ..targets.gold import observed_values
from ..training.jobs import check_seeds
from .findings import (
    FEW_DOCUMENTS,
    Finding,
    TargetChoice,
    choose_transform,
    describe_documents,
    find_leaks,
)
from .options import COLUMN_OPTIONS, ROLES, SPLIT_OPTIONS, command_words, join_words
from .render import (
    TEMPLATE,
    TRAINING,
    Variable,
    render_config,
    render_project,
    render_readme,
    set_windows,
)
from .timing import compare_windows, duration, time_models
from .windows import choose_windows

# Small enough to be trained without a GPU.
ENGLISH_TRANSFORMER = "sentence-transformers/all-MiniLM-L6-v2"
OTHER_TRANSFORMER = "sentence-transformers/paraphrase-multilingual-MiniLM-L12-v2"
# As good as float32, and faster on some processors: docs/recipes.md
BERT_SETTINGS = {"precision": '"auto"'}


class NewProject(NamedTuple):
    """A project that was written.

    folder (Path): Where it is.
    findings (list[Finding]): What was found in the table, and chosen because of it.
    workflow (str): Which of its workflows to run: "crossval" if there are too few documents for one
        split, otherwise "all".
    """

    folder: Path
    findings: list[Finding]
    workflow: str


def init(
    table: str | Path,
    folder: str | Path,
    *,
    text: str,
    targets: Sequence[str],
    transformer: str | None = None,
    lexicon: str | Path | None = None,
    lang: str = "en",
    epochs: int = 5,
    seeds: Sequence[int] = (0, 1),
    gpu_id: int = -1,
    window: int | None = None,
    measure_time: bool = True,
    **convert_options: Any,
) -> NewProject:
    """Look at a table, and write a spaCy project for it.

    table (str | Path): See `convert`; it is copied into the project.
    folder (str | Path): Folder for the project, new or empty.
    text (str), targets (Sequence[str]): Columns.
    transformer (str | None): Folder or Hugging Face name; None for a small one by language.
    lexicon (str | Path | None): A term list for the best dictionary; it is copied, too.
    lang (str): spaCy's code of the language.
    epochs (int): How often BERT reads the training texts.
    seeds (Sequence[int]): Each model is trained once for each seed.
    gpu_id (int): GPU, or -1 for the CPU.
    window (int | None): Tokens that BERT reads at once; None to choose by the documents' lengths
        and the transformer's limit.
    measure_time (bool): Whether to train on a few documents to say how long it will take.
    **convert_options: Other arguments of `convert`.
    RETURNS (NewProject): What was found and chosen.
    RAISES (ValueError, OSError, ImportError): Wrong input; nothing is written.
    """
    table, folder = Path(table), Path(folder)
    files = [table] if lexicon is None else [table, Path(lexicon)]
    check_folder(folder, files)
    if folder.exists() and any(folder.iterdir()):
        raise ValueError(f"{folder} is not empty. Expected a new folder for the project.")
    if epochs < 1:
        raise ValueError(f"epochs is {epochs}. Expected 1 or more.")
    check_seeds(seeds)
    if lexicon is not None:
        read_lexicon(lexicon)  # for its errors
        if len({_file_name(path) for path in files}) < len(files):
            raise ValueError(f"{table} and {lexicon} have the same name. Expected different ones.")
    if transformer is None:
        transformer = ENGLISH_TRANSFORMER if lang == "en" else OTHER_TRANSFORMER
    elif Path(transformer).is_dir():
        transformer = Path(transformer).resolve().as_posix()
    arguments = {"text": text, "targets": list(targets), "lang": lang, **convert_options}
    with folder_beside(folder.resolve()) as temporary:
        new, corpus = temporary / "new", temporary / "corpus"
        convert(table, corpus, **arguments)
        docs = _read_docs(corpus, lang)
        workflow = "crossval" if sum(map(len, docs.values())) < FEW_DOCUMENTS else "all"
        all_docs = [doc for part in docs.values() for doc in part]
        choices = [
            choose_transform(name, [observed_values(doc).get(name) for doc in all_docs])
            for name in targets
        ]
        settings = _settings(choices, arguments)
        contents = {
            "configs/bert.cfg": render_config("bert", settings | BERT_SETTINGS),
            "configs/dictionary.cfg": render_config("dictionary", settings),
            "configs/tok2vec.cfg": render_config("tok2vec", settings),
        }
        windows = choose_windows(all_docs, transformer, window)
        if windows.why:
            bert = contents["configs/bert.cfg"]
            contents["configs/bert.cfg"] = set_windows(bert, windows.window, windows.stride)
        write_whole({new / name: content.encode("utf-8") for name, content in contents.items()})
        findings = [
            *describe_documents(
                docs, transformer, has_groups=bool(arguments.get("group")), windows=windows
            ),
            *(choice.finding for choice in choices),
            *_leaks(table, arguments),
        ]
        times: dict[str, float] = {}
        finding = None
        if measure_time:
            where = new / "configs", corpus, transformer, epochs
            times, finding = time_models(*where, gpu_id)
            if times and windows.why:
                findings.append(compare_windows(*where, windows.window, times["full"]))
        how_long = duration(times, len(seeds))
        findings.append(finding or Finding("Training", how_long))
        title = f"Predict {', '.join(targets)} from the texts of {table.name}"
        contents = {
            "project.yml": render_project(
                title=title,
                description=f"Trains dictionaries, a small network and two BERTs on the same "
                f"split, and says by how much each beats the others. {how_long}",
                variables=_variables(table, transformer, arguments, epochs, seeds, gpu_id),
                lang=lang,
                lexicon=None if lexicon is None else f"assets/{_file_name(Path(lexicon))}",
            ),
            "README.md": render_readme(
                title=title,
                targets=", ".join(targets),
                table=table.name,
                version=spacy_bertreg.__version__,
                duration=how_long,
                workflow=workflow,
                findings=findings,
            ),
            ".gitignore": (TEMPLATE / "gitignore").read_text(encoding="utf-8"),
        }
        copies = {new / "assets" / _file_name(path): path.read_bytes() for path in files}
        written = {new / name: content.encode("utf-8") for name, content in contents.items()}
        write_whole(copies | written)
        replace_files(new, folder.resolve(), [])
    return NewProject(folder, findings, workflow)


def _variables(
    table: Path,
    transformer: str,
    arguments: Mapping[str, Any],
    epochs: int,
    seeds: Sequence[int],
    gpu_id: int,
) -> list[Variable]:
    """Make the `vars` of project.yml."""
    values: dict[str, str | int] = {
        "epochs": epochs,
        "seeds": ",".join(map(str, seeds)),
        "crossval": "--folds 5" + (" --by time" if arguments.get("dev_from") else ""),
        "gpu_id": gpu_id,
        "version": "0.1.0",
        "package_options": "",
    }
    return [
        Variable("table", f"assets/{_file_name(table)}", "A copy of the table"),
        Variable("dataset", _dataset(table), "Its name, in paths and in that of the package"),
        Variable("columns", command_words(arguments, COLUMN_OPTIONS), "For bertreg convert"),
        Variable("split", command_words(arguments, SPLIT_OPTIONS), "Likewise"),
        Variable(
            "transformer", join_words([transformer]), "Folder, or name on the Hugging Face hub"
        ),
        *(Variable(name, values[name], comment) for name, comment in TRAINING.items()),
    ]


def _read_docs(corpus: Path, lang: str) -> dict[str, list[Doc]]:
    """Read train, dev and test. Raise a ValueError if one has no documents."""
    vocab = spacy.blank(lang).vocab
    docs = {}
    for name in SPLITS:
        path = corpus / f"{name}.spacy"
        if not path.is_file():
            raise ValueError(
                f"The split leaves {name} without documents. Expected some in each of train, dev "
                "and test."
            )
        docs[name] = list(DocBin().from_disk(path).get_docs(vocab))
    return docs


def _settings(choices: Sequence[TargetChoice], arguments: Mapping[str, Any]) -> dict[str, str]:
    """Say which lines of a config are to be changed."""
    transforms = {choice.target: choice.transform for choice in choices}
    bounds = {choice.target: choice.bounds for choice in choices if choice.bounds}
    settings = {"lang": json.dumps(arguments["lang"])}
    settings["transform"] = json.dumps(
        transforms if len(set(transforms.values())) > 1 else choices[0].transform
    )
    if bounds:
        settings["bounds"] = json.dumps(bounds)
    if arguments.get("covariates"):
        settings["covariates"] = json.dumps(list(arguments["covariates"]))
    return settings


def _leaks(path: Path, arguments: Mapping[str, Any]) -> list[Finding]:
    """Look for columns without a role whose values go with similar targets."""
    reading = {
        name: arguments[name] for name in TableOptions.__dataclass_fields__ if name in arguments
    }
    table = read_table(path, options=TableOptions(**reading))
    targets = {
        name: np.array(parse_numbers(table[name], path, arguments.get("decimal")))
        for name in arguments["targets"]
    }
    roles = [arguments.get(name) for name in ROLES]
    used = {role for role in roles if isinstance(role, str)}
    used.update(*(role for role in roles if isinstance(role, list | tuple)))
    return find_leaks(table, targets, used, has_time=arguments.get("time") is not None)


def _dataset(table: Path) -> str:
    """Make a table's name one that can end a Python package's name."""
    name = unicodedata.normalize("NFKD", table.name.partition(".")[0])
    name = name.encode("ascii", "ignore").decode()
    return re.sub(r"[^a-z0-9]+", "_", name.lower()).strip("_") or "table"


def _file_name(path: Path) -> str:
    """Make a file's name one that needs no quotes in project.yml."""
    return re.sub(r"[^\w.-]+", "_", path.name)
