"""`python -m spacy bertreg train`"""

import sys
from pathlib import Path
from typing import Annotated

import typer
from spacy.cli._util import parse_config_overrides
from wasabi import msg

from ..scoring.loading import import_code
from .group import bertreg_cli, plain_errors
from .options import Code, GpuId


@bertreg_cli.command(
    "train", context_settings={"allow_extra_args": True, "ignore_unknown_options": True}
)
@plain_errors()
def train_cli(
    ctx: typer.Context,
    config: Annotated[Path, typer.Argument(help="Config, as for spacy train")],
    output: Annotated[
        Path, typer.Argument(help="Folder for seed-N/model-best, and model-best of the best seed")
    ],
    data: Annotated[
        Path | None,
        typer.Option(help="Folder of train.spacy and dev.spacy, for paths.train and paths.dev"),
    ] = None,
    seeds: Annotated[str, typer.Option(help="Comma-separated seeds: one training for each")] = "0",
    epochs: Annotated[
        int | None,
        typer.Option(
            help="Passes over the training documents: sets steps, warm-up and how often the dev "
            "set is scored; by default as the config says"
        ),
    ] = None,
    gpu_id: GpuId = -1,
    engine: Annotated[
        str, typer.Option(help="local, or ray to train the seeds in parallel on a cluster")
    ] = "local",
    code: Code = None,
) -> None:
    """
    Train a config with spacy train, once for each seed, and keep the pipeline that is best on the
    dev set. Other options override settings: --components.transformer.model.freeze all
    """
    from ..training.seeds import train_seeds

    import_code(code)
    overrides = parse_config_overrides(list(ctx.args))
    if data is not None:
        paths = {f"paths.{part}": str(data / f"{part}.spacy") for part in ("train", "dev")}
        overrides = paths | overrides
    scores = train_seeds(
        config,
        output,
        seeds=parse_seeds(seeds),
        epochs=epochs,
        overrides=overrides,
        gpu_id=gpu_id,
        code=code,
        engine=engine,
        progress_bar=sys.stderr.isatty(),
    )
    best = max(scores, key=lambda seed: scores[seed])
    msg.good(f"Best on the dev set: seed {best}, R² {scores[best]:.3f}", str(output))


def parse_seeds(seeds: str) -> list[int]:
    """Read the option --seeds.

    RAISES (ValueError): It holds anything but whole numbers between commas.
    """
    try:
        return [int(seed) for seed in seeds.split(",")]
    except ValueError as error:
        raise ValueError(f"--seeds is {seeds!r}. Expected whole numbers, such as 0,1,2.") from error
