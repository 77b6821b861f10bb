"""Sums up the files of each format and parser."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from statistics import median

from benchmarks.parsing.corpus.measures import Measured, Share
from benchmarks.parsing.corpus.runs import Apart, FileResult

__all__ = ["CorpusScore", "PartScore", "Worst", "scores", "worst_files"]

_LOST = 0.9


@dataclass(frozen=True)
class PartScore:
    """A part of the files of a format.

    Attributes:
        files: How many files that were read have this part.
        losing: How many of them lose more than a tenth of its words.
        recall: Of the words of the part in all files.
    """

    files: int
    losing: int
    recall: float


@dataclass(frozen=True)
class CorpusScore:
    """One parser on all files of one format; shares are from 0 to 1.

    Attributes:
        files: Files with text that are neither damaged nor protected.
        apart: How many others there are: damaged, protected, without text, not checkable.
        read: How many the parser reads.
        hangs: How many it did not read in time.
        crashes: How many ended its process.
        recall_median: Half of the files that were read keep at least this share of the words.
        recall: Of the words of all files that were read.
        under: The share of the files that were read which keep less than 0.9.
        made_up: The median share of the text's words that are not in the file, or too often.
        order: Of the words that a file has once, those in reading order: the mean.
        rows: Of the rows of tables.
        headings: F1 of the headings.
        seconds_per_megabyte: On one core.
        peak_megabytes: The most memory that a file took.
        parts: The parts of the files.
    """

    format: str
    parser: str
    files: int
    apart: int
    read: int
    hangs: int
    crashes: int
    recall_median: float | None
    recall: float | None
    under: float | None
    made_up: float | None
    order: float | None
    rows: float | None
    headings: float | None
    seconds_per_megabyte: float | None
    peak_megabytes: float | None
    parts: dict[str, PartScore] = field(default_factory=dict)


@dataclass(frozen=True)
class Worst:
    """A file of which a parser loses much, or that it does not read."""

    format: str
    parser: str
    path: str
    recall: float | None
    reason: str


def scores(results: Sequence[FileResult], apart: Sequence[Apart]) -> list[CorpusScore]:
    """Returns a score for each format and parser."""
    groups: dict[tuple[str, str], list[FileResult]] = defaultdict(list)
    for one in results:
        groups[one.format, one.parser].append(one)
    others = Counter(one.format for one in apart)
    return [_score(kind, parser, group, others[kind]) for (kind, parser), group in groups.items()]


def worst_files(results: Sequence[FileResult], count: int) -> list[Worst]:
    """Returns the files of each format and parser that keep least, or are not read."""
    groups: dict[tuple[str, str], list[Worst]] = defaultdict(list)
    for one in results:
        if one.failure:
            reason = f"{one.failure.kind}: {one.failure.reason}"
            worst = Worst(one.format, one.parser, one.path, None, reason)
        elif one.measured and (one.measured.recall.value or 0) < 1:
            lost = ", ".join(
                f"{part} {share.value:.2f} of {share.of}"
                for part, share in one.measured.parts.items()
                if share.value is not None and share.value < _LOST
            )
            recall = one.measured.recall.value
            worst = Worst(one.format, one.parser, one.path, recall, lost)
        else:
            continue
        groups[one.format, one.parser].append(worst)
    return [
        worst
        for group in groups.values()
        for worst in sorted(group, key=lambda one: -1 if one.recall is None else one.recall)[:count]
    ]


def _score(kind: str, parser: str, group: Sequence[FileResult], apart: int) -> CorpusScore:
    read = [one for one in group if one.measured]
    measured = [one.measured for one in read if one.measured]
    failures = Counter(one.failure.kind for one in group if one.failure)
    recalls = [value for one in measured if (value := one.recall.value) is not None]
    megabytes = sum(one.bytes for one in read) / 1e6
    return CorpusScore(
        format=kind,
        parser=parser,
        files=len(group),
        apart=apart,
        read=len(read),
        hangs=failures["hang"],
        crashes=failures["crash"],
        recall_median=median(recalls) if recalls else None,
        recall=_total(one.recall for one in measured).value,
        under=sum(value < _LOST for value in recalls) / len(recalls) if recalls else None,
        made_up=_median(one.made_up for one in measured),
        order=_total(one.order for one in measured).value,
        rows=_total(one.rows for one in measured).value,
        headings=_f1(measured),
        seconds_per_megabyte=sum(one.seconds for one in read) / megabytes if megabytes else None,
        peak_megabytes=max((one.peak_bytes for one in read), default=0) / 1e6 or None,
        parts=_parts(measured),
    )


def _parts(measured: Sequence[Measured]) -> dict[str, PartScore]:
    shares: dict[str, list[Share]] = defaultdict(list)
    for one in measured:
        for part, share in one.parts.items():
            shares[part].append(share)
    return {
        part: PartScore(
            files=len(group),
            losing=sum((share.value or 0) < _LOST for share in group),
            recall=_total(group).value or 0.0,
        )
        for part, group in shares.items()
    }


def _total(shares: Iterable[Share]) -> Share:
    return sum(shares, Share())


def _median(shares: Iterable[Share]) -> float | None:
    values = [share.value for share in shares if share.value is not None]
    return median(values) if values else None


def _f1(measured: Sequence[Measured]) -> float | None:
    found = _total(one.headings_found for one in measured)
    right = _total(one.headings_right for one in measured)
    return 2 * found.kept / (found.of + right.of) if found.of else None
