"""Documents and chunks: a text, and scalar metadata with the id of the object it came from.

Guarantees:

- No text exists without a valid ``object_id``, so access to each can be checked.
- Text and metadata hold only what every database takes: scalars, without NUL and without halves of
  surrogate pairs. An object id that would have to be changed for that is refused.

See ``docs/decisions/0004-documents-text-form.md``.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field

from managed_sync.errors import DocumentError, InvalidIdentifierError
from managed_sync.identifiers import ObjectId

__all__ = ["Chunk", "Metadata", "Scalar", "SourceDocument", "storable", "utf8", "well_formed"]

Scalar = str | int | float | bool
Metadata = Mapping[str, Scalar]
_SCALARS = frozenset({str, int, float, bool})
_SURROGATES = re.compile("[\ud800-\udfff]")


def well_formed(text: str) -> str:
    """Replaces each half of a surrogate pair, which has no UTF-8 form, by U+FFFD."""
    if text.isascii():
        return text
    try:
        text.encode()
    except UnicodeEncodeError:
        return _SURROGATES.sub("\ufffd", text)
    return text


def storable(text: str) -> str:
    """Replaces NUL and halves of surrogate pairs, which no database takes, by U+FFFD."""
    return well_formed(text).replace("\0", "\ufffd")


def utf8(text: str) -> bytes:
    """Returns the text's UTF-8 form, with each half of a surrogate pair replaced."""
    try:
        return text.encode()
    except UnicodeEncodeError:
        return well_formed(text).encode()


@dataclass(frozen=True)
class _Text:
    """A text that cannot exist without the id of the object whose permissions govern it."""

    text: str
    metadata: Metadata = field(default_factory=dict)

    def __post_init__(self) -> None:
        object.__setattr__(self, "text", storable(self.text))
        object.__setattr__(self, "metadata", _checked(self.metadata))

    @property
    def object_id(self) -> str:
        """The id under which the Permissions API knows the source object."""
        return str(self.metadata["object_id"])

    @property
    def title(self) -> str:
        """The title of the record that the text came from, or the object id without one."""
        return str(self.metadata.get("title") or self.object_id)


@dataclass(frozen=True)
class SourceDocument(_Text):
    r"""One record as text, before it is split into chunks.

    The text is Markdown: ``#`` headings, ``|`` tables, ``-`` lists, fenced code, and a form feed
    (``"\f"``) where a new page, slide or sheet begins. The text alone carries the structure, so a
    document passes through the document class of any framework unharmed.

    Raises:
        InvalidIdentifierError: The metadata has no valid ``object_id``.
        DocumentError: A metadata value is not a scalar.

    Examples:
        >>> SourceDocument("# Plan", {"object_id": "file:3f2a"}).object_id
        'file:3f2a'
    """

    @property
    def record_id(self) -> str:
        """The id of the record in the Sync API; empty in a document that no loader made."""
        return str(self.metadata.get("record_id", ""))


@dataclass(frozen=True)
class Chunk(_Text):
    """A passage of a document, with its position in the document's text.

    Raises:
        InvalidIdentifierError: The metadata has no valid ``object_id``.
        DocumentError: A metadata value is not a scalar, or there is no ``chunk_id``.
    """

    def __post_init__(self) -> None:
        super().__post_init__()
        if not self.metadata.get("chunk_id"):
            raise DocumentError(
                f"A chunk needs a 'chunk_id' in its metadata; one of {self.object_id} has none."
            )

    @classmethod
    def of(cls, document: SourceDocument, text: str, own: Metadata) -> Chunk:
        """Makes a chunk without checking the document's metadata again.

        Args:
            document: The document that the passage is from.
            text: The passage.
            own: Metadata of the chunk, with a ``chunk_id``, on top of the document's.
        """
        chunk = object.__new__(cls)
        object.__setattr__(chunk, "text", text)
        object.__setattr__(chunk, "metadata", {**document.metadata, **own})
        return chunk

    @property
    def chunk_id(self) -> str:
        """The chunk's id: the same text in the same object has the same one everywhere."""
        return str(self.metadata["chunk_id"])


def _checked(metadata: Metadata) -> dict[str, Scalar]:
    """Copies metadata that has a valid object id and only scalars.

    Raises:
        InvalidIdentifierError: There is no valid ``object_id`` in it.
        DocumentError: A value is not a scalar, or no database takes the ``object_id``.
    """
    object_id = metadata.get("object_id")
    if not isinstance(object_id, str):
        raise InvalidIdentifierError(
            "A document needs an 'object_id' in its metadata, such as 'file:abc123': "
            "without one nobody's access to it can be checked."
        )
    ObjectId.parse(object_id)
    if storable(object_id) != object_id:
        raise DocumentError(f"The object id {object_id!r} has characters that no database takes.")
    if not _SCALARS.issuperset(map(type, metadata.values())):
        _refuse_all_but_scalars(metadata)
    return {
        name: storable(value) if isinstance(value, str) else value
        for name, value in metadata.items()
    }


def _refuse_all_but_scalars(metadata: Metadata) -> None:
    for name, value in metadata.items():
        if not isinstance(value, Scalar):
            raise DocumentError(
                f"Metadata must be text, numbers or booleans, which fit every vector store, but "
                f"{name!r} of {metadata['object_id']} is of type {type(value).__name__}. Leave "
                f"absent values out."
            )
