"""Documents and chunks: a text, and scalar metadata with the id of the object it came from.

Guarantees:

- No text exists without a valid ``object_id``, so access to each can be checked.
- A file inside of a record's file has no id of its own: its document has the ``object_id`` and all
  other metadata of the record, and only its names, type and tables are its own.
- Text and metadata hold only what every database takes: scalars, without NUL and without halves of
  surrogate pairs. An object id that would have to be changed for that is refused.

See ``docs/decisions/0004-documents-text-form.md`` and
``docs/decisions/0037-documents-parts.md``.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace

from managed_sync.errors import DocumentError, InvalidIdentifierError
from managed_sync.identifiers import ObjectId

__all__ = [
    "Chunk",
    "FilePart",
    "Metadata",
    "Scalar",
    "SourceDocument",
    "storable",
    "utf8",
    "well_formed",
]

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
        """The title of the record or part that the text is from, or the object id without one."""
        return str(self.metadata.get("title") or self.object_id)


@dataclass(frozen=True)
class FilePart:
    """The text of a file inside of a record's file, such as an attachment of an e-mail.

    It has no metadata of its own, so that no file can choose whose permissions govern it.

    Attributes:
        text: The text, as Markdown.
        path: The place in the record's file, such as ``attachments/plan.docx``; unique in it.
        title: The name of the file.
        mime_type: The type of the file, if it is known.
        tables_html: Its tables as HTML, if they are small.
    """

    text: str
    path: str
    title: str
    mime_type: str = ""
    tables_html: str = ""


@dataclass(frozen=True)
class SourceDocument(_Text):
    r"""One record as text, before it is split into chunks.

    The text is Markdown: ``#`` headings, ``|`` tables, ``-`` lists, fenced code, and a form feed
    (``"\f"``) where a new page, slide or sheet begins. The text alone carries the structure, so a
    document passes through the document class of any framework unharmed.

    Attributes:
        parts: The files inside of the record's file, such as the attachments of an e-mail.
        interrupted: Those that could not be read this time, each with the reason; they may be
            readable at another time.

    Raises:
        InvalidIdentifierError: The metadata has no valid ``object_id``.
        DocumentError: A metadata value is not a scalar, or two parts have the same path.

    Examples:
        >>> SourceDocument("# Plan", {"object_id": "file:3f2a"}).object_id
        'file:3f2a'
    """

    parts: tuple[FilePart, ...] = ()
    interrupted: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        super().__post_init__()
        if len({part.path for part in self.parts}) < len(self.parts):
            raise DocumentError(
                f"The paths of the parts of a document must differ, but two parts of "
                f"{self.object_id} have the same one."
            )

    @property
    def record_id(self) -> str:
        """The id of the record in the Sync API; empty in a document that no loader made."""
        return str(self.metadata.get("record_id", ""))

    def documents(self) -> Iterator[SourceDocument]:
        """Yields the document without its parts, and then a document for each part.

        A part has the metadata of the record, with its own ``title``, ``mime_type`` and
        ``tables_html``; ``part`` is its path, and ``parent_title`` the title of the record.

        Examples:
            >>> mail = SourceDocument(
            ...     "See the plan.",
            ...     {"object_id": "file:1", "title": "Plan"},
            ...     (FilePart("# Plan B", "attachments/b.docx", "b.docx"),),
            ... )
            >>> [(each.object_id, each.title, each.text) for each in mail.documents()]
            [('file:1', 'Plan', 'See the plan.'), ('file:1', 'b.docx', '# Plan B')]
        """
        yield replace(self, parts=(), interrupted=()) if self.parts or self.interrupted else self
        for part in self.parts:
            yield SourceDocument(part.text, self._metadata_of(part))

    def _metadata_of(self, part: FilePart) -> Metadata:
        own = {
            "title": part.title or part.path,
            "mime_type": part.mime_type,
            "tables_html": part.tables_html,
            "parent_title": self.title,
            "part": part.path,
        }
        shared = {name: value for name, value in self.metadata.items() if name not in own}
        return {**shared, **{name: value for name, value in own.items() if value}}


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
