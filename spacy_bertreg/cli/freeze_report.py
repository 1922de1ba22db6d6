"""`python -m spacy bertreg freeze-report`"""

import json
from pathlib import Path
from typing import Annotated

import typer
from spacy.cli._util import parse_config_overrides
from wasabi import msg

from ..data.files import check_files, write_whole
from ..scoring.loading import import_code
from .group import bertreg_cli, plain_errors
from .options import Code


@bertreg_cli.command(
    "freeze-report", context_settings={"allow_extra_args": True, "ignore_unknown_options": True}
)
@plain_errors()
def freeze_report_cli(
    ctx: typer.Context,
    source: Annotated[str, typer.Argument(help="Config file, or a pipeline's folder or package")],
    verify: Annotated[
        bool, typer.Option("--verify", help="Compare a trained transformer with its base weights")
    ] = False,
    base: Annotated[
        str | None, typer.Option(help="Base weights, if not where the config says")
    ] = None,
    json_path: Annotated[
        Path | None,
        typer.Option("--json", help="Write the report to a file, or - for the terminal"),
    ] = None,
    code: Code = None,
) -> None:
    """
    Say which parameters learn, block by block, and with --verify which have changed. Settings of
    a config can be overridden as in `spacy train`: --components.transformer.model.freeze 4
    """
    from ..training.freeze_report import freeze_report

    path = None if str(json_path) == "-" else json_path
    check_files([path], [source, base])
    import_code(code)
    overrides = parse_config_overrides(ctx.args)
    report = freeze_report(source, verify=verify, base=base, overrides=overrides)
    content = json.dumps(report.to_dict(), indent=2)
    if path is not None:
        write_whole({path: f"{content}\n".encode()})
    elif json_path is not None:
        typer.echo(content)
        return
    msg.table(
        [
            (row.block, f"{row.parameters:,}", f"{row.trainable:,}", f"{row.share:.0%}")
            for row in report.blocks.itertuples()
        ],
        header=("Block", "Parameters", "Learned" if report.is_trained else "Learn", "Share"),
        aligns=tuple("lrrr"),
    )
    msg.info(report.summary())
    if report.not_in_base:
        msg.warn(
            f"{len(report.not_in_base)} tensors are not in the base weights, so they began at "
            "random and can't be compared",
            ", ".join(report.not_in_base),
        )
    if report.changes is not None:
        changed = report.changes[report.changes["changed"]]
        if changed.empty:
            msg.good(f"None of the {len(report.changes)} tensors of the transformer changed.")
            return
        msg.table(
            [
                (row.tensor, f"{row.largest:.2g}", f"{row.relative:.2%}")
                for row in changed.itertuples()
            ],
            header=("Changed tensor", "Largest change", "Change of the whole"),
            aligns=tuple("lrr"),
        )
        merged = {tensor for adapters in report.lora for tensor in adapters["tensors"]}
        n_merged = int(changed["tensor"].isin(merged).sum())
        note = f", {n_merged} of them because LoRA adapters were merged into them" if merged else ""
        msg.info(f"{len(changed)} of the {len(report.changes)} tensors changed{note}.")
