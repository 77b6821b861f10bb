"""The rows of a chunk in the keyword index: its names, its packed content, and its postings."""

from __future__ import annotations

import json
import zlib
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, NamedTuple

from sqlalchemy import Connection, Row, func, select

from managed_sync.documents import Chunk
from managed_sync.documents.stored_chunk import StoredChunk
from managed_sync.errors import DocumentError, InvalidIdentifierError
from managed_sync.keywords.columns import ChunkTerms, terms_of
from managed_sync.keywords.postings import (
    add_postings,
    keys_in_objects,
    last_key,
    postings_of,
    remove_postings,
    segments_of,
)
from managed_sync.keywords.tables import (
    DamagedFileError,
    added_project,
    chunk_table,
    listed,
    passage_table,
    project_table,
)

__all__ = ["GREATEST_INTEGER", "insert_chunks", "remove_chunks", "stored_chunks", "with_postings"]

# The greatest integer of SQLite.
GREATEST_INTEGER = 2**63 - 1


class _Content(NamedTuple):
    text: str
    metadata: Mapping[str, Any]


def insert_chunks(connection: Connection, added: Sequence[Chunk]) -> None:
    """Adds chunks that are not there.

    Args:
        connection: In a transaction that writes.
        added: The chunks, each with another id.
    """
    last = connection.execute(select(func.coalesce(func.max(chunk_table.c.id), 0))).scalar_one()
    project_keys, names, contents = dict[str, int](), [], []
    terms = defaultdict[int, dict[int, ChunkTerms]](dict)
    for key, chunk in enumerate(added, 1 + max(last, last_key(connection))):
        project_id = str(chunk.metadata.get("project_id", ""))
        if project_id not in project_keys:
            project_keys[project_id] = added_project(connection, project_id)
        project, own = project_keys[project_id], terms_of(chunk)
        terms[project][key] = own
        names.append({"id": key, "project": project, "words": own.words, **_names(chunk)})
        content = _packed(_Content(chunk.text, dict(chunk.metadata)))
        contents.append({"id": key, "content": content})
    connection.execute(chunk_table.insert(), names)
    connection.execute(passage_table.insert(), contents)
    for project, own_terms in terms.items():
        add_postings(connection, project, own_terms)
        _count(connection, project, len(own_terms), sum(each.words for each in own_terms.values()))


def remove_chunks(connection: Connection, chunk_ids: Iterable[str]) -> None:
    """Removes chunks; one that is not there is no error.

    Args:
        connection: In a transaction that writes.
        chunk_ids: The chunks.
    """
    found = connection.execute(
        select(chunk_table.c.id, chunk_table.c.project, chunk_table.c.words).where(
            chunk_table.c.chunk_id.in_(listed(chunk_ids))
        )
    ).all()
    if not all(type(row.words) is int for row in found):
        raise DamagedFileError("the number of a chunk's words is damaged")
    for project, rows in _by_project(found).items():
        remove_postings(connection, project, (row.id for row in rows))
        _count(connection, project, -len(rows), -sum(row.words for row in rows))
    keys = listed(row.id for row in found)
    for table in (chunk_table, passage_table) if found else ():
        connection.execute(table.delete().where(table.c.id.in_(keys)))


def with_postings(connection: Connection, rows: Sequence[Row[Any]]) -> set[str]:
    """Returns the ids of those chunks that a search for their longest term in their object finds.

    Args:
        connection: In a transaction.
        rows: The id, the content, the key, the project and the object of each chunk.
    """
    found = set[str]()
    for project, own in _by_project(rows).items():
        longest, objects = dict[int, str](), dict[int, str]()
        for row in own:
            terms = _written_terms(row.content)
            longest[row.id] = max(terms.counts, key=lambda term: (len(term), term), default="")
            if row.object_id == terms.object_id:
                objects[row.id] = terms.object_id
        segments = segments_of(connection, project)
        postings = postings_of(connection, segments, sorted({*longest.values()} - {""}))
        keys = {term: set(each["key"].tolist()) for term, each in postings.items()}
        in_objects = keys_in_objects(connection, segments, objects)
        for row in own:
            term = longest[row.id]
            if row.id in in_objects and (not term or row.id in keys.get(term, ())):
                found.add(row.chunk_id)
    return found


def _written_terms(content: bytes) -> ChunkTerms:
    """Returns the terms that a chunk with this content was written with."""
    try:
        return terms_of(Chunk(*_unpacked(content)))
    except (DocumentError, InvalidIdentifierError) as error:
        raise DamagedFileError(f"the content of a chunk is damaged: {error}") from None


def stored_chunks(rows: Iterable[Sequence[Any]]) -> list[StoredChunk]:
    """Returns chunks as they were written.

    Args:
        rows: The id and the content of each.
    """
    contents = ((chunk_id, _unpacked(content)) for chunk_id, content in rows)
    return [StoredChunk(chunk_id, each.text, each.metadata) for chunk_id, each in contents]


def _by_project(rows: Iterable[Any]) -> dict[int, list[Any]]:
    grouped = defaultdict[int, list[Any]](list)
    for row in rows:
        grouped[row.project].append(row)
    return grouped


def _count(connection: Connection, project: int, chunks: int, words: int) -> None:
    """Adds to what is counted of a project."""
    own = project_table.c
    counted = {"chunks": own.chunks + chunks, "words": own.words + words}
    connection.execute(project_table.update().where(own.id == project).values(counted))


def _names(chunk: Chunk) -> dict[str, object]:
    index = chunk.metadata.get("chunk_index")
    return {
        "chunk_id": chunk.chunk_id,
        "object_id": chunk.object_id,
        # A number beyond SQLite's is that of no neighbor.
        "chunk_index": index if type(index) is int and 0 <= index <= GREATEST_INTEGER else None,
        "integration": chunk.metadata.get("integration"),
        "sync_type": chunk.metadata.get("sync_type"),
    }


def _packed(content: _Content) -> bytes:
    return zlib.compress(json.dumps(content, ensure_ascii=False).encode())


def _unpacked(content: bytes) -> _Content:
    try:
        found = _Content(*json.loads(zlib.decompress(content)))
    except (zlib.error, TypeError, ValueError, RecursionError) as error:
        raise DamagedFileError(f"the content of a chunk is damaged: {error}") from None
    if not isinstance(found.text, str) or not isinstance(found.metadata, dict):
        raise DamagedFileError("the content of a chunk is damaged: it is no text with metadata")
    return found
