"""Two checkouts side by side: retrieval, the client, chunking and indexing, in turns.

    git worktree add ../before v0.1.0
    python -m benchmarks.compare ../before .

Each checkout runs in a process of its own, with this environment and this benchmark. They take
turns, so that a busy machine slows both down. Compare the medians; within 5 % is noise.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from contextlib import ExitStack
from pathlib import Path

from benchmarks.common.command import command_parser
from benchmarks.compare.checkout import Checkout
from benchmarks.compare.report import as_markdown
from benchmarks.compare.workload import WORKLOADS, answer

__all__ = ["main"]


def main(arguments: Sequence[str] | None = None) -> None:
    """Measures two checkouts of this repository side by side."""
    parser = command_parser("compare", main.__doc__, update_docs=False)
    parser.add_argument("checkouts", type=Path, nargs="*", help="the two folders, before and after")
    parser.add_argument("--rounds", type=int, default=15, help="turns of each, 15 by default")
    parser.add_argument("--only", choices=[*WORKLOADS], action="append", help="one of the parts")
    parser.add_argument("--answer", action="store_true", help="for the process of a checkout")
    options = parser.parse_args(arguments)
    if options.answer:
        answer(sys.stdin, sys.stdout)
        return
    if len(options.checkouts) != 2 or options.rounds < 1:
        parser.error("Name two folders, before and after, and at least one round.")
    names = options.only or [*WORKLOADS]
    seconds: dict[str, list[tuple[float, float]]] = {name: [] for name in names}
    with ExitStack() as stack:
        before, after = (stack.enter_context(Checkout(folder)) for folder in options.checkouts)
        for number in range(options.rounds + 1):
            for name in names:
                # Each begins in every other round.
                if number % 2:
                    measured = (before.seconds(name), after.seconds(name))
                else:
                    second, first = after.seconds(name), before.seconds(name)
                    measured = (first, second)
                # The first round loads what is loaded when it is first used.
                if number:
                    seconds[name].append(measured)
    print(as_markdown(seconds))


if __name__ == "__main__":
    main()
