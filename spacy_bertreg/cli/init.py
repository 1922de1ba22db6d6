"""`python -m spacy bertreg init`"""

from pathlib import Path
from typing import Annotated

import typer
from wasabi import msg

from .group import bertreg_cli, plain_errors
from .options import (
    TABLE,
    Covariates,
    Decimal,
    DevFrom,
    DropEmpty,
    Encoding,
    GpuId,
    Group,
    IdColumn,
    Label,
    Lang,
    MaxDocs,
    Quoting,
    Seed,
    Separator,
    Shares,
    Sheet,
    SplitColumn,
    Targets,
    TestFrom,
    Text,
    Time,
    Weight,
)
from .train import parse_seeds


@bertreg_cli.command("init")
@plain_errors()
def init_cli(
    ctx: typer.Context,
    table: Annotated[Path, typer.Argument(help=TABLE)],
    folder: Annotated[Path, typer.Argument(help="New folder for the project")],
    transformer: Annotated[
        str | None,
        typer.Option(
            help="Folder or Hugging Face name of the BERT; by default a small one for the language"
        ),
    ] = None,
    lexicon: Annotated[
        Path | None, typer.Option(help="Term list for the best dictionary, beside the learned one")
    ] = None,
    epochs: Annotated[
        int, typer.Option(help="BERT's number of passes over the training texts")
    ] = 5,
    seeds: Annotated[
        str, typer.Option(help="Comma-separated seeds: one training for each")
    ] = "0,1",
    gpu_id: GpuId = -1,
    window: Annotated[
        int | None,
        typer.Option(help="Tokens per window of BERT; by default chosen by the texts' lengths"),
    ] = None,
    measure_time: Annotated[
        bool,
        typer.Option(
            "--time-it/--no-time-it",
            help="Train on a few documents to estimate the time of the whole run",
        ),
    ] = True,
    text: Text = "text",
    targets: Targets = None,
    id_column: IdColumn = None,
    group: Group = None,
    time: Time = None,
    covariates: Covariates = None,
    weight: Weight = None,
    label: Label = None,
    drop_empty: DropEmpty = False,
    max_docs: MaxDocs = None,
    shares: Shares = None,
    dev_from: DevFrom = None,
    test_from: TestFrom = None,
    split_column: SplitColumn = None,
    seed: Seed = 0,
    lang: Lang = "en",
    encoding: Encoding = "utf-8",
    separator: Separator = None,
    quoting: Quoting = "auto",
    decimal: Decimal = None,
    sheet: Sheet = None,
) -> None:
    """
    Look at a table of texts and numbers, and write a spaCy project for it: cd FOLDER and
    python -m spacy project run all then trains dictionaries, a small network and two BERTs on it,
    and says which is best. Below 1,500 documents, run crossval instead of all. Options of convert
    go into the project.
    """
    from ..project.init import init
    from ..project.options import COLUMN_OPTIONS, SPLIT_OPTIONS

    sources = {name: ctx.get_parameter_source(name) for name in COLUMN_OPTIONS | SPLIT_OPTIONS}
    # The enumeration is not click's where typer brings its own.
    given = {n: ctx.params[n] for n, s in sources.items() if s and s.name == "COMMANDLINE"}
    given |= {"text": text, "targets": targets or [], "lang": lang}
    project = init(
        table,
        folder,
        transformer=transformer,
        lexicon=lexicon,
        epochs=epochs,
        seeds=parse_seeds(seeds),
        gpu_id=gpu_id,
        window=window,
        measure_time=measure_time,
        **given,
    )
    for finding in project.findings:
        show = msg.warn if finding.is_warning else msg.info
        show(f"{finding.subject}: {finding.found}", finding.choice or None)
    run = f"python -m spacy project run {project.workflow}"
    msg.good("Wrote the project. Next:", f"cd {folder} && {run}")
