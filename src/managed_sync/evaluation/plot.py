"""The figures of an evaluation as a picture."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from managed_sync.errors import ConfigurationError, MissingExtraError
from managed_sync.evaluation.figures import CUTOFFS, Figures

__all__ = ["check_picture", "draw"]

_COLORS = ("#0072b2", "#56b4e9", "#cccccc")


def check_picture(file: Path) -> None:
    """Raises an error if no plot can be written to a file.

    Raises:
        ConfigurationError: The folder does not exist, or the format is unknown.
        MissingExtraError: Matplotlib is not installed.
    """
    try:
        import matplotlib as mpl  # noqa: F401, PLC0415 - slow to import, and optional
    except ImportError as error:
        raise MissingExtraError("A plot of an evaluation", "evaluation") from error
    from matplotlib.figure import Figure  # noqa: PLC0415

    if not file.parent.is_dir():
        raise _unusable(file, f"there is no folder {file.parent}")
    formats = Figure().canvas.get_supported_filetypes()
    if file.suffix.lower().removeprefix(".") not in formats:
        raise _unusable(file, f"{file.suffix!r} is not an image format")


def draw(panels: Mapping[str, Mapping[str, Figures]], file: Path) -> None:
    """Draws hit@1, hit@3 and hit@6 of groups, each panel beside the others.

    Args:
        panels: For each panel its groups.
        file: The picture; its ending chooses the format, such as ``.svg`` or ``.png``.

    Raises:
        ConfigurationError: The file cannot be written, or its format is unknown.
        MissingExtraError: Matplotlib is not installed.
    """
    check_picture(file)
    import matplotlib as mpl  # noqa: PLC0415 - slow to import, and optional
    from matplotlib.figure import Figure  # noqa: PLC0415

    rows = max(map(len, panels.values()))
    # Without a salt and a date, the same figures give the same file.
    with mpl.rc_context({"svg.hashsalt": "evaluation", "font.size": 9}):
        figure = Figure(figsize=(5 * len(panels), 1.5 + 0.45 * rows), layout="constrained")
        for axis, (name, groups) in zip(
            figure.subplots(1, len(panels), squeeze=False)[0], panels.items(), strict=True
        ):
            shown = {group: each for group, each in groups.items() if each.counted}
            height = 0.8 / len(CUTOFFS)
            for number, cutoff in enumerate(CUTOFFS):
                if all(each.hits[number] is None for each in shown.values()):
                    continue
                positions = [place + number * height for place in range(len(shown))]
                values = [each.hits[number] or 0.0 for each in shown.values()]
                axis.barh(positions, values, height, color=_COLORS[number], label=f"hit@{cutoff}")
            axis.set_yticks([place + height for place in range(len(shown))], list(shown))
            axis.invert_yaxis()
            axis.set_xlim(0, 1)
            axis.set_title(f"by {name}")
        figure.legend(*axis.get_legend_handles_labels(), loc="outside lower center", ncols=3)
        try:
            is_svg = file.suffix.lower() == ".svg"
            figure.savefig(file, metadata={"Date": None} if is_svg else None)
        except (OSError, ValueError) as error:
            raise _unusable(file, error) from None


def _unusable(file: Path, reason: object) -> ConfigurationError:
    return ConfigurationError(
        f"The plot cannot be written to {file} ({reason}). Name a file such as answers.svg or "
        f"answers.png in a folder that exists."
    )
