"""The page of a comparison."""

from itertools import groupby
from pathlib import Path
from typing import Any

import pandas as pd
from jinja2 import Environment, FileSystemLoader, StrictUndefined, Template

from ..comparison.bootstrap import METRIC_TITLES
from ..comparison.models import COSTS
from ..comparison.test_set import read_test_set
from ..comparison.verdict import plural
from ..data.files import check_files, write_whole
from .disagreement import Explaining, disagreements, load_explaining
from .drawing import Plot, data_uri, drawing_style, file_name, render
from .formatting import FORMATS, excludes_zero
from .plots import plot_folds, plot_metrics, plot_predictions, plot_residuals
from .read import Results, read_curves, read_results, read_sizes
from .training_plots import plot_curves, plot_sizes


def make_report(folder: str | Path) -> list[Path]:
    """Make the page of a comparison: index.html, and its figures as files in plots/.

    folder (str | Path): Where `compare` wrote to.
    RETURNS (list[Path]): The files, the page first.
    RAISES (FileNotFoundError, ValueError): What `compare` writes is missing or malformed.
    RAISES (ImportError): matplotlib is not installed.
    """
    folder = Path(folder)
    check_files([folder / "index.html", folder / "plots" / "any.png"])
    results = read_results(folder)
    comparison = results.comparison
    models = comparison["models"]
    path = Path(comparison["test"])
    test = read_test_set(path) if path.is_file() else None
    texts = {} if test is None else dict(zip(test.ids, test.texts, strict=True))
    explaining = load_explaining(results) if texts else {}
    files: dict[Path, bytes] = {}
    with drawing_style():
        sections = [
            _section(results, target, f"{i}-{file_name(target)}", texts, explaining, files, folder)
            for i, target in enumerate(results.targets, start=1)
        ]
        training = [_image(plot, files, folder) for plot in _training_plots(results, folder)]
    unit = comparison["interval"].get("unit", "document")
    page = get_template("page.html").render(
        comparison=comparison,
        title=f"Models compared on {path.name}",
        sections=sections,
        training=training,
        costs=[model for model in models if any(model.get(key) is not None for key in COSTS)],
        several_runs=any(len(model["runs"]) > 1 for model in models),
        baselines=[model["name"] for model in models if model["kind"] == "baseline"],
        interval=comparison["interval"],
        level=f"{comparison['interval'].get('level', 0.95):.0%}".replace("%", " %"),
        unit=unit.partition(",")[0],
        units=plural(unit),
        grouped=unit == "group",
        titles=METRIC_TITLES,
        texts_found=bool(texts),
        explaining=list(explaining),
    )
    write_whole({folder / "index.html": page.encode("utf-8"), **files})
    return [folder / "index.html", *files]


def _section(
    results: Results,
    target: str,
    name: str,
    texts: dict[str, str],
    explaining: dict[str, Explaining],
    files: dict[Path, bytes],
    folder: Path,
) -> dict[str, Any]:
    metrics = results.rows("scores", target)
    documents, predictions = results.of_target(target)
    plots = [plot_metrics(f"{name}-scores", metrics, results.models())]
    if len(documents) and predictions.shape[1]:
        gold = documents["gold"].to_numpy()
        residuals = predictions.rsub(gold, axis=0).reset_index(drop=True)
        lengths = documents["length"].to_numpy()
        plots += [
            plot_predictions(f"{name}-predicted", target, gold, predictions, metrics),
            plot_residuals(f"{name}-residuals", target, residuals, gold, f"observed {target}", 4),
            plot_residuals(f"{name}-lengths", target, residuals, lengths, "length in words", 5),
        ]
    folds = pd.DataFrame(results.rows("folds", target))
    fold_plot = plot_folds(f"{name}-folds", folds, results.models()) if len(folds) else None
    several = {model["name"] for model in results.comparison["models"] if len(model["runs"]) > 1}
    runs = [r for r in results.rows("runs", target) if r["model"] in several or r.get("diverged")]
    return {
        "target": target,
        "metrics": metrics,
        "differences": results.rows("differences", target),
        "runs": _with_spread(runs),
        "coverage": results.rows("coverage", target),
        "folds": None if fold_plot is None else _image(fold_plot, files, folder),
        "images": [_image(plot, files, folder) for plot in plots if plot is not None],
        "models": list(predictions.columns),
        "disagreements": disagreements(target, documents, predictions, texts, explaining),
    }


def _with_spread(runs: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Add a row with the standard deviations between the runs behind those of each model."""
    rows = []
    for model, group in groupby(runs, key=lambda run: run["model"]):
        model_runs = list(group)
        rows += model_runs
        if len(model_runs) > 1:
            table = pd.DataFrame(model_runs).reindex(columns=list(METRIC_TITLES))
            spread = table.astype(float).std().dropna().to_dict()
            rows.append({"model": model, "run": "standard deviation", "is_spread": True} | spread)
    return rows


def _training_plots(results: Results, folder: Path) -> list[Plot]:
    plots = []
    if curves := read_curves(results.comparison):
        plots.append(plot_curves(curves, results.models()))
    if (sizes := read_sizes(folder)) is not None:
        plots.append(plot_sizes(sizes, results.models()))
    return plots


def _image(plot: Plot, files: dict[Path, bytes], folder: Path) -> dict[str, Any]:
    """Add the plot's files to `files`, and collect what the page needs of it."""
    rendered = render(plot)
    files.update({folder / "plots" / name: content for name, content in rendered.items()})
    width, height = plot.figure.get_size_inches() * 96
    return {
        "source": data_uri(rendered[f"{plot.name}.svg"]),
        "width": round(width),
        "height": round(height),
        "alt": plot.alt,
        "caption": plot.caption,
    }


def get_template(name: str) -> Template:
    """Get one of this package's templates of pages."""
    environment = Environment(
        loader=FileSystemLoader(Path(__file__).parent),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters.update(FORMATS)
    environment.globals.update(FORMATS, excludes_zero=excludes_zero)
    return environment.get_template(name)
