"""Tells headings from other blocks by the size and weight of their type."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from managed_sync.documents.parsing.parsers.pdf.blocks import SENTENCE_ENDS, Block
from managed_sync.documents.parsing.parsers.pdf.lines import BULLET, Line

__all__ = ["BodyType", "body_type", "guessed_headings"]

_MAX_LENGTH = 110
_MAX_LINES = 3
_LARGER = 1.12
_MUCH_LARGER = 1.3
_SAME_RANK = 1.05
_SMALLEST_BOLD = 0.95
_MAX_LEVEL = 6
_MOSTLY = 0.5
# Headings follow each other at most so often; more are the cells or labels of something.
_MAX_RUN = 3
# A title that is repeated more often is a header, or the label of a form.
_MAX_TIMES = 5
_LETTER = re.compile(r"[^\W\d_]")
_NUMBERED = re.compile(r"(\d{1,2}(?:\.\d{1,2}){0,3})[.)]?\s+(?=[^\W\d_])")
_SENTENCE = re.compile(r"(?<=\w{3})[.!?;](?:\s|$)|[。！？؟।]")  # noqa: RUF001 - several scripts


@dataclass(frozen=True, slots=True)
class BodyType:
    """The type of most of a document.

    Attributes:
        size: Its height.
        bold: Whether it is bold.
    """

    size: float
    bold: bool


def body_type(lines: Iterable[Line]) -> BodyType:
    """Returns the type in which most letters are set."""
    sizes = Counter[tuple[float, bool]]()
    for line in lines:
        sizes[round(2 * line.size) / 2, line.bold] += len(line.text)
    if not sizes:
        return BodyType(0.0, bold=False)
    (size, bold), _ = sizes.most_common(1)[0]
    return BodyType(size, bold)


def guessed_headings(pages: Sequence[Sequence[Block]], body: BodyType) -> dict[int, int]:
    """Returns the levels of the blocks that look like headings, by the id of the block.

    Larger type is a higher level; bold type of the size of the text is the lowest. Where all type
    is the same, numbered titles ("2.1 Limits") are headings.

    Args:
        pages: The blocks of each page, in reading order.
        body: The type of most of the document.
    """
    everything = [block for page in pages for block in page]
    found = [*_in_short_runs(everything, body)]
    times = Counter(block.text for block in found)
    found = [block for block in found if times[block.text] <= _MAX_TIMES]
    if not found:
        return _numbered_titles(everything)
    ranks = _ranks(found, body)
    return {id(block): min(ranks[_rank_size(block, body)], _MAX_LEVEL) for block in found}


def _in_short_runs(blocks: Sequence[Block], body: BodyType) -> Iterable[Block]:
    """Yields the blocks that are set apart, unless many of them follow each other."""
    run: list[Block] = []
    for block in blocks:
        if _is_set_apart(block, body):
            run.append(block)
            continue
        if len(run) <= _MAX_RUN:
            yield from run
        run = []
    if len(run) <= _MAX_RUN:
        yield from run


def _is_set_apart(block: Block, body: BodyType) -> bool:
    text = block.text
    size = block.lines[0].size
    if size < _LARGER * body.size:
        bold = not body.bold and all(line.bold for line in block.lines)
        if not bold or size < _SMALLEST_BOLD * body.size:
            return False
    is_one_title = size >= _MUCH_LARGER * body.size or not any(
        block.ends_on_purpose(index) for index in range(len(block.lines) - 1)
    )
    return (
        len(block.lines) <= _MAX_LINES
        and len(text) <= _MAX_LENGTH
        and is_one_title
        and _reads_like_title(text)
    )


def _reads_like_title(text: str) -> bool:
    letters = len(_LETTER.findall(text))
    number = _NUMBERED.match(text)
    title = text[number.end() :] if number else text
    return (
        letters >= max(2, _MOSTLY * len(text.replace(" ", "")))
        and not BULLET.match(text)
        and not title[:1].islower()
        and not text.endswith((*SENTENCE_ENDS, ",", ";"))
        and _SENTENCE.search(title) is None
    )


def _rank_size(block: Block, body: BodyType) -> float:
    size = block.lines[0].size
    return round(2 * size) / 2 if size >= _LARGER * body.size else 0.0


def _ranks(found: Iterable[Block], body: BodyType) -> Mapping[float, int]:
    """Returns the level of each size; sizes that hardly differ have the same."""
    ranks: dict[float, int] = {}
    level, last = 0, 0.0
    for size in sorted({_rank_size(block, body) for block in found}, reverse=True):
        if not ranks or size * _SAME_RANK < last:
            level += 1
            last = size
        ranks[size] = level
    return ranks


def _numbered_titles(blocks: Sequence[Block]) -> dict[int, int]:
    """Returns the numbered lines above longer blocks, which are not items of a list."""
    depths = [_depth(block) for block in blocks]
    levels: dict[int, int] = {}
    for index, (block, depth) in enumerate(zip(blocks, depths, strict=True)):
        near = {depths[other] for other in (index - 1, index + 1) if 0 <= other < len(blocks)}
        if depth and len(block.lines) == 1 and depth not in near and index + 1 < len(blocks):
            levels[id(block)] = min(depth, _MAX_LEVEL)
    return levels


def _depth(block: Block) -> int:
    text = block.text
    number = _NUMBERED.match(text)
    if not number or len(text) > _MAX_LENGTH or not _reads_like_title(text):
        return 0
    return number.group(1).count(".") + 1
