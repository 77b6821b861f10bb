"""The ids of chunks: the same text in the same object has the same one in every process."""

from __future__ import annotations

import hashlib
import uuid

from managed_sync.documents.tokens import well_formed

__all__ = ["ChunkIds"]

# Never to be changed: every chunk id there is was made with it.
_NAMESPACE = uuid.UUID("5f0c1d5e-3a44-5b0e-9a0e-0d7c7a9f4b1d").bytes


class ChunkIds:
    """Gives out the ids of one object's chunks.

    An id is a UUID of the object's id, the text, and how many equal texts came before it.

    Args:
        object_id: The object that the chunks are of.

    Examples:
        >>> ChunkIds("file:1").of("The arm moves.")
        'ab00be57-afb1-5537-beb0-926b8a2634f4'
    """

    def __init__(self, object_id: str) -> None:
        self._object_id = object_id
        self._seen: dict[str, int] = {}

    def of(self, text: str) -> str:
        """The id of the next chunk, which has this text."""
        occurrence = self._seen[text] = self._seen.get(text, -1) + 1
        name = well_formed(f"{self._object_id}\n{occurrence}\n{text}").encode()
        # What uuid.uuid5 does, in a third of its time.
        digest = hashlib.sha1(_NAMESPACE + name, usedforsecurity=False).hexdigest()
        third, fourth = f"5{digest[13:16]}", f"{'89ab'[int(digest[16], 16) & 3]}{digest[17:20]}"
        return f"{digest[:8]}-{digest[8:12]}-{third}-{fourth}-{digest[20:32]}"
