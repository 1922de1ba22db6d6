"""`python -m spacy bertreg faithfulness`"""

import json
from pathlib import Path
from typing import Annotated, Any

import typer
from spacy.cli._util import setup_gpu
from wasabi import msg

from ..data.files import check_files, write_whole
from ..scoring.loading import import_code
from .group import bertreg_cli, plain_errors
from .options import Code, GpuId, Pipeline, Seed
from .terminal import print_table


@bertreg_cli.command("faithfulness")
@plain_errors()
def faithfulness_cli(
    pipeline: Pipeline,
    data: Annotated[Path, typer.Argument(help="Documents, a .spacy file")],
    methods: Annotated[
        list[str] | None,
        typer.Option("--method", help="Explanation method; may be repeated; by default all"),
    ] = None,
    dictionary: Annotated[
        str | None, typer.Option(help="Trained pipeline with a dictionary, to compare with")
    ] = None,
    component: Annotated[
        str | None, typer.Option(help="Which text_regressor, if there are several")
    ] = None,
    target: Annotated[str | None, typer.Option(help="Which target, if there are several")] = None,
    max_docs: Annotated[
        int, typer.Option(min=1, help="Number of documents to draw at random")
    ] = 200,
    n_random: Annotated[
        int,
        typer.Option(
            "--random-orders", min=1, help="Number of random orders of a document's words"
        ),
    ] = 5,
    n_resamples: Annotated[int, typer.Option(min=1, help="Number of bootstrap samples")] = 2000,
    output: Annotated[Path | None, typer.Option("--output", "-o", help="JSON file")] = None,
    csv: Annotated[Path | None, typer.Option(help="CSV file with the same table")] = None,
    seed: Seed = 0,
    gpu_id: GpuId = -1,
    code: Code = None,
) -> None:
    """
    Measure how faithful explanations are: how much the prediction changes, in the target's standard
    deviations, when the strongest words are removed (comprehensiveness: more is better) or only
    they are left (sufficiency: less is better). Compare with random words and a dictionary's.
    """
    setup_gpu(gpu_id, silent=True)
    import spacy

    from ..comparison.faithfulness import measure_faithfulness
    from ..comparison.test_set import read_test_set
    from ..report.explained import find_regressor

    check_files([output, csv], [pipeline, data, dictionary])
    import_code(code)
    # The component does not keep its pipeline alive.
    nlp = spacy.load(pipeline)
    regressor: Any = find_regressor(nlp, component, text=True)
    found = measure_faithfulness(
        regressor,
        read_test_set(data),
        target=target,
        methods=methods or (),
        dictionary=None if dictionary is None else spacy.load(dictionary),
        max_docs=max_docs,
        n_random=n_random,
        n_resamples=n_resamples,
        seed=seed,
    )
    files = {}
    if output is not None:
        files[output] = (json.dumps(found.to_dict(), indent=2) + "\n").encode("utf-8")
    if csv is not None:
        files[csv] = found.table.to_csv(index=False).encode("utf-8")
    write_whole(files)
    shown = found.table.copy()
    for name in ("area", "over_random", "over_dictionary"):
        if name in shown:
            low, high = shown.pop(f"{name}_low"), shown.pop(f"{name}_high")
            columns = zip(shown[name], low, high, strict=True)
            shown[name] = [
                "" if v != v else f"{v:+.3f} ({a:+.3f} to {b:+.3f})" for v, a, b in columns
            ]
    print_table(shown.map(lambda v: f"{v:.3f}" if isinstance(v, float) else v), n_left=3)
    for method, rate in found.speed.items():
        msg.text(f"{method}: {rate:,.2f} documents/s")
    for method, reason in found.left_out.items():
        msg.info(f"{method} is left out: {reason}")
    msg.info(f"{found.n} documents, target {found.target}.")
    for path in files:
        msg.good("Wrote", path)
