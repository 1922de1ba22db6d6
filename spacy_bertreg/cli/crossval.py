"""`python -m spacy bertreg crossval`"""

from pathlib import Path
from typing import Annotated

import typer
from spacy.cli._util import parse_config_overrides, setup_gpu
from wasabi import msg

from ..scoring.loading import import_code
from .group import bertreg_cli, plain_errors
from .options import Code, GpuId
from .terminal import print_table
from .train import parse_seeds


@bertreg_cli.command(
    "crossval", context_settings={"allow_extra_args": True, "ignore_unknown_options": True}
)
@plain_errors()
def crossval_cli(
    ctx: typer.Context,
    data: Annotated[
        Path,
        typer.Argument(
            help="Documents, a .spacy file; or a folder of which train.spacy and dev.spacy are "
            "taken, and test.spacy is not"
        ),
    ],
    output: Annotated[
        Path, typer.Option("--output", "-o", help="Folder for predictions.csv and crossval.json")
    ],
    folds: Annotated[int, typer.Option(help="Number of folds")] = 5,
    repeats: Annotated[int, typer.Option(help="Number of repeats, with new folds and seeds")] = 1,
    seeds: Annotated[
        str,
        typer.Option(
            help="Comma-separated seeds, one per repeat; or the first seed, from which the "
            "others count up"
        ),
    ] = "0",
    by: Annotated[
        str | None,
        typer.Option(
            help="group: groups stay whole; time: each period is predicted from those before it; "
            "target: folds with similar distributions of the target. By default group, if there "
            "are any, otherwise target"
        ),
    ] = None,
    dev: Annotated[
        float,
        typer.Option(help="Share of a fold's training documents held out to choose the epoch"),
    ] = 0.1,
    epochs: Annotated[
        int | None,
        typer.Option(
            help="Passes over the training documents, for models trained by steps; by default "
            "as the configs say"
        ),
    ] = None,
    gpu_id: GpuId = -1,
    engine: Annotated[
        str, typer.Option(help="local, or ray to train in parallel on a cluster")
    ] = "local",
    keep_models: Annotated[
        bool,
        typer.Option("--keep-models", help="Keep the trained pipelines, in OUTPUT/models"),
    ] = False,
    overwrite: Annotated[
        bool, typer.Option("--overwrite", help="Forget a stopped run of other settings")
    ] = False,
    code: Code = None,
) -> None:
    """
    Train each model, given as NAME=CONFIG, on all folds of the documents but one, and predict that
    one, in turn. A run that was stopped goes on when the same command is given again. Other options
    override settings of all configs that have them, as --training.dropout 0.2, or of one, as
    --NAME.components.transformer.model.freeze all.
    """
    from ..comparison.crossval import cross_validate
    from ..comparison.crossval_trainings import summarize_folds

    import_code(code)
    setup_gpu(gpu_id, silent=True)
    words = list(ctx.args)
    n_models = next((i for i, word in enumerate(words) if word.startswith("--")), len(words))
    overrides = parse_config_overrides(words[n_models:])
    try:
        cross_validate(
            data,
            parse_configs(words[:n_models]),
            output,
            folds=folds,
            repeats=repeats,
            seeds=parse_seeds(seeds),
            by=by,
            dev=dev,
            epochs=epochs,
            overrides=overrides,
            gpu_id=gpu_id,
            code=code,
            engine=engine,
            keep_models=keep_models,
            overwrite=overwrite,
            on_progress=lambda line: typer.echo(line, err=True),
        )
    except KeyboardInterrupt:
        msg.warn("Stopped. The same command goes on from here.")
        raise typer.Exit(130) from None
    print_table(summarize_folds(output), n_left=2)
    models = ", and the pipelines in models" if keep_models else ""
    msg.good(f"Wrote predictions.csv and crossval.json{models}", str(output))


def parse_configs(words: list[str]) -> dict[str, Path]:
    """Read NAME=CONFIG, or CONFIG, whose name is the file's.

    RAISES (ValueError): Two have one name.
    """
    configs: dict[str, Path] = {}
    for word in words:
        name, equals, path = word.partition("=")
        if not equals or Path(word).exists():
            name, path = Path(word).stem, word
        if name in configs:
            raise ValueError(f"Two models are called {name!r}. Expected different names.")
        configs[name] = Path(path)
    return configs
