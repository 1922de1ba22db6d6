"""`python -m spacy bertreg lexicon`"""

import io
from pathlib import Path
from typing import Annotated

import typer
from wasabi import msg

from ..data.files import check_files, write_whole
from ..scoring.loading import import_code
from .group import bertreg_cli, plain_errors
from .options import Code, Component, Pipeline
from .terminal import print_table


@bertreg_cli.command("lexicon")
@plain_errors()
def lexicon_cli(
    pipeline: Pipeline,
    output: Annotated[
        Path | None, typer.Option("--output", "-o", help="CSV file for all terms")
    ] = None,
    plot: Annotated[
        Path | None, typer.Option(help="PNG, SVG or PDF file for a plot of the strongest terms")
    ] = None,
    n_terms: Annotated[int, typer.Option("--top", min=1, help="How many terms to show")] = 20,
    component: Component = None,
    target: Annotated[str | None, typer.Option(help="Which target to plot, if several")] = None,
    code: Code = None,
) -> None:
    """
    List the terms of a trained dictionary: category, weight, number of training documents, and mean
    contribution to the prediction. First come those that matter most.
    """
    import spacy

    from ..report.terms import find_dictionary, lexicon_table, plot_lexicon

    check_files([output, plot], [pipeline])
    if plot is not None and plot.suffix not in (".png", ".svg", ".pdf"):
        raise ValueError(f"Can't draw {plot}. Expected a name in .png, .svg or .pdf.")
    import_code(code)
    dictionary = find_dictionary(spacy.load(pipeline), component)
    table = lexicon_table(dictionary)
    target = target or dictionary.targets[0]
    if target not in dictionary.targets:
        raise ValueError(
            f"The dictionary has no target {target!r}. It has: {', '.join(dictionary.targets)}."
        )
    files: dict[Path, bytes] = {}
    if output is not None:
        files[output] = table.to_csv(index=False).encode("utf-8")
    if plot is not None:
        image = io.BytesIO()
        figure = plot_lexicon(table, target, n_terms)
        figure.savefig(image, format=plot.suffix[1:], dpi=150)
        files[plot] = image.getvalue()
    write_whole(files)
    shown = table.head(n_terms)
    print_table(shown.map(lambda v: f"{v:+.3f}" if isinstance(v, float) else v), n_left=2)
    msg.info(f"{len(shown)} of {len(table)} terms.")
    for path in files:
        msg.good("Wrote", path)
