"""Assembles the metadata of chunks: ids, offsets, heading, page and tables.

Guarantees:

- The same text in the same record has the same chunk id in every process.
- Chunks of two projects or two pipelines have different ids, even if their records have the same
  ids, so they can share a collection.
"""

from __future__ import annotations

import hashlib
import html
import json
import re
import uuid
from collections.abc import Iterator, Mapping
from typing import TypeVar

from managed_sync.documents.chunking.tables import cells_of, row_of
from managed_sync.documents.model import Chunk, Metadata, Scalar, SourceDocument, utf8
from managed_sync.documents.parsing import markdown_writer as markdown
from managed_sync.identifiers import ObjectId

__all__ = [
    "CHUNK_ID_SCHEME",
    "MAX_TABLE_CHARACTERS",
    "TABLE_HEADER",
    "ChunkBuilder",
    "ChunkIds",
    "header_above",
    "small_tables_html",
    "with_table_header",
    "without_tables",
]

CHUNK_ID_SCHEME = "by project, pipeline and record"
"""The parts of a chunk id. Change it with the ids: an index of other ids must be rebuilt."""

TABLE_HEADER = "table_header"
"""The metadata of a chunk that begins inside a table: the names of the columns, as a row."""

# Stores keep metadata next to the text, and some of them little of it.
MAX_TABLE_CHARACTERS = 2000

_PIPELINE = ("project_id", "integration", "sync_type")
# Never change these: every chunk id so far was made with one of them.
_NAMESPACE = uuid.UUID("0c7de2a4-6f0b-5d0e-8f57-3b1f9d6a2e48").bytes
_NAMESPACE_WITHOUT_PIPELINE = uuid.UUID("5f0c1d5e-3a44-5b0e-9a0e-0d7c7a9f4b1d").bytes
# The two bits that every UUID has, for each digit.
_VARIANTS = {digit: "89ab"[int(digit, 16) & 3] for digit in "0123456789abcdef"}

_TABLE = re.compile(
    r"^(?P<head>\|[^\n]*\|)\n\|(?:[ \t]*:?-+:?[ \t]*\|)+[ \t]*\n(?P<body>(?:\|[^\n]*\|(?:\n|\Z))*)",
    re.MULTILINE,
)
_TABLE_METADATA = ("tables_html", TABLE_HEADER)

_Value = TypeVar("_Value")


class ChunkBuilder:
    """Makes the chunks of one document, in order.

    Args:
        document: The document. Its metadata is checked again, since a mapping can be changed.

    Raises:
        InvalidIdentifierError: The metadata has no valid ``object_id``.
        DocumentError: A metadata value is not a scalar.
    """

    def __init__(self, document: SourceDocument) -> None:
        self._has_tables = "tables_html" in document.metadata
        self._document = SourceDocument(document.text, without_tables(document.metadata))
        self._ids = ChunkIds(self._document.metadata)
        self._count = 0

    def build(
        self,
        text: str,
        tokens: int,
        *,
        start: int | None = None,
        heading: str = "",
        page: int = 0,
        table_header: str = "",
        inherited: Metadata | None = None,
    ) -> Chunk:
        """Makes the next chunk.

        Args:
            text: Its text.
            tokens: The number of its tokens.
            start: Its first character in the document's text; ``None`` if it is not found there.
            heading: The headings above it and in it.
            page: The page it begins on; 0 in a text without pages.
            table_header: The names of the columns, if it begins inside a table.
            inherited: Further metadata that an external splitter gave it; it is checked.

        Raises:
            DocumentError: A value of ``inherited`` is not a scalar.
        """
        own: dict[str, Scalar] = {
            "chunk_id": self._ids.of(text),
            "chunk_index": self._count,
        }
        self._count += 1
        if start is not None:
            own["start_char"] = start
            own["end_char"] = start + len(text)
        own["token_count"] = tokens
        if heading:
            own["heading"] = heading
        if page:
            own["page"] = page
        if table_header:
            own[TABLE_HEADER] = table_header
        if self._has_tables and (
            tables := small_tables_html(_with_whole_table(text, table_header))
        ):
            own["tables_html"] = tables
        if inherited is None:
            return Chunk.of(self._document, text, own)
        metadata = without_tables({**self._document.metadata, **inherited})
        # Offsets of another splitter may refer to another text.
        metadata.pop("start_char", None)
        metadata.pop("end_char", None)
        return Chunk(text, {**metadata, **own})


class ChunkIds:
    """Gives out the ids of one document's chunks.

    An id is a UUID of the project, the pipeline, the object id, the text, and the number of equal
    texts before it; of the record id if the object is not named after the record, since other
    records may then have the same object; and of the path of a part, such as an attachment.

    Args:
        metadata: The document's metadata.

    Examples:
        >>> ChunkIds({"object_id": "file:1"}).of("The arm moves.")
        'ab00be57-afb1-5537-beb0-926b8a2634f4'
    """

    def __init__(self, metadata: Metadata) -> None:
        object_id, record_id = str(metadata["object_id"]), metadata.get("record_id")
        record_names = (record_id, metadata.get("source_id"))
        is_named_after_record = record_id is None or ObjectId.parse(object_id).id in record_names
        owner = object_id if is_named_after_record else f"{object_id}\n{record_id}"
        pipeline = [metadata.get(name) for name in _PIPELINE]
        if part := metadata.get("part"):
            self._prefix = _NAMESPACE + utf8(f"{json.dumps([*pipeline, owner, part])}\n")
        elif any(pipeline):
            # JSON, because a name that is simply appended to another one could begin inside it.
            self._prefix = _NAMESPACE + utf8(f"{json.dumps([*pipeline, owner])}\n")
        else:
            self._prefix = _NAMESPACE_WITHOUT_PIPELINE + utf8(f"{owner}\n")
        self._seen: dict[str, int] = {}

    def of(self, text: str) -> str:
        """Returns the id of the next chunk, which has this text."""
        occurrence = self._seen[text] = self._seen.get(text, -1) + 1
        name = b"%b%d\n%b" % (self._prefix, occurrence, utf8(text))
        # Does what uuid.uuid5 does in a third of the time.
        digest = hashlib.sha1(name, usedforsecurity=False).hexdigest()
        return (
            f"{digest[:8]}-{digest[8:12]}-5{digest[13:16]}"
            f"-{_VARIANTS[digest[16]]}{digest[17:20]}-{digest[20:32]}"
        )


def small_tables_html(text: str) -> str:
    r"""Returns all tables of a Markdown text as HTML, or an empty string if they are too long.

    Examples:
        >>> small_tables_html("| City |\n| --- |\n| Oslo |\n")
        '<table><tr><th>City</th></tr><tr><td>Oslo</td></tr></table>'
    """
    if "|\n|" not in text:
        return ""
    found: list[str] = []
    length = 0
    for table in _tables(text):
        length += len(table)
        if length > MAX_TABLE_CHARACTERS:
            return ""
        found.append(table)
    return "".join(found)


def header_above(document: SourceDocument) -> str:
    """Returns the header of the table that a document begins inside of, if it is a chunk itself."""
    return str(document.metadata.get(TABLE_HEADER, ""))


def with_table_header(text: str, metadata: Mapping[str, object]) -> str:
    r"""Returns a chunk's text under the header of the table that it begins inside of, if it does.

    Examples:
        >>> with_table_header("| Oslo | 200 |", {"table_header": "| City | Limit |"})
        '| City | Limit |\n| Oslo | 200 |'
    """
    header = metadata.get(TABLE_HEADER)
    return f"{header}\n{text}" if header else text


def without_tables(metadata: Mapping[str, _Value]) -> dict[str, _Value]:
    """Copies a document's metadata without its tables, since each chunk has only its own."""
    return {key: value for key, value in metadata.items() if key not in _TABLE_METADATA}


def _with_whole_table(text: str, header: str) -> str:
    """Returns a text that begins inside a table so that the table is one of its own."""
    if not header:
        return text
    delimiter = row_of(["---"] * len(cells_of(header)))
    return f"{header}\n{delimiter}\n{text}"


def _tables(text: str) -> Iterator[str]:
    if "```" in text or "~~~" in text:
        text = markdown.without_code(text)
    for table in _TABLE.finditer(text):
        rows = "".join(_row(line, "td") for line in _escaped(table["body"]).splitlines())
        yield f"<table>{_row(_escaped(table['head']), 'th')}{rows}</table>"


def _escaped(text: str) -> str:
    return html.escape(text, quote=False)


def _row(line: str, tag: str) -> str:
    row = f"</{tag}><{tag}>".join(cells_of(line)).replace(r"\|", "|")
    return f"<tr><{tag}>{row}</{tag}></tr>"
