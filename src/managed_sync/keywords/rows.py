"""The rows of a chunk in the keyword index: its names, its packed content, and its words.

The table of words keeps no copy of them. To remove a chunk, its words are given to SQLite once
more, so they are kept with the chunk's text, in one compressed value.
"""

from __future__ import annotations

import json
import zlib
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, NamedTuple

from sqlalchemy import Connection, func, select

from managed_sync.documents import Chunk
from managed_sync.documents.stored_chunk import StoredChunk
from managed_sync.keywords.columns import COLUMNS, columns_of
from managed_sync.keywords.tables import (
    DamagedFileError,
    added_project,
    chunk_table,
    listed,
    passage_table,
    with_words,
    words_of,
)

__all__ = ["insert_chunks", "remove_chunks", "stored_chunks"]


class _Content(NamedTuple):
    text: str
    metadata: Mapping[str, Any]
    columns: Sequence[str]


def insert_chunks(connection: Connection, added: Sequence[Chunk]) -> None:
    """Adds chunks that are not there.

    Args:
        connection: In a transaction that writes.
        added: The chunks, each with another id.
    """
    last = connection.execute(select(func.coalesce(func.max(chunk_table.c.id), 0))).scalar_one()
    project_keys, names, contents = dict[str, int](), [], []
    words = defaultdict[int, list[dict[str, Any]]](list)
    for key, chunk in enumerate(added, last + 1):
        project_id = str(chunk.metadata.get("project_id", ""))
        if project_id not in project_keys:
            project_keys[project_id] = added_project(connection, project_id)
        columns = columns_of(chunk)
        project = project_keys[project_id]
        names.append({"id": key, "project": project, **_names(chunk)})
        content = _packed(_Content(chunk.text, dict(chunk.metadata), columns))
        contents.append({"id": key, "content": content})
        words[project].append({"rowid": key, **dict(zip(COLUMNS, columns, strict=True))})
    connection.execute(chunk_table.insert(), names)
    connection.execute(passage_table.insert(), contents)
    for project, rows in words.items():
        connection.execute(words_of(project).insert(), rows)


def remove_chunks(connection: Connection, chunk_ids: Iterable[str]) -> None:
    """Removes chunks; one that is not there is no error.

    Args:
        connection: In a transaction that writes.
        chunk_ids: The chunks.
    """
    found = connection.execute(
        select(chunk_table.c.id, chunk_table.c.project, passage_table.c.content)
        .join(passage_table, passage_table.c.id == chunk_table.c.id)
        .where(chunk_table.c.chunk_id.in_(listed(chunk_ids)))
    ).all()
    words = defaultdict[int, list[dict[str, Any]]](list)
    # SQLite miscounts for good if words are removed that are not there.
    worded = with_words(connection, {row.id: row.project for row in found})
    for key, project, content in found:
        if key not in worded:
            continue
        columns = zip(COLUMNS, _unpacked(content).columns, strict=True)
        order = {words_of(project).name: "delete"}
        words[project].append({**order, "rowid": key, **dict(columns)})
    for project, rows in words.items():
        connection.execute(words_of(project).insert(), rows)
    keys = listed(row.id for row in found)
    for table in (chunk_table, passage_table) if found else ():
        connection.execute(table.delete().where(table.c.id.in_(keys)))


def stored_chunks(rows: Iterable[Sequence[Any]]) -> list[StoredChunk]:
    """Returns chunks as they were written.

    Args:
        rows: The id and the content of each.
    """
    contents = ((chunk_id, _unpacked(content)) for chunk_id, content in rows)
    return [StoredChunk(chunk_id, each.text, each.metadata) for chunk_id, each in contents]


def _names(chunk: Chunk) -> dict[str, object]:
    index = chunk.metadata.get("chunk_index")
    return {
        "chunk_id": chunk.chunk_id,
        "object_id": chunk.object_id,
        "chunk_index": index if type(index) is int else None,
        "integration": chunk.metadata.get("integration"),
        "sync_type": chunk.metadata.get("sync_type"),
    }


def _packed(content: _Content) -> bytes:
    return zlib.compress(json.dumps(content, ensure_ascii=False).encode())


def _unpacked(content: bytes) -> _Content:
    try:
        return _Content(*json.loads(zlib.decompress(content)))
    except (zlib.error, TypeError, ValueError) as error:
        raise DamagedFileError(f"the content of a chunk is damaged: {error}") from None
