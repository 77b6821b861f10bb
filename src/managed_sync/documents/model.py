"""What loading produces and what chunking produces: text, and scalar metadata that goes with it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from managed_sync.documents.chunking.tokenizer import storable
from managed_sync.errors import DocumentError, InvalidIdentifierError
from managed_sync.identifiers import ObjectId

__all__ = ["Chunk", "Metadata", "Scalar", "SourceDocument"]

Scalar = str | int | float | bool
Metadata = Mapping[str, Scalar]
_SCALARS = frozenset({str, int, float, bool})


def _checked(metadata: Metadata) -> dict[str, Scalar]:
    """A copy of the metadata that a permission check can be based on and that every store takes.

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
        if not isinstance(value, str | int | float | bool):
            raise DocumentError(
                f"The metadata {name!r} of {metadata['object_id']} is of type "
                f"{type(value).__name__}; only text, numbers and booleans fit every vector store. "
                "Leave absent values out."
            )


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


@dataclass(frozen=True)
class SourceDocument(_Text):
    r"""One record as text, before it is cut into chunks.

    The text is Markdown: ``#`` headings, ``|`` tables, ``-`` lists, fenced code, and a form feed
    (``"\f"``) where a new page, slide or sheet begins. Structure is in the text and nowhere else,
    so a document passes through any framework's document class unharmed.

    Raises:
        InvalidIdentifierError: The metadata has no valid ``object_id``.
        DocumentError: A metadata value is not a scalar.

    Examples:
        >>> SourceDocument("# Plan", {"object_id": "file:3f2a"}).object_id
        'file:3f2a'
    """


@dataclass(frozen=True)
class Chunk(_Text):
    """A passage of a document, and where in the document's text it stands.

    Raises:
        InvalidIdentifierError: The metadata has no valid ``object_id``.
        DocumentError: A metadata value is not a scalar, or there is no ``chunk_id``.
    """

    def __post_init__(self) -> None:
        super().__post_init__()
        if not self.metadata.get("chunk_id"):
            raise DocumentError(f"A chunk of {self.object_id} has no 'chunk_id' in its metadata.")

    @classmethod
    def of(cls, document: SourceDocument, text: str, place: Metadata) -> Chunk:
        """A passage of a document, whose metadata have been checked and are not checked again.

        Args:
            document: Where the passage is from.
            text: The passage.
            place: What to add to the document's metadata; with a ``chunk_id``.
        """
        chunk = object.__new__(cls)
        object.__setattr__(chunk, "text", text)
        object.__setattr__(chunk, "metadata", {**document.metadata, **place})
        return chunk

    @property
    def chunk_id(self) -> str:
        """The chunk's id: the same text in the same object has the same one everywhere."""
        return str(self.metadata["chunk_id"])
