"""Reads charts of Office files: their titles, and their values as a table."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from xml.etree.ElementTree import Element

from managed_sync.documents.parsing.markdown_writer import paragraph, table
from managed_sync.documents.parsing.parsers.office.drawing_text import plain_text
from managed_sync.documents.parsing.parsers.office.number_formats.formats import NumberFormat

__all__ = ["chart_blocks"]

# More points than anybody sees in a chart are data that belong to a workbook.
_MAX_POINTS = 2_000


@dataclass
class _Series:
    """A row of values, by the number of their category."""

    name: str = ""
    categories: dict[int, str] = field(default_factory=dict)
    values: dict[int, str] = field(default_factory=dict)


def chart_blocks(root: Element, *, with_values: bool = True) -> list[str]:
    """Returns the titles of a chart and its values as Markdown.

    Args:
        root: The root of the chart's part, of either kind (``c:chartSpace``, ``cx:chartSpace``).
        with_values: Adds the table. Otherwise it has those values only that are in no cell of the
            same file, since a workbook has the values of its charts in its cells.
    """
    titles = [paragraph(_title(title)) for title in root.iter() if title.tag in _TITLES]
    labels = [
        paragraph(plain_text(rich))
        for label in root.iter("c:dLbl")
        for rich in label.iter("c:rich")
    ]
    series = [*_series(root), *_extended_series(root)] if with_values else [*_own_series(root)]
    return [block for block in [*titles, *_tables(series), *labels] if block]


_TITLES = {"c:title", "cx:title"}


def _title(title: Element) -> str:
    text = plain_text(title)
    return text or " ".join(v.text or "" for v in title.iter("c:v"))


def _tables(series: list[_Series]) -> Iterator[str]:
    """Yields a table for each group of series that have the same categories."""
    groups: list[list[_Series]] = []
    for one in series:
        if groups and groups[-1][0].categories == one.categories:
            groups[-1].append(one)
        else:
            groups.append([one])
    for group in groups:
        points = sorted({*group[0].categories, *(n for one in group for n in one.values)})
        header = ["", *(one.name for one in group)]
        rows = [
            [group[0].categories.get(n, ""), *(one.values.get(n, "") for one in group)]
            for n in points[:_MAX_POINTS]
        ]
        if rows or any(header):
            yield table([header, *rows]) if any(header) else table(rows)


def _own_series(root: Element) -> Iterator[_Series]:
    """Yields the series whose values the chart has from nowhere, or from another file."""
    for one in root.iter("c:ser"):
        values = next((child for child in one if child.tag in {"c:val", "c:yVal"}), None)
        source = None if values is None else next(values.iter("c:f"), None)
        if values is not None and (source is None or "[" in (source.text or "")):
            yield from _series(one)


def _series(root: Element) -> Iterator[_Series]:
    for one in root.iter("c:ser"):
        name = one.find("c:tx")
        series = _Series(
            " ".join(v.text or "" for v in name.iter("c:v")) if name is not None else ""
        )
        sizes: dict[int, str] = {}
        for child in one:
            match child.tag:
                case "c:cat" | "c:xVal":
                    series.categories = _points(child)
                case "c:val" | "c:yVal":
                    series.values = _points(child)
                case "c:bubbleSize":
                    sizes = _points(child)
        yield series
        if sizes:
            yield _Series(categories=series.categories, values=sizes)


def _points(parent: Element) -> dict[int, str]:
    """Returns the values that a chart keeps of its workbook, with all levels of categories."""
    points: dict[int, str] = {}
    code = next((one.text for one in parent.iter("c:formatCode")), None)
    shown = NumberFormat(code or "General")
    levels = [*parent.iter("c:lvl")]
    for level in reversed(levels or [parent]):
        level_points = {
            int(point.get("idx", "")): _shown(point, shown)
            for point in level.iter("c:pt")
            if point.get("idx", "").isdigit()
        }
        if not points:
            points = level_points
            continue
        # An outer category stands once, before the first of its inner ones.
        outer = ""
        for index in sorted({*points, *level_points}):
            outer = points.get(index, outer)
            points[index] = f"{outer} {level_points.get(index, '')}".strip()
    return points


def _shown(point: Element, shown: NumberFormat) -> str:
    value = next((v.text or "" for v in point.iter("c:v")), "")
    own = point.get("formatCode")
    try:
        return (NumberFormat(own) if own else shown).show(float(value))
    except (ValueError, OverflowError, ArithmeticError):
        return value


def _extended_series(root: Element) -> Iterator[_Series]:
    """Yields the series of the kinds of charts that Office added in 2016, as waterfalls."""
    data = {entry.get("id", ""): entry for entry in root.iter("cx:data")}
    for one in root.iter("cx:series"):
        named = next((v.text or "" for tx in one.iter("cx:tx") for v in tx.iter("cx:v")), "")
        reference = next((entry.get("val", "") for entry in one.iter("cx:dataId")), "")
        series = _Series(named)
        source = data.get(reference)
        if source is not None:
            for words in source.iter("cx:strDim"):
                series.categories = _extended_points(words)
            for numbers in source.iter("cx:numDim"):
                series.values = _extended_points(numbers)
        yield series


def _extended_points(parent: Element) -> dict[int, str]:
    points: dict[int, list[str]] = {}
    for level in reversed([*parent.iter("cx:lvl")]):
        for point in level.iter("cx:pt"):
            if point.get("idx", "").isdigit():
                points.setdefault(int(point.get("idx", "")), []).append(point.text or "")
    return {index: " ".join(parts) for index, parts in points.items()}
