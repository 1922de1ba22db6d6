"""`python -m spacy bertreg explain`"""

from pathlib import Path
from typing import Annotated

import typer
from wasabi import msg

from .group import Code, bertreg_cli, plain_errors


@bertreg_cli.command("explain")
def explain_cli(
    pipeline: Annotated[str, typer.Argument(help="Trained pipeline: a folder or a package")],
    text: Annotated[str, typer.Argument(help="The text")],
    output: Annotated[
        Path | None, typer.Option("--output", "-o", help="HTML file with the terms in colours")
    ] = None,
    component: Annotated[
        str | None, typer.Option(help="Which dictionary_regressor, if there are several")
    ] = None,
    target: Annotated[str | None, typer.Option(help="Which target, if there are several")] = None,
    code: Code = None,
) -> None:
    """
    Say what each term of a trained dictionary adds to the prediction of a text.
    """
    with plain_errors():
        import spacy

        from ..data.files import check_files, write_whole
        from ..report.terms import find_dictionary, render_terms
        from ..scoring.loading import import_code

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
        rows += [
            (span.text, span.label_, span.id_, f"{value:+.3f}")
            for span, value in zip(group, contributions, strict=True)
        ]
        total = f"{base + sum(contributions):.3f}"
        place = dictionary.targets.index(target)
        if dictionary.scale.is_curved[place]:
            rows.append((f"sum, on the {dictionary.scale.transforms[place]} scale", "", "", total))
            total = f"{doc.cats[dictionary.output_keys[target]]:.3f}"
        rows.append(("prediction", "", "", total))
        if output is not None:
            write_whole({output: page.encode("utf-8")})
        msg.table(rows, header=("Text", "Term", "Category", target), aligns=("l", "l", "l", "r"))
        if output is not None:
            msg.good("Wrote", output)
