"""The ids of chunks: the same text in the same record has the same one in every process."""

from __future__ import annotations

import hashlib
import json
import uuid

from managed_sync.documents.chunking.tokenizer import utf8
from managed_sync.documents.model import Metadata
from managed_sync.identifiers import ObjectId

__all__ = ["CHUNK_ID_SCHEME", "ChunkIds"]

CHUNK_ID_SCHEME = "by project, pipeline and record"
"""What a chunk id is made of. Change it with the ids: an index of other ids must be rebuilt."""

_PIPELINE = ("project_id", "integration", "sync_type")
# Never to be changed: every chunk id there is was made with one of them.
_NAMESPACE = uuid.UUID("0c7de2a4-6f0b-5d0e-8f57-3b1f9d6a2e48").bytes
_NAMESPACE_WITHOUT_PIPELINE = uuid.UUID("5f0c1d5e-3a44-5b0e-9a0e-0d7c7a9f4b1d").bytes
# The two bits that every UUID has, for each digit.
_VARIANTS = {digit: "89ab"[int(digit, 16) & 3] for digit in "0123456789abcdef"}


class ChunkIds:
    """Gives out the ids of one document's chunks.

    An id is a UUID of the project, the pipeline, the object's id, the text, and how many equal
    texts came before it; and of the record's id, where the object is not named after the record
    and so may have others. So chunks of two projects or two pipelines have different ids and can
    share a collection, even where their records have the same ids.

    Args:
        metadata: The document's.

    Examples:
        >>> ChunkIds({"object_id": "file:1"}).of("The arm moves.")
        'ab00be57-afb1-5537-beb0-926b8a2634f4'
    """

    def __init__(self, metadata: Metadata) -> None:
        self._prefix = _owner(metadata)
        self._seen: dict[str, int] = {}

    def of(self, text: str) -> str:
        """Returns the id of the next chunk, which has this text."""
        occurrence = self._seen[text] = self._seen.get(text, -1) + 1
        name = b"%b%d\n%b" % (self._prefix, occurrence, utf8(text))
        # What uuid.uuid5 does, in a third of its time.
        digest = hashlib.sha1(name, usedforsecurity=False).hexdigest()
        return (
            f"{digest[:8]}-{digest[8:12]}-5{digest[13:16]}"
            f"-{_VARIANTS[digest[16]]}{digest[17:20]}-{digest[20:32]}"
        )


def _owner(metadata: Metadata) -> bytes:
    """Returns the start of the names of a document's chunks, which no other document has."""
    object_id, record_id = str(metadata["object_id"]), metadata.get("record_id")
    own_names = (record_id, metadata.get("source_id"))
    is_named_after_record = record_id is None or ObjectId.parse(object_id).id in own_names
    owner = object_id if is_named_after_record else f"{object_id}\n{record_id}"
    pipeline = [metadata.get(name) for name in _PIPELINE]
    if not any(pipeline):
        return _NAMESPACE_WITHOUT_PIPELINE + utf8(f"{owner}\n")
    # As JSON, since a name that is put beside another one could begin inside it.
    return _NAMESPACE + utf8(f"{json.dumps([*pipeline, owner])}\n")
