"""The results as a picture: recall, ids moved, and latency, over selectivity."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from itertools import cycle
from pathlib import Path
from typing import Any

import matplotlib as mpl
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from benchmarks.retrieval.contenders import OURS, UNFILTERED
from benchmarks.retrieval.corpus import PLACEMENTS, Placement
from benchmarks.retrieval.results import Point, Results

__all__ = ["draw"]

_TITLES: dict[Placement, str] = {
    "spread": "Allowed objects spread evenly",
    "far": "Allowed objects rank last for the question",
}
_COLOURS = {"auth0-ai-langchain": "#0072b2", "langchain-spicedb": "#009e73", "wardowl": "#d55e00"}
_VARIANTS = (("o", "-"), ("s", "--"), ("^", ":"))


def draw(results: Results, file: Path) -> None:
    """Draws the results into an SVG file that is the same whenever they are."""
    latency = max(results.setting.latencies_ms)
    names = _shown(results)
    # Without these two, each run would give other ids and another date.
    with mpl.rc_context({"svg.hashsalt": "retrieval", "font.size": 9}):
        figure = Figure(figsize=(9, 9.5), layout="constrained")
        axes = figure.subplots(3, 2, sharex=True, sharey="row")
        rows: tuple[tuple[str, Callable[[Point], float], str], ...] = (
            (f"Authorized recall@{results.setting.k}", lambda point: point.recall, "linear"),
            ("Object ids moved, mean", lambda point: max(point.mean_ids, 1), "log"),
            (f"Latency, mean, ms\n({latency:g} ms a request)", lambda point: point.mean_ms, "log"),
        )
        for row, (label, value, scale) in enumerate(rows):
            for column, placement in enumerate(PLACEMENTS):
                axis: Axes = axes[row][column]
                points = [
                    point
                    for point in results.points
                    if point.placement == placement and point.latency_ms == latency
                ]
                _lines(axis, names, points, value)
                axis.set_yscale(scale)
                axis.set_xscale("log")
                axis.minorticks_off()
                axis.grid(visible=True, color="#dddddd", linewidth=0.6)
                if row == 0:
                    axis.set_title(_TITLES[placement])
                if column == 0:
                    axis.set_ylabel(label)
        for axis in axes[-1]:
            axis.set_xticks(
                results.setting.selectivities,
                [f"{selectivity:g}" for selectivity in results.setting.selectivities],
            )
            axis.set_xlabel("Selectivity (share of objects that the subject may read)")
        axes[0][0].invert_xaxis()
        handles, labels = axes[0][0].get_legend_handles_labels()
        figure.legend(handles, labels, loc="outside lower center", ncols=2, frameon=False)
        figure.savefig(file, metadata={"Date": None})


def _shown(results: Results) -> list[str]:
    """Everyone, except where a line would hide another: one strategy of ours, and no baseline."""
    names = list(dict.fromkeys(point.contender for point in results.points))
    ours = [name for name in names if name.startswith(OURS)]
    best = next((name for name in ours if name.endswith("auto")), *ours[:1])
    others = [name for name in names if name not in ours and not name.startswith(UNFILTERED)]
    return [best, *others]


def _lines(
    axis: Axes, names: Sequence[str], points: Sequence[Point], value: Callable[[Point], float]
) -> None:
    styles = _styles(names)
    for name in names:
        own = sorted(
            (point for point in points if point.contender == name),
            key=lambda point: point.selectivity,
        )
        axis.plot(
            [point.selectivity for point in own],
            [value(point) for point in own],
            label=name,
            **styles[name],
        )


def _styles(names: Sequence[str]) -> dict[str, dict[str, Any]]:
    """A color for each package, a marker and a dash for each of its variants."""
    styles: dict[str, dict[str, Any]] = {}
    for package, color in _COLOURS.items():
        variants = [name for name in names if name.startswith(package)]
        for name, (marker, dash) in zip(variants, cycle(_VARIANTS), strict=False):
            styles[name] = {"color": color, "marker": marker, "linestyle": dash, "markersize": 5}
    for name in names:
        if name not in styles:
            styles[name] = {
                "color": "black",
                "marker": "*",
                "linewidth": 2.2,
                "markersize": 9,
                "zorder": 3,
            }
    return styles
