"""`python -m spacy bertreg explain`"""

from pathlib import Path
from typing import Annotated

import typer
from wasabi import msg

from ..data.files import check_files, write_whole
from ..scoring.loading import import_code
from .group import bertreg_cli, plain_errors
from .options import Code, Component, Pipeline


@bertreg_cli.command("explain")
@plain_errors()
def explain_cli(
    pipeline: Pipeline,
    text: Annotated[str, typer.Argument(help="The text")],
    output: Annotated[
        Path | None, typer.Option("--output", "-o", help="HTML file with the terms in colours")
    ] = None,
    component: Component = None,
    target: Annotated[str | None, typer.Option(help="Which target, if there are several")] = None,
    code: Code = None,
) -> None:
    """
    Say what each term of a trained dictionary adds to the prediction of a text.
    """
    import spacy

    from ..report.terms import find_dictionary, render_terms

    check_files([output], [pipeline])
    import_code(code)
    nlp = spacy.load(pipeline)
    dictionary = find_dictionary(nlp, component)
    target = target or dictionary.targets[0]
    key = dictionary.spans_key
    if key is None:
        raise ValueError(
            f"spans_key is null in [components.{dictionary.name}], so the pipeline keeps no "
            "terms. Expected a text."
        )
    doc = nlp(text)
    page = render_terms(doc, target, key)
    group = doc.spans[key]
    base = group.attrs["base"][target]
    contributions = group.attrs["contributions"][target]
    rows = [("without the terms", "", "", f"{base:.3f}")]
    for span, value in zip(group, contributions, strict=True):
        rows.append((span.text, span.label_, span.id_, f"{value:+.3f}"))
    total = f"{base + sum(contributions):.3f}"
    place = dictionary.targets.index(target)
    if dictionary.scale.is_curved[place]:
        rows.append((f"sum, on the {dictionary.scale.transforms[place]} scale", "", "", total))
        total = f"{doc.cats[dictionary.output_keys[target]]:.3f}"
    rows.append(("prediction", "", "", total))
    files = {} if output is None else {output: page.encode("utf-8")}
    write_whole(files)
    msg.table(rows, header=("Text", "Term", "Category", target), aligns=tuple("lllr"))
    for path in files:
        msg.good("Wrote", path)
