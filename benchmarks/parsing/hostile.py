"""Files that are damaged on purpose: each gives its text or one clear reason, within its limits.

    python -m benchmarks.parsing.hostile --corpus folder/ --format doc --count 500

Every file is a real one of the folder, changed: bits turned, cut short, a stretch repeated,
overwritten or taken out, or the whole nested in itself. The same folder and seed give the same
files.
"""

from __future__ import annotations

import io
import json
import random
import re
import time
import zipfile
from argparse import ArgumentParser
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path

import psutil

from benchmarks.parsing.corpus.files import evenly, files_of
from benchmarks.parsing.truth.formats import ALL_FORMATS
from managed_sync.documents.parsing.pool import (
    DEFAULT_MAX_MEMORY,
    DEFAULT_PARSE_TIMEOUT,
    ParsingPool,
)
from managed_sync.documents.parsing.registry import FileParser
from managed_sync.errors import ManagedSyncError

__all__ = ["CHANGES", "HostileScore", "main", "measure_hostile"]

_MOST_BYTES = 5_000_000


def _flipped(data: bytes, draw: random.Random) -> bytes:
    changed = bytearray(data)
    for _ in range(max(1, min(len(data) // 2000, 200))):
        changed[draw.randrange(len(changed))] ^= 1 << draw.randrange(8)
    return bytes(changed)


def _cut(data: bytes, draw: random.Random) -> bytes:
    return data[: draw.randrange(1, len(data) + 1)]


def _repeated(data: bytes, draw: random.Random) -> bytes:
    start = draw.randrange(len(data))
    stretch = data[start : start + draw.choice([1, 64, 4096])]
    times = max(1, min(2000, _MOST_BYTES // len(stretch)))
    return data[:start] + stretch * times + data[start:]


def _overwritten(data: bytes, draw: random.Random) -> bytes:
    start = draw.randrange(len(data))
    size = min(draw.choice([4, 512, 8192]), len(data) - start)
    return data[:start] + draw.choice([b"\0", b"\xff"]) * size + data[start + size :]


def _shortened(data: bytes, draw: random.Random) -> bytes:
    start = draw.randrange(len(data))
    return data[:start] + data[start + draw.choice([1, 512, 8192]) :]


def _nested(data: bytes, draw: random.Random) -> bytes:
    """Puts the file into itself: as a member of an archive, or else in the middle of its bytes."""
    if data.startswith(b"PK"):
        packed = io.BytesIO(data)
        try:
            with zipfile.ZipFile(packed, "a") as archive:
                for name in draw.sample(archive.namelist(), min(3, len(archive.namelist()))):
                    archive.writestr(name, data)
        except (zipfile.BadZipFile, OSError, ValueError, NotImplementedError):
            return data + data
        return packed.getvalue()
    middle = draw.randrange(len(data))
    for _ in range(draw.choice([1, 8])):
        data = data[:middle] + data[: _MOST_BYTES // 10] + data[middle:]
    return data


CHANGES: Mapping[str, Callable[[bytes, random.Random], bytes]] = {
    "flipped": _flipped,
    "cut": _cut,
    "repeated": _repeated,
    "overwritten": _overwritten,
    "shortened": _shortened,
    "nested": _nested,
}


@dataclass
class HostileScore:
    """The damaged files of one format.

    Attributes:
        format: The format.
        files: How many there were.
        texts: How many gave a text.
        late: How many took longer than they may.
        ended: How many ended the process that read them.
        crashes: How many raised an error into the program, which none may.
        longest: The most seconds that one took.
        busiest: The most seconds of a core that one took; the rest is waiting for other programs.
        busiest_file: The name of its copy.
        unclear: How many reasons do not name the file, or have several lines.
        reasons: How often each reason was given.
    """

    format: str
    files: int = 0
    texts: int = 0
    late: int = 0
    ended: int = 0
    crashes: int = 0
    longest: float = 0.0
    busiest: float = 0.0
    busiest_file: str = ""
    unclear: int = 0
    reasons: Counter[str] = field(default_factory=Counter)


def measure_hostile(
    paths: Sequence[Path], kind: str, *, count: int, seed: int = 1, timeout: float
) -> HostileScore:
    """Reads damaged copies of files as the loader does.

    Args:
        paths: The files.
        kind: Their format.
        count: The number of copies, in turn of each file and each kind of damage.
        seed: The seed of the damage.
        timeout: The seconds for each file.
    """
    score = HostileScore(kind)
    pool = ParsingPool(FileParser(), processes=1, timeout=timeout, max_memory=DEFAULT_MAX_MEMORY)
    try:
        for number, path in enumerate(_in_turn(paths, count)):
            change = [*CHANGES][number % len(CHANGES)]
            draw = random.Random(f"{seed} {number} {path.name}")
            name = f"{number}-{change}{path.suffix}"
            data = CHANGES[change](path.read_bytes(), draw)
            started, used = time.monotonic(), _cpu_seconds()
            _read(pool, data, name, score)
            score.longest = max(score.longest, time.monotonic() - started)
            # A worker that was ended takes its seconds with it; it counts as late.
            if (busy := _cpu_seconds() - used) > score.busiest:
                score.busiest, score.busiest_file = busy, f"{name} of {path.name}"
            score.files += 1
    finally:
        pool.close()
    return score


def _cpu_seconds() -> float:
    """Returns the seconds that this process and its workers were on a core."""
    processes = [psutil.Process(), *psutil.Process().children()]
    return sum(sum(process.cpu_times()[:2]) for process in processes)


def _in_turn(paths: Sequence[Path], count: int) -> list[Path]:
    chosen = evenly(paths, count)
    return [chosen[number % len(chosen)] for number in range(count)] if chosen else []


def _read(pool: ParsingPool, data: bytes, name: str, score: HostileScore) -> None:
    try:
        pool.parse(data, content_type="application/octet-stream", filename=name)
        score.texts += 1
    except ManagedSyncError as error:
        reason = str(error)
        score.late += "takes longer" in reason or "took longer" in reason
        score.ended += "process" in reason and "ended" in reason
        score.unclear += name not in reason or "\n" in reason or not reason.strip()
        score.reasons[re.sub(r"\d+", "#", reason.replace(name, "<file>"))[:160]] += 1
    except Exception as error:  # noqa: BLE001 - of whatever kind: it would reach the program
        score.crashes += 1
        score.reasons[f"CRASH {type(error).__name__}: {error}"[:160]] += 1


def main(arguments: Sequence[str] | None = None) -> None:
    """Reads damaged copies of the files of a folder, and prints what became of them."""
    parser = ArgumentParser("python -m benchmarks.parsing.hostile", description=main.__doc__)
    parser.add_argument("--corpus", type=Path, required=True, help="a folder of files")
    parser.add_argument("--format", action="append", choices=ALL_FORMATS, help="only this format")
    parser.add_argument("--count", type=int, default=500, help="damaged files of each format")
    parser.add_argument("--seed", type=int, default=1, help="the seed of the damage")
    parser.add_argument("--timeout", type=float, default=DEFAULT_PARSE_TIMEOUT)
    options = parser.parse_args(arguments)
    by_format = files_of(options.corpus)
    for kind in options.format or ALL_FORMATS:
        paths = [path for path in by_format[kind] if path.stat().st_size <= _MOST_BYTES]
        if paths:
            score = measure_hostile(
                paths, kind, count=options.count, seed=options.seed, timeout=options.timeout
            )
            figures = {**asdict(score), "reasons": dict(score.reasons.most_common())}
            print(json.dumps(figures, indent=1), flush=True)


if __name__ == "__main__":
    main()
