"""One look for all pictures: sheet, colours, words.

Colours are those of Okabe and Ito (2008), told apart in every kind of colour vision; none carries
a meaning that a word or a shape does not carry too.
"""

from __future__ import annotations

from collections.abc import Generator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, TypeAlias

# matplotlib leaves its keyword arguments without types, which strict checking refuses.
Axes: TypeAlias = Any
Figure: TypeAlias = Any

DPI = 120
INK = "#1d2733"
QUIET = "#66727f"
HAIR = "#d3d9df"
SHADE = "#eef1f4"
MEASURED = "#0072b2"
BOUND = "#56b4e9"
TRUTH = "#d55e00"
GOOD = "#00785a"
BAD = "#b3261e"
# Joints 4 to 6 are dashed too: two joints may well do the same.
DASHES: tuple[Any, ...] = ("-", "-", "-", *(((0, (4, 1.4)),) * 3))
JOINTS = ("#0072b2", "#d55e00", "#009e73", "#cc79a7", "#e69f00", "#1d2733")

_STYLE: dict[str, Any] = {
    "font.family": "DejaVu Sans",  # comes with matplotlib: the same on every machine
    "font.size": 9.5,
    "text.color": INK,
    "axes.edgecolor": QUIET,
    "axes.labelcolor": INK,
    "axes.titlecolor": INK,
    "axes.titlesize": 10.5,
    "axes.titlelocation": "left",
    "axes.linewidth": 0.8,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "xtick.color": QUIET,
    "ytick.color": QUIET,
    "xtick.labelcolor": INK,
    "ytick.labelcolor": INK,
    "legend.frameon": False,
    "lines.solid_capstyle": "round",
}


@contextmanager
def sheet(path: Path, width_in: float, height_in: float) -> Generator[Figure]:
    """Give an empty figure and write it as PNG to `path` when the block ends.

    Settings of the user's own matplotlib do not matter, and no date or version is written.
    """
    import matplotlib
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure as NewFigure

    library: Any = matplotlib
    with library.rc_context():
        library.rcdefaults()
        library.rcParams.update(_STYLE)
        figure: Figure = NewFigure(figsize=(width_in, height_in), dpi=DPI)
        FigureCanvasAgg(figure)
        yield figure
        figure.savefig(path, dpi=DPI, metadata={"Software": None})


def place(figure: Figure, left: float, bottom: float, width: float, height: float) -> Axes:
    """Add axes at a place given in inches from the lower left corner of the sheet."""
    across, up = figure.get_size_inches()
    return figure.add_axes((left / across, bottom / up, width / across, height / up))


def write(
    figure: Figure, left: float, bottom: float, words: str, size: float = 9.5, **look: object
) -> None:
    """Write words at a place given in inches from the lower left corner of the sheet."""
    across, up = figure.get_size_inches()
    figure.text(left / across, bottom / up, words, fontsize=size, **look)


def frame(axes: Axes) -> None:
    """Close the box around axes: a view, not a graph."""
    for spine in axes.spines.values():
        spine.set_visible(True)
        spine.set_color(HAIR)


def name_ends(axes: Axes, ends: Sequence[float], names: Sequence[str], share: float) -> None:
    """Write the name of each joint's line right of where it ends, in its colour.

    Names are moved as little as it takes to be a share of the axes' height apart.
    """
    low, high = axes.get_ylim()
    order = sorted(range(len(ends)), key=ends.__getitem__)
    heights = _apart([ends[joint] for joint in order], share * (high - low))
    for joint, height in zip(order, heights, strict=True):
        look = {"transform": axes.get_yaxis_transform(), "va": "center", "color": JOINTS[joint]}
        axes.text(1.01, height, names[joint].replace("-", "\u2212"), **look)


def _apart(heights: list[float], gap: float) -> list[float]:
    """Move ascending heights as little as it takes to be `gap` apart, about where they were."""
    placed = list(heights)
    for _ in range(64):
        for i in range(1, len(placed)):
            push = 0.5 * max(gap - (placed[i] - placed[i - 1]), 0.0)
            placed[i - 1] -= push
            placed[i] += push
    return placed
