"""The result of an evaluation: figures by user, setting, kind and split, as table, JSON or plot."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Literal

from managed_sync.evaluation.figures import CUTOFFS, Figures, hit, interval
from managed_sync.evaluation.outcomes import Outcome
from managed_sync.evaluation.plot import draw

__all__ = ["COLUMNS", "Evaluation", "Grouping"]

Grouping = Literal["setting", "user", "kind", "split"]

# Short enough for a terminal of 80 columns, beside an address.
COLUMNS = (
    "n",
    *(f"hit@{cutoff}" for cutoff in CUTOFFS),
    "MRR",
    "nDCG",
    "recall",
    "leaks",
    "ms",
    "p95",
)
_GROUPS: dict[str, Callable[[Outcome], str]] = {
    "setting": lambda outcome: outcome.setting,
    "user": lambda outcome: outcome.user,
    "kind": lambda outcome: outcome.question.kind or "any",
    "split": lambda outcome: outcome.question.split or "any",
}


@dataclass(frozen=True)
class Evaluation:
    """The outcomes of questions, and figures of them.

    Attributes:
        outcomes: One for each question, user and setting.
    """

    outcomes: tuple[Outcome, ...]

    def only(self, **values: str) -> Evaluation:
        """Returns the outcomes of one setting, user, kind or split: ``only(split="report")``."""
        return Evaluation(
            tuple(
                outcome
                for outcome in self.outcomes
                if all(_GROUPS[name](outcome) == value for name, value in values.items())
            )
        )

    def figures(self) -> Figures:
        """Returns the figures of all outcomes."""
        return Figures.of(self.outcomes)

    def figures_by(self, grouping: Grouping) -> dict[str, Figures]:
        """Returns the figures of each setting, user, kind or split, in the order asked."""
        groups: dict[str, list[Outcome]] = {}
        for outcome in self.outcomes:
            groups.setdefault(_GROUPS[grouping](outcome), []).append(outcome)
        return {name: Figures.of(outcomes) for name, outcomes in groups.items()}

    def hit_interval(self, cutoff: int) -> tuple[float, float] | None:
        """Returns the 95 percent confidence interval of hit@``cutoff``."""
        return interval(self.outcomes, hit(cutoff))

    def rows(self, grouping: Grouping) -> list[list[str]]:
        """Returns a row of texts for each group; ``COLUMNS`` names all but the first.

        ``n`` counts the questions with an answer that the user may read, ``ms`` is the median time
        of a question and ``p95`` its 95th percentile.
        """
        return [[name, *_cells(figures)] for name, figures in self.figures_by(grouping).items()]

    def markdown(self, by: Grouping = "setting") -> str:
        """Returns the figures of each setting, user, kind or split as a table in Markdown."""
        header = [by, *COLUMNS]
        divider = ["---", *["---:"] * len(COLUMNS)]
        return "\n".join(f"| {' | '.join(row)} |" for row in (header, divider, *self.rows(by)))

    def as_dict(self) -> dict[str, Any]:
        """Returns the figures and outcomes as values for JSON."""
        return {
            "total": _values(self.figures()),
            **{
                f"by_{grouping}": {
                    name: _values(figures) for name, figures in self.figures_by(grouping).items()
                }
                for grouping in ("setting", "user", "kind", "split")
            },
            "outcomes": [_outcome_values(outcome) for outcome in self.outcomes],
        }

    def plot(self, file: Path | str) -> None:
        """Draws the hits of each setting, user and kind into a picture.

        Raises:
            ConfigurationError: The file cannot be written, or its format is unknown.
            MissingExtraError: Matplotlib is not installed; the extra ``evaluation`` installs it.
        """
        settings = self.figures_by("setting")
        panels: dict[str, Mapping[str, Figures]] = {
            "user": self.figures_by("user"),
            "kind": self.figures_by("kind"),
        }
        if len(settings) > 1:
            panels = {"setting": settings, **panels}
        draw(panels, Path(file))


def _cells(figures: Figures) -> list[str]:
    shares = [*figures.hits, figures.mrr, figures.ndcg, figures.recall]
    return [
        str(figures.counted),
        *("-" if share is None else f"{share:.2f}" for share in shares),
        str(figures.unauthorized),
        f"{figures.median_ms:.0f}",
        f"{figures.p95_ms:.0f}",
    ]


def _values(figures: Figures) -> dict[str, Any]:
    values = asdict(figures)
    hits = dict(zip((f"hit@{cutoff}" for cutoff in CUTOFFS), values.pop("hits"), strict=True))
    return {
        name: round(value, 4) if isinstance(value, float) else value
        for name, value in {**hits, **values}.items()
    }


def _outcome_values(outcome: Outcome) -> dict[str, Any]:
    return {
        "question": outcome.question.question,
        "user": outcome.user,
        "setting": outcome.setting,
        "kind": outcome.question.kind,
        "split": outcome.question.split,
        "readable_answers": len(outcome.ranks),
        "rank": outcome.rank,
        "returned": outcome.returned,
        "unauthorized": outcome.unauthorized,
        "ms": round(outcome.seconds * 1000, 2),
    }
