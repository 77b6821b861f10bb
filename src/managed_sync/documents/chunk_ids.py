"""The ids of chunks: the same text in the same record has the same one in every process."""

from __future__ import annotations

import hashlib
import uuid

from managed_sync.documents.source_document import Metadata
from managed_sync.documents.tokens import utf8
from managed_sync.identifiers import ObjectId

__all__ = ["ChunkIds"]

# Never to be changed: every chunk id there is was made with it.
_NAMESPACE = uuid.UUID("5f0c1d5e-3a44-5b0e-9a0e-0d7c7a9f4b1d").bytes
# The two bits that every UUID has, for each digit.
_VARIANTS = {digit: "89ab"[int(digit, 16) & 3] for digit in "0123456789abcdef"}


class ChunkIds:
    """Gives out the ids of one document's chunks.

    An id is a UUID of the object's id, the text, and how many equal texts came before it; and of
    the record's id, where the object is not named after the record and so may have others.

    Args:
        metadata: The document's.

    Examples:
        >>> ChunkIds({"object_id": "file:1"}).of("The arm moves.")
        'ab00be57-afb1-5537-beb0-926b8a2634f4'
    """

    def __init__(self, metadata: Metadata) -> None:
        self._prefix = _NAMESPACE + utf8(f"{_owner(metadata)}\n")
        self._seen: dict[str, int] = {}

    def of(self, text: str) -> str:
        """The id of the next chunk, which has this text."""
        occurrence = self._seen[text] = self._seen.get(text, -1) + 1
        name = b"%b%d\n%b" % (self._prefix, occurrence, utf8(text))
        # What uuid.uuid5 does, in a third of its time.
        digest = hashlib.sha1(name, usedforsecurity=False).hexdigest()
        return (
            f"{digest[:8]}-{digest[8:12]}-5{digest[13:16]}"
            f"-{_VARIANTS[digest[16]]}{digest[17:20]}-{digest[20:32]}"
        )


def _owner(metadata: Metadata) -> str:
    """Whose text it is: an object's, or that of one of its records."""
    object_id, record_id = str(metadata["object_id"]), metadata.get("record_id")
    own_names = (record_id, metadata.get("source_id"))
    if record_id is None or ObjectId.parse(object_id).id in own_names:
        return object_id
    return f"{object_id}\n{record_id}"
