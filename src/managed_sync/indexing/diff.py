"""The difference between a record's document and what the index holds of it.

A chunk has two hashes: of the text that goes into its vector, and of its metadata. They tell which
chunks need a new vector, which ones only new metadata, and which ones nothing.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Mapping, Sequence, Set
from dataclasses import dataclass, field

from managed_sync.documents import Chunk, Loaded, SourceDocument
from managed_sync.errors import EmptyContentError, NotTextError
from managed_sync.indexing.ledger.model import (
    LedgerRecord,
    RecordJob,
    RecordResult,
    RecordStatus,
)

__all__ = ["ChunkDiff", "chunk_hash", "diff_record", "digest_of", "has_text_hash", "text_hash"]


@dataclass(slots=True)
class ChunkDiff:
    """The chunks of one record to write and to remove, and then what became of them.

    Attributes:
        job: The record.
        title: The title of the record.
        known: The record's row in the ledger.
        digest: A digest of the document.
        chunk_hashes: The chunks that the index is to hold.
        to_embed: Those that need a vector.
        to_update: Those that have their vector, and need other metadata.
        stale: Chunks that the index may hold, and is not to hold any more.
        reused: The number of chunks that have their vector.
        error: The reason why there is no document.
        is_unchanged: Whether the index stays as it is.
        is_empty: Whether the record has no text, so that its old text must not be found any more.
        failures: Chunks that could not be written, with the reasons.
        not_removed: Chunks that could not be removed from the index, with the reasons.
    """

    job: RecordJob
    title: str
    known: LedgerRecord
    digest: str | None = None
    chunk_hashes: dict[str, str | None] = field(default_factory=dict)
    to_embed: list[Chunk] = field(default_factory=list)
    to_update: list[Chunk] = field(default_factory=list)
    stale: list[str] = field(default_factory=list)
    reused: int = 0
    error: str | None = None
    is_unchanged: bool = False
    is_empty: bool = False
    failures: dict[str, str] = field(default_factory=dict)
    not_removed: dict[str, str] = field(default_factory=dict)

    @property
    def touches_index(self) -> bool:
        """Returns whether there is anything to write or to remove."""
        return bool(self.to_embed or self.to_update or self.stale)

    def chunks_in_flight(self, left_out: Set[str] | None = None) -> dict[str, str | None]:
        """Returns every chunk that the index may hold while this is carried out.

        Only hashes that are certain are given.

        Args:
            left_out: The chunks that were not written, if the others were.
        """
        touched = [chunk.chunk_id for chunk in (*self.to_embed, *self.to_update)]
        in_flight: dict[str, str | None] = {
            **self.known.chunks,
            **dict.fromkeys((*touched, *self.not_removed)),
        }
        if left_out is not None:
            written = [key for key in touched if key not in left_out and key not in self.failures]
            in_flight |= {key: self.chunk_hashes[key] for key in written}
        return in_flight

    def result(self) -> RecordResult:
        """Returns the result of the job, once this was carried out."""
        job, title, error = self.job, self.title, self.error
        chunks = dict(self.chunk_hashes)
        if self.failures:
            # The old chunks were left where they are.
            chunks |= dict.fromkeys((*self.failures, *self.stale, *self.not_removed))
            error = f"{title} could not be written: {next(iter(self.failures.values()))}"
        elif self.not_removed:
            # The new text is there; the next run only tries to remove these once more.
            chunks |= dict.fromkeys(self.not_removed)
            error = (
                f"Old passages of {title} could not be removed: "
                f"{next(iter(self.not_removed.values()))}"
            )
        is_skipped = self.is_empty and not (self.failures or self.not_removed)
        return RecordResult(
            job.record_id, job.version, title, self.digest, chunks, error, is_skipped
        )


def diff_record(
    job: RecordJob,
    loaded: Loaded,
    known: LedgerRecord,
    split: Callable[[SourceDocument], Sequence[Chunk]],
    embedded_text: Callable[[Chunk], str] | None,
    *,
    can_update_metadata: bool = True,
) -> ChunkDiff:
    """Compares a record with what the index holds of it, without touching the index.

    Args:
        job: The record.
        loaded: Its document, or the reason why there is none.
        known: Its row in the ledger.
        split: Splits documents.
        embedded_text: Gives the part of a chunk that goes into its vector; ``None`` if the index
            does not say.
        can_update_metadata: Whether the index can change metadata without embedding. If not, every
            change needs a new vector.
    """
    if not isinstance(loaded, SourceDocument):
        if isinstance(loaded.error, EmptyContentError | NotTextError):
            return ChunkDiff(
                job,
                loaded.title,
                known,
                stale=sorted(known.chunks),
                error=loaded.reason,
                is_empty=True,
            )
        return _unchanged(job, loaded, known)
    # A record without parts has the digest that it had before there were any.
    documents = list(loaded.documents())
    digest = digest_of(*(each for one in documents for each in (one.text, one.metadata)))
    is_certain = None not in known.chunks.values()
    is_whole = is_certain and not loaded.interrupted
    if known.state is RecordStatus.INDEXED and digest == known.digest and is_whole:
        return _unchanged(job, loaded, known)
    diff = ChunkDiff(job, loaded.title, known, digest)
    for chunk in (chunk for document in documents for chunk in split(document)):
        after = chunk_hash(chunk, embedded_text)
        before = known.chunks.get(chunk.chunk_id)
        diff.chunk_hashes[chunk.chunk_id] = after
        if before and _is_same(before, after):
            diff.reused += 1
        elif (
            before
            and embedded_text
            and can_update_metadata
            and text_hash(before) == text_hash(after)
        ):
            diff.reused += 1
            diff.to_update.append(chunk)
        else:
            diff.to_embed.append(chunk)
    stale = known.chunks.keys() - diff.chunk_hashes.keys()
    if loaded.interrupted:
        # What a part said before stays until it can be read again, or is gone for certain.
        diff.chunk_hashes |= {chunk_id: known.chunks[chunk_id] for chunk_id in stale}
        diff.digest = None
        diff.error = f"Not read in {loaded.title} this time: {loaded.interrupted[0]}"
    else:
        diff.stale = sorted(stale)
    return diff


def chunk_hash(chunk: Chunk, embedded_text: Callable[[Chunk], str] | None) -> str:
    """Returns a chunk's two hashes: of the text that goes into its vector, and of its metadata."""
    text = "" if embedded_text is None else embedded_text(chunk)
    return f"{digest_of(text)}.{digest_of(chunk.metadata)}"


def text_hash(hashes: str) -> str:
    """Returns the part of a chunk's hashes that holds when its metadata is not certain."""
    return f"{hashes.partition('.')[0]}."


def has_text_hash(hashes: str) -> bool:
    """Returns whether the hashes cover the text, which those of some older indexes do not."""
    return text_hash(hashes) != _WITHOUT_TEXT


def digest_of(*parts: str | Mapping[str, object]) -> str:
    """Returns a short digest of texts and metadata."""
    text = json.dumps(parts, sort_keys=True, default=dict)
    return hashlib.blake2b(text.encode(), digest_size=10).hexdigest()


def _unchanged(job: RecordJob, loaded: Loaded, known: LedgerRecord) -> ChunkDiff:
    return ChunkDiff(
        job,
        loaded.title,
        known,
        known.digest,
        dict(known.chunks),
        error=None if isinstance(loaded, SourceDocument) else loaded.reason,
        is_unchanged=True,
    )


def _is_same(before: str, after: str) -> bool:
    # The text of a chunk is in its id.
    is_metadata_same = before.partition(".")[2] == after.partition(".")[2]
    return before == after or (not has_text_hash(before) and is_metadata_same)


_WITHOUT_TEXT = f"{digest_of('')}."
