"""`python -m spacy bertreg lexicon`"""

import io
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from wasabi import msg

from ..data.files import check_files, write_whole
from ..scoring.loading import import_code
from .group import bertreg_cli, plain_errors
from .options import Code, Pipeline, Seed
from .terminal import print_table

if TYPE_CHECKING:
    import pandas as pd


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
    n_terms: Annotated[int, typer.Option("--top", min=1, help="Number of terms to show")] = 20,
    component: Annotated[
        str | None, typer.Option(help="Which regressor, if there are several")
    ] = None,
    target: Annotated[str | None, typer.Option(help="Which target to plot, if several")] = None,
    data: Annotated[
        Path | None,
        typer.Option(help="For a text_regressor: a .spacy file with the texts to take words from"),
    ] = None,
    method: Annotated[str | None, typer.Option(help="With --data: method, as in explain")] = None,
    max_docs: Annotated[
        int | None,
        typer.Option(min=1, help="With --data: number of texts to draw at random; default all"),
    ] = None,
    min_documents: Annotated[
        int, typer.Option(min=1, help="With --data: least number of texts that have a word")
    ] = 5,
    seed: Seed = 0,
    code: Code = None,
) -> None:
    """
    List what the terms of a trained dictionary, or with --data the words of texts for a
    text_regressor, add to the prediction on average, the most important first. A word whose sign
    changes with its context is marked by ±.
    """
    import spacy

    from ..comparison.test_set import read_test_set
    from ..report.explained import find_regressor
    from ..report.terms import find_dictionary, lexicon_table, plot_lexicon
    from ..report.words import word_table

    check_files([output, plot], [pipeline, data])
    if plot is not None and plot.suffix not in (".png", ".svg", ".pdf"):
        raise ValueError(f"Can't draw {plot}. Expected a name in .png, .svg or .pdf.")
    import_code(code)
    nlp = spacy.load(pipeline)
    if data is None:
        regressor: Any = find_dictionary(nlp, component)
        table = lexicon_table(regressor)
    else:
        regressor = find_regressor(nlp, component, text=True)
        table = word_table(
            regressor,
            read_test_set(data),
            method=method,
            max_docs=max_docs,
            min_documents=min_documents,
            seed=seed,
        )
    target = target or regressor.targets[0]
    if target not in regressor.targets:
        raise ValueError(
            f"{regressor.name!r} has no target {target!r}. It has: {', '.join(regressor.targets)}."
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
    if data is not None:
        shown = _summarise(shown, target)
    print_table(shown.map(lambda v: f"{v:+.3f}" if isinstance(v, float) else v), n_left=2)
    msg.info(f"{len(shown)} of {len(table)} terms.")
    for path in files:
        msg.good("Wrote", path)


def _summarise(table: "pd.DataFrame", target: str) -> "pd.DataFrame":
    """Take the columns of one target that fit into a terminal."""
    signs = table[f"changes_sign:{target}"].map({True: "±", False: ""})
    return table.assign(sign=signs).rename(columns={"sign": ""})[
        ["term", "", "document_frequency", *(f"{c}:{target}" for c in ("contribution", "sd"))]
    ]
