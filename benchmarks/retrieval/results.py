"""The results: one line per contender, point and latency."""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.retrieval.contenders import UNFILTERED
from benchmarks.retrieval.corpus import Case, Placement
from benchmarks.retrieval.measurement import Measurement
from benchmarks.retrieval.oracle import Answer, Oracle

__all__ = ["Failure", "Point", "Results", "Setting", "summarize"]


@dataclass(frozen=True)
class Setting:
    """The setting of the measurements."""

    chunks: int
    objects: int
    dimensions: int
    questions: int
    k: int
    seed: int
    latencies_ms: tuple[float, ...]
    selectivities: tuple[float, ...]
    cores: int
    python: str
    versions: dict[str, str]
    peer_versions: dict[str, str]


@dataclass(frozen=True)
class Failure:
    """A contender that fails at every question."""

    contender: str
    error: str


@dataclass(frozen=True)
class Point:
    """All answers of one contender at one selectivity, placement and latency.

    Attributes:
        contender: Its name.
        latency_ms: How long each permission request took.
        placement: Where the allowed objects lie.
        selectivity: The share of objects that are allowed.
        recall: Authorized recall at ``k``, mean.
        lowest_recall: The worst answer's.
        leaks: Passages returned that the subject may not read, in all answers together.
        errors: Answers that were exceptions.
        worst_rounds: Permission requests one after another, the most of any answer.
        mean_ids: Ids moved: checked plus listed.
        worst_ids: The most of any answer.
        mean_cheapest_ids: What the cheaper pure strategy moves.
        over_bound: Answers that moved more than the bound.
        mean_ms: Latency.
        p95_ms: Latency, of 95 answers in 100.
        median_ms: Latency.
        slowdown: The median latency in proportion to the unfiltered search's, measured in turns.
    """

    contender: str
    latency_ms: float
    placement: Placement
    selectivity: float
    recall: float
    lowest_recall: float
    leaks: int
    errors: int
    worst_rounds: int
    mean_ids: float
    worst_ids: int
    mean_cheapest_ids: float
    over_bound: int
    mean_ms: float
    p95_ms: float
    median_ms: float
    slowdown: float


@dataclass(frozen=True)
class Results:
    """One run of the benchmark."""

    setting: Setting
    points: tuple[Point, ...]
    failures: tuple[Failure, ...]

    @classmethod
    def load(cls, file: Path) -> Results:
        """Reads the results in a file."""
        content = json.loads(file.read_text(encoding="utf-8"))
        setting = content["setting"]
        setting |= {name: tuple(setting[name]) for name in ("latencies_ms", "selectivities")}
        return cls(
            setting=Setting(**setting),
            points=tuple(Point(**point) for point in content["points"]),
            failures=tuple(Failure(**failure) for failure in content["failures"]),
        )


def summarize(
    runs: Iterable[Sequence[Measurement]], cases: Sequence[Case], oracle: Oracle
) -> tuple[tuple[Point, ...], tuple[Failure, ...]]:
    """Holds every answer against the oracle. Each run brings its own unfiltered search."""
    case_of = {case.subject: case for case in cases}
    answers = {subject: oracle.answer(case) for subject, case in case_of.items()}
    points: list[Point] = []
    failures: dict[str, Failure] = {}
    for run in runs:
        groups: dict[tuple[str, float, Placement, float], list[Measurement]] = defaultdict(list)
        for measurement in run:
            case = case_of[measurement.subject]
            key = measurement.contender, measurement.latency_ms, case.placement, case.selectivity
            groups[key].append(measurement)
        baseline = next(name for name, *_ in groups if name.startswith(UNFILTERED))
        always_failing = {name for name, *_ in groups} - {
            measurement.contender for measurement in run if measurement.error is None
        }
        for (name, latency_ms, placement, selectivity), group in groups.items():
            if name in always_failing:
                failures.setdefault(name, Failure(name, str(group[0].error)))
            else:
                unfiltered = groups[baseline, latency_ms, placement, selectivity]
                points.append(_point(group, unfiltered, case_of[group[0].subject], answers))
    return tuple(points), tuple(failures.values())


def _point(
    group: Sequence[Measurement],
    unfiltered: Sequence[Measurement],
    case: Case,
    answers: dict[str, Answer],
) -> Point:
    pairs = [(measurement, answers[measurement.subject]) for measurement in group]
    recalls = [answer.recall(measurement.rows) for measurement, answer in pairs]
    milliseconds = [1000 * measurement.seconds for measurement in group]
    ids = [measurement.ids for measurement in group]
    return Point(
        contender=group[0].contender,
        latency_ms=group[0].latency_ms,
        placement=case.placement,
        selectivity=case.selectivity,
        recall=_rounded(np.mean(recalls)),
        lowest_recall=min(recalls),
        leaks=sum(answer.leaks(measurement.rows) for measurement, answer in pairs),
        errors=sum(measurement.error is not None for measurement in group),
        worst_rounds=max(measurement.rounds for measurement in group),
        mean_ids=_rounded(np.mean(ids)),
        worst_ids=max(ids),
        mean_cheapest_ids=_rounded(np.mean([answer.cheapest_ids for _, answer in pairs])),
        over_bound=sum(
            measurement.ids > answer.bound_on_ids(measurement.first_look)
            for measurement, answer in pairs
        ),
        mean_ms=_rounded(np.mean(milliseconds)),
        p95_ms=_rounded(np.percentile(milliseconds, 95)),
        median_ms=_rounded(np.median(milliseconds)),
        slowdown=_rounded(
            np.median(milliseconds)
            / np.median([1000 * measurement.seconds for measurement in unfiltered])
        ),
    )


def _rounded(value: np.floating[Any]) -> float:
    return round(float(value), 4)
