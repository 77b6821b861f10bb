"""The results, and their table."""

from __future__ import annotations

import json
from dataclasses import dataclass, replace
from pathlib import Path

from benchmarks.common.tables import markdown_table

__all__ = ["SPICEDB", "TOO_LONG", "Measured", "Results", "as_markdown"]

SPICEDB = "SpiceDB"
TOO_LONG = "not in time"


@dataclass(frozen=True)
class Measured:
    """One operation of one engine at one size.

    Attributes:
        milliseconds: The median; without, the engine gave up.
        error: Why it gave up.
    """

    relationships: int
    engine: str
    operation: str
    milliseconds: float | None
    error: str | None = None


@dataclass(frozen=True)
class Results:
    """Everything that was measured, and on what."""

    repetitions: int
    seed: int
    cores: int
    python: str
    versions: dict[str, str]
    measured: list[Measured]

    @classmethod
    def load(cls, path: Path) -> Results:
        """Reads the results in a file."""
        content = json.loads(path.read_text(encoding="utf-8"))
        return cls(**{**content, "measured": [Measured(**one) for one in content["measured"]]})

    def joined_to(self, earlier: Results) -> Results:
        """These, and what was measured earlier at other sizes.

        Raises:
            ValueError: That was measured in another way, and cannot be compared.
        """
        if replace(earlier, measured=[]) != replace(self, measured=[]):
            raise ValueError("what was measured before was measured otherwise: measure it again")
        sizes = {one.relationships for one in self.measured}
        kept = [one for one in earlier.measured if one.relationships not in sizes]
        return replace(
            self, measured=sorted([*kept, *self.measured], key=lambda one: one.relationships)
        )


def as_markdown(results: Results) -> str:
    """The table, with a line on what was measured."""
    sizes = list(dict.fromkeys(one.relationships for one in results.measured))
    asked = list(dict.fromkeys((one.operation, one.engine) for one in results.measured))
    found = {(one.operation, one.engine, one.relationships): one for one in results.measured}
    versions = ", ".join(f"{name} {number}" for name, number in results.versions.items())
    measured = (
        f"Up to {max(sizes):,} relationships of {max(sizes) // 10:,} objects, seed {results.seed}; "
        f"median of {results.repetitions} ({SPICEDB}: of {min(results.repetitions, 3)}) in ms; "
        f"{results.cores} cores, Python {results.python}, {versions}."
    )
    rows = []
    operations = [operation for operation, _ in asked]
    for operation, engine in sorted(asked, key=lambda one: operations.index(one[0])):
        answers = [found[operation, engine, size] for size in sizes]
        times = [one.milliseconds for one in answers]
        growth = f"{times[-1] / times[0]:.2f}" if times[0] and times[-1] else "-"
        rows.append([operation, engine, *map(_shown, answers), growth])
    header = ["request", "engine", *(f"{size:,}" for size in sizes), "growth"]
    return f"{measured}\n\n{markdown_table(header, rows, align='ll')}"


def _shown(measured: Measured) -> str:
    if measured.milliseconds is not None:
        return f"{measured.milliseconds:,.1f}"
    return TOO_LONG if measured.error == TOO_LONG else "gave up"
