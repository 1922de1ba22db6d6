"""The page of a comparison."""

from pathlib import Path

from jinja2 import Environment, FileSystemLoader, StrictUndefined, Template

from ..comparison.bootstrap import METRIC_TITLES
from ..comparison.models import COSTS
from ..comparison.test_set import read_test_set
from ..comparison.verdict import plural
from ..data.files import check_files, write_whole
from .card import make_card
from .disagreement import load_explaining
from .drawing import Plot, drawing_style
from .formatting import DECIMALS, FORMATS, excludes_zero
from .read import Results, read_curves, read_results, read_sizes
from .section import Images, make_section
from .training_plots import plot_curves, plot_sizes


def make_report(folder: str | Path) -> list[Path]:
    """Make the page of a comparison: index.html, and its figures as files in plots/.

    folder (str | Path): Where `compare` wrote to.
    RETURNS (list[Path]): The files, the page first.
    RAISES (FileNotFoundError, ValueError): A file of `compare` is missing or malformed.
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
    images = Images(folder / "plots")
    with drawing_style():
        sections = [
            make_section(results, i + 1, texts, explaining, images)
            for i in range(len(results.targets))
        ]
        training = [images.add(plot) for plot in _training_plots(results, folder)]
    unit = comparison["interval"].get("unit", "document")
    level = f"{comparison['interval'].get('level', 0.95):.0%}".replace("%", "\u00a0%")
    decimals = {section["target"]: section["decimals"] for section in sections}
    page = get_template("page.html").render(
        comparison=comparison,
        title=f"Models compared on {'/'.join(path.parts[-2:])}",
        cards=[
            make_card(verdict, results, level, decimals.get(verdict["target"], DECIMALS))
            for verdict in comparison["verdicts"]
        ],
        sections=sections,
        training=training,
        costs=[model for model in models if any(model.get(key) is not None for key in COSTS)],
        several_runs=any(len(model["runs"]) > 1 for model in models),
        baselines=[model["name"] for model in models if model["kind"] == "baseline"],
        interval=comparison["interval"],
        level=level,
        unit=unit.partition(",")[0],
        units=plural(unit),
        grouped=unit == "group",
        titles=METRIC_TITLES,
        texts_found=bool(texts),
        explaining=list(explaining),
    )
    write_whole({folder / "index.html": page.encode("utf-8"), **images.files})
    return [folder / "index.html", *images.files]


def _training_plots(results: Results, folder: Path) -> list[Plot]:
    plots = []
    if curves := read_curves(results.comparison):
        plots.append(plot_curves(curves, results.models()))
    if (sizes := read_sizes(folder)) is not None:
        plots.append(plot_sizes(sizes, results.models()))
    return plots


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
