"""What it takes to bring one record up to date, found out without touching the index.

A chunk has two marks: a digest of the text that went into its vector, and one of its metadata. So
it can be told which chunks need a new vector, which only new metadata, and which nothing.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Mapping, Sequence, Set
from dataclasses import dataclass, field

from managed_sync.documents import Chunk, SourceDocument
from managed_sync.indexing.ledger.model import Entry, Outcome, State

__all__ = [
    "Change",
    "Work",
    "change_for",
    "digest_of",
    "is_without_text",
    "mark_of",
    "text_mark",
    "unchanged",
]


@dataclass(frozen=True, slots=True)
class Work:
    """One record to bring up to date.

    Attributes:
        document: What was made of it; ``None`` if that failed.
        reason: Why it failed.
        is_empty: Whether there is no text in it now, so that the old text must not be found any
            more.
    """

    record_id: str
    version: str
    title: str
    is_new: bool
    document: SourceDocument | None = None
    reason: str | None = None
    is_empty: bool = False


@dataclass(slots=True)
class Change:
    """What it takes for one record.

    Attributes:
        known: What the ledger knows of it.
        digest: Of the document.
        marks: The chunks that the index is to hold, with their marks.
        to_embed: Those that need a vector.
        to_relabel: Those that have their vector, and need other metadata.
        reused: How many have their vector, with or without other metadata.
        failures: Those that could not be written, with the reasons.
        not_removed: Those that are not to be in the index and could not be removed from it.
    """

    work: Work
    known: Entry
    digest: str | None = None
    marks: dict[str, str] = field(default_factory=dict)
    to_embed: list[Chunk] = field(default_factory=list)
    to_relabel: list[Chunk] = field(default_factory=list)
    reused: int = 0
    failures: dict[str, str] = field(default_factory=dict)
    not_removed: dict[str, str] = field(default_factory=dict)

    @property
    def stale(self) -> list[str]:
        """Chunks that the index may hold and is not to hold any more."""
        return sorted(set(self.known.chunks) - set(self.marks))

    @property
    def touches_the_index(self) -> bool:
        """Whether there is anything to write or to remove."""
        return bool(self.to_embed or self.to_relabel or self.stale)

    def chunks_in_between(self, left_out: Set[str] | None = None) -> dict[str, str | None]:
        """Every chunk that the index may hold while this is carried out; certain marks only.

        Args:
            left_out: The chunks that were not written, if the rest was.
        """
        touched = [chunk.chunk_id for chunk in (*self.to_embed, *self.to_relabel)]
        between: dict[str, str | None] = {
            **self.known.chunks,
            **dict.fromkeys((*touched, *self.not_removed)),
        }
        if left_out is not None:
            written = [key for key in touched if key not in left_out and key not in self.failures]
            between |= {key: self.marks[key] for key in written}
        return between

    def outcome(self) -> Outcome:
        """How it ended, once it was carried out."""
        work, chunks = self.work, dict[str, str | None](self.marks)
        reason = work.reason
        if self.failures:
            # The old chunks were left where they are.
            chunks |= dict.fromkeys((*self.failures, *self.stale, *self.not_removed))
            reason = f"{work.title} could not be written: {next(iter(self.failures.values()))}"
        elif self.not_removed:
            # The new text is there; the next run only tries to remove these once more.
            chunks |= dict.fromkeys(self.not_removed)
            reason = (
                f"Old passages of {work.title} could not be removed: "
                f"{next(iter(self.not_removed.values()))}"
            )
        is_skipped = work.is_empty and not (self.failures or self.not_removed)
        return Outcome(
            work.record_id, work.version, work.title, self.digest, chunks, reason, is_skipped
        )


def change_for(
    work: Work,
    known: Entry,
    split: Callable[[SourceDocument], Sequence[Chunk]],
    embedded_text: Callable[[Chunk], str] | None,
    *,
    can_relabel: bool = True,
) -> Change | None:
    """What it takes for a record; ``None`` if the index stays as it is.

    Args:
        work: The record.
        known: What the ledger knows of it.
        split: Cuts the document.
        embedded_text: What of a chunk goes into its vector; ``None`` if the index does not say.
        can_relabel: Whether the index can change metadata without embedding. If not, every change
            needs a new vector.
    """
    document = work.document
    if document is None:
        return Change(work, known) if work.is_empty else None
    digest = digest_of(document.text, document.metadata)
    is_certain = None not in known.chunks.values()
    if known.state is State.INDEXED and digest == known.digest and is_certain:
        return None
    change = Change(work, known, digest)
    for chunk in split(document):
        mark = mark_of(chunk, embedded_text)
        before = known.chunks.get(chunk.chunk_id)
        change.marks[chunk.chunk_id] = mark
        if before and _is_same(before, mark):
            change.reused += 1
        elif before and embedded_text and can_relabel and text_mark(before) == text_mark(mark):
            change.reused += 1
            change.to_relabel.append(chunk)
        else:
            change.to_embed.append(chunk)
    return change


def unchanged(work: Work, known: Entry) -> Outcome:
    """The outcome for a record whose work changed nothing in the index."""
    return Outcome(
        work.record_id, work.version, work.title, known.digest, known.chunks, work.reason
    )


def mark_of(chunk: Chunk, embedded_text: Callable[[Chunk], str] | None) -> str:
    """A chunk's two digests: of the text that goes into its vector, and of its metadata."""
    text = "" if embedded_text is None else embedded_text(chunk)
    return f"{digest_of(text)}.{digest_of(chunk.metadata)}"


def is_without_text(mark: str) -> bool:
    """Whether a mark says nothing about the text, as marks of some older indexes do not."""
    return text_mark(mark) == _WITHOUT_TEXT


def _is_same(before: str, mark: str) -> bool:
    # The text of a chunk is in its id.
    metadata = before.partition(".")[2] == mark.partition(".")[2]
    return before == mark or (is_without_text(before) and metadata)


def text_mark(mark: str) -> str:
    """As much of a mark as is certain of a chunk whose metadata is not."""
    return f"{mark.partition('.')[0]}."


def digest_of(*parts: str | Mapping[str, object]) -> str:
    """A short digest of texts and metadata."""
    text = json.dumps(parts, sort_keys=True, default=dict)
    return hashlib.blake2b(text.encode(), digest_size=10).hexdigest()


_WITHOUT_TEXT = f"{digest_of('')}."
