"""The results as Markdown."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from benchmarks.common.tables import markdown_table
from benchmarks.retrieval.contenders import OURS, UNFILTERED
from benchmarks.retrieval.corpus import PLACEMENTS
from benchmarks.retrieval.results import Point, Results

__all__ = ["as_markdown"]


def as_markdown(results: Results) -> str:
    """All tables, with a line on what was measured."""
    slowest = max(results.setting.latencies_ms)
    quickest = min(results.setting.latencies_ms)
    k = results.setting.k
    everyone = list(dict.fromkeys(point.contender for point in results.points))
    unfiltered = [name for name in everyone if name.startswith(UNFILTERED)]
    names = [name for name in everyone if name not in unfiltered]
    ours = [name for name in names if name.startswith(OURS)]
    parts = [
        _setting(results),
        f"**Authorized recall@{k}** (mean; 1.000 is every passage of the exact answer), and "
        "passages returned that the subject may not read, in all answers together:",
        _table(results, names, quickest, _recall, ("leaks", _leaks)),
        *_failures(results),
        f"**Permission round trips / object ids moved** (checked plus listed; the worst of "
        f"{results.setting.questions} answers each):",
        _table(results, names, slowest, _rounds_and_ids),
        *(
            part
            for latency in results.setting.latencies_ms
            for part in (
                f"**Latency in ms at {latency:g} ms for each permission request**, mean (p95):",
                _table(results, [*unfiltered, *names], latency, _latency),
            )
        ),
        f"**{OURS} in proportion.** Median latency to that of the unfiltered search of the same "
        f"store, at {quickest:g} ms for each permission request:",
        _table(results, ours, quickest, lambda point: f"{point.slowdown:.2f}"),
        "Ids moved to those that the cheaper pure strategy moves for the same recall; the mean of "
        "all answers, and in brackets how many of them moved more than the bound:",
        _table(results, ours, slowest, _ids_ratio),
    ]
    return "\n\n".join(parts)


def _setting(results: Results) -> str:
    setting = results.setting
    versions = {**setting.versions, **setting.peer_versions}
    return (
        f"{setting.chunks:,} chunks of {setting.objects:,} objects in {setting.dimensions} "
        f"dimensions, {setting.questions} questions a point, k = {setting.k}, seed {setting.seed}; "
        f"{setting.cores} cores, Python {setting.python}, "
        f"{', '.join(f'{name} {version}' for name, version in sorted(versions.items()))}."
    )


def _failures(results: Results) -> list[str]:
    return [
        f"Not in the tables, since it fails at every question: {failure.contender} "
        f"(`{failure.error}`)."
        for failure in results.failures
    ]


def _recall(point: Point) -> str:
    return f"{point.recall:.3f}" + (f" ({point.errors} errors)" if point.errors else "")


def _leaks(points: Sequence[Point]) -> str:
    return str(sum(point.leaks for point in points))


def _rounds_and_ids(point: Point) -> str:
    return f"{point.worst_rounds} / {point.worst_ids:,}"


def _latency(point: Point) -> str:
    return f"{_milliseconds(point.mean_ms)} ({_milliseconds(point.p95_ms)})"


def _milliseconds(value: float) -> str:
    return f"{value:.1f}" if value < 10 else f"{value:,.0f}"


def _ids_ratio(point: Point) -> str:
    return f"{point.mean_ids / point.mean_cheapest_ids:.2f} ({point.over_bound})"


def _table(
    results: Results,
    names: Sequence[str],
    latency_ms: float,
    cell: Callable[[Point], str],
    total: tuple[str, Callable[[Sequence[Point]], str]] | None = None,
) -> str:
    where = [
        (placement, selectivity)
        for placement in PLACEMENTS
        for selectivity in results.setting.selectivities
    ]
    header = ["contender", *(f"{placement} {selectivity:g}" for placement, selectivity in where)]
    rows = []
    for name in names:
        points = {
            (point.placement, point.selectivity): point
            for point in results.points
            if point.contender == name and point.latency_ms == latency_ms
        }
        row = [name, *(cell(points[place]) for place in where)]
        if total:
            row.append(total[1]([point for point in results.points if point.contender == name]))
        rows.append(row)
    if total:
        header.append(total[0])
    return markdown_table(header, rows)
