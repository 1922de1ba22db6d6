"""What all figures share: colours, sizes, and how they become files."""

import io
import re
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import cycle
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from matplotlib.figure import Figure

# Okabe & Ito's colours, without the yellow that is hard to see on white.
COLOURS = ["#0072b2", "#d55e00", "#009e73", "#cc79a7", "#e69f00", "#56b4e9", "#000000"]
MARKERS = ["o", "s", "^", "D", "v"]
GREY = "0.45"
# Narrow, so that it can still be read when a phone shrinks it.
WIDTH = 5.8
STYLE: Any = {
    "font.size": 11,
    "axes.titlesize": 11,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "legend.frameon": False,
    # Visible on white and on black.
    "grid.color": "#888888",
    # 10⁻⁵ in place of 1e-5.
    "axes.formatter.use_mathtext": True,
    # Otherwise matplotlib draws the ids of an SVG at random.
    "svg.hashsalt": "spacy-bertreg",
}


@dataclass(frozen=True)
class Plot:
    """A figure with its texts.

    name (str): The name of its files, without an ending.
    figure (Figure): The figure.
    alt (str): What it shows, for those who can't see it.
    caption (str): How to read it.
    """

    name: str
    figure: "Figure"
    alt: str
    caption: str


@contextmanager
def drawing_style() -> Iterator[None]:
    """Draw and save figures in the report's style inside of this context.

    RAISES (ImportError): matplotlib is not installed.
    """
    with _matplotlib().rc_context(STYLE):
        yield


def new_figure(height: float, width: float = WIDTH) -> "Figure":
    """Make an empty figure of this size, in inches.

    RAISES (ImportError): matplotlib is not installed.
    """
    return _matplotlib().figure.Figure(figsize=(width, height), layout="constrained")


def model_styles(models: Sequence[str]) -> dict[str, dict[str, Any]]:
    """Give each model a colour and a marker, for matplotlib."""
    styles = zip(models, cycle(COLOURS), cycle(MARKERS), strict=False)
    return {model: {"color": colour, "marker": marker} for model, colour, marker in styles}


def plain(text: str) -> str:
    """Escape a text for matplotlib, which reads formulas between dollar signs and leaves names that
    begin with an underscore out of legends. Cut it if it is long.
    """
    short = text if len(text) <= 30 else text[:29] + "…"
    return (" " if text.startswith("_") else "") + short.replace("$", r"\$")


def legend_columns(names: Iterable[str]) -> int:
    """Count how many of a legend's names fit beside each other."""
    lengths = [len(plain(name)) for name in names]
    return max(1, min(len(lengths), 56 // (max(lengths) + 5)))


def file_name(text: str) -> str:
    """Make a file name of a text that is safe everywhere."""
    return re.sub(r"[^\w-]+", "_", text)[:80]


def render(plot: Plot) -> dict[str, bytes]:
    """Draw the files of a figure, always with the same bytes."""
    files = {}
    # In an SVG, which the page holds, only clouds of points have a resolution.
    for ending, dpi, metadata in (("svg", 144, {"Date": None}), ("png", 200, {"Software": None})):
        image = io.BytesIO()
        plot.figure.savefig(image, format=ending, dpi=dpi, metadata=metadata)
        files[f"{plot.name}.{ending}"] = image.getvalue()
    return files


def _matplotlib() -> Any:
    try:
        import matplotlib.figure
    except ImportError as error:
        raise ImportError("Figures need matplotlib: pip install 'spacy-bertreg[plot]'") from error
    return matplotlib
