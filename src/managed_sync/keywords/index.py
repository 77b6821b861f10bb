"""An index of the words in chunks, in one SQLite file.

Guarantees:

- A search finds only chunks of one project and those that name none, and with ``objects`` and
  ``where`` only such chunks.
- Nothing in a question is syntax, and none raises an error.
- Hits are in the same order for the same chunks, whatever the history of the file is.

See ``docs/decisions/0041-keywords-index.md``.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence, Set
from pathlib import Path
from typing import Any, NamedTuple

from sqlalchemy import ColumnElement, Row, Select, func, select

from managed_sync.arguments import check_integer
from managed_sync.documents import Chunk
from managed_sync.documents.metadata_condition import MetadataCondition, meets
from managed_sync.documents.model import Metadata
from managed_sync.documents.stored_chunk import ChunkPlace, StoredChunk
from managed_sync.errors import ConfigurationError
from managed_sync.keywords.database import SCHEMA_VERSION, KeywordDatabase
from managed_sync.keywords.question import question_terms
from managed_sync.keywords.ranking import ranking
from managed_sync.keywords.rows import (
    GREATEST_INTEGER,
    insert_chunks,
    remove_chunks,
    stored_chunks,
    with_postings,
)
from managed_sync.keywords.tables import (
    chunk_table,
    listed,
    passage_table,
    project_table,
    searched_projects,
)

__all__ = ["KeywordHit", "KeywordIndex"]

# A search with a condition looks at this many times the hits wanted, and then further by as much.
_WIDENING = 4
_SEARCHED = ("integration", "sync_type", "object_id")
_contents = select(chunk_table.c.chunk_id, passage_table.c.content).join(
    passage_table, passage_table.c.id == chunk_table.c.id
)


class KeywordHit(NamedTuple):
    """A chunk that has words of a question.

    Attributes:
        text: The chunk's text.
        metadata: The chunk's metadata.
        score: Higher is better. It depends on all chunks of the project, also on those that a user
            may not read, so do not show it to users.
    """

    chunk_id: str
    text: str
    metadata: Metadata
    score: float


class KeywordIndex:
    """An index of the words in chunks, which ``IndexSync`` keeps in step with a vector store.

    Several pipelines can share a file, if they share the vector store too. Threads, forked
    processes and other processes may search while a run writes.

    Args:
        path: The file; the first run makes it, readable by its owner alone.

    Examples:
        ```python
        keywords = KeywordIndex("keywords.db")
        sync = IndexSync(client, LangChainTarget(store), ledger="state.db", keywords=keywords)
        sync.run(integration="googleDrive", sync_type="files")
        keywords.search("VPN error 612", limit=6)
        ```
    """

    def __init__(self, path: str | Path) -> None:
        self._database = KeywordDatabase(Path(path))

    @property
    def path(self) -> Path:
        """Returns the file."""
        return self._database.file

    @property
    def fingerprint(self) -> str:
        """Returns a description of the settings that the index is built with."""
        return f"KeywordIndex(schema={SCHEMA_VERSION})"

    # Searching

    def search(
        self,
        question: str,
        limit: int,
        objects: Sequence[str] | None = None,
        *,
        project_id: str | None = None,
        where: MetadataCondition | None = None,
    ) -> list[KeywordHit]:
        """Returns the chunks with words of a question, the best ones first.

        Args:
            question: Any text; a chunk with one of its words matches.
            limit: The most hits.
            objects: Search only chunks of these objects.
            project_id: The project, to which chunks that name none belong as well; it may be left
                out if the file holds a single one.
            where: Search only chunks with these values in their metadata, of the same types.

        Raises:
            ConfigurationError: The file holds several projects, and none is named.
            KeywordIndexError: The file cannot be read.
        """
        limit = check_integer("limit", limit)
        terms = question_terms(question)
        with self._database.reading() as connection:
            projects = searched_projects(connection, project_id)
            if objects is not None and not objects:
                return []
            wanted = None if objects is None else frozenset(objects)
            found = ranking(connection, projects, terms, wanted)
            if not where:
                return _hits(found.best(limit))
            width = _WIDENING * limit
            while True:
                hits = [each for each in _hits(found.best(width)) if meets(each.metadata, where)]
                if len(hits) >= limit or len(found) <= width:
                    return hits[:limit]
                width *= _WIDENING

    def count_chunks(
        self, objects: Sequence[str] | None = None, *, project_id: str | None = None
    ) -> int:
        """Counts the chunks, of all objects or of these.

        Args:
            objects: Count only chunks of these objects.
            project_id: The project, to which chunks that name none belong as well; it may be left
                out if the file holds a single one.

        Raises:
            ConfigurationError: The file holds several projects, and none is named.
            KeywordIndexError: The file cannot be read.
        """
        with self._database.reading() as connection:
            projects = searched_projects(connection, project_id)
            if objects is None:
                return sum(project.chunks for project in projects)
            query = select(func.count()).where(
                chunk_table.c.project.in_([project.id for project in projects]),
                chunk_table.c.object_id.in_(listed(objects)),
            )
            return connection.execute(query).scalar_one()

    def neighbors(self, place: ChunkPlace, distance: int) -> list[StoredChunk]:
        """Returns the chunks next to one of the same text, in their order, without it.

        Args:
            place: The chunk's place; its project may be left out if the file holds a single one.
            distance: The most chunks before and after it.

        Raises:
            ConfigurationError: The file holds several projects, and none is named.
            KeywordIndexError: The file cannot be read.
        """
        object_id, chunk_index, project_id, record_id, part = place
        distance = check_integer("distance", distance, at_least=0)
        # These come from the metadata of hits, where anything may be.
        is_possible = isinstance(object_id, str) and type(chunk_index) is int
        if not is_possible or not 0 <= chunk_index <= GREATEST_INTEGER:
            return []
        last = min(chunk_index + distance, GREATEST_INTEGER)
        with self._database.reading() as connection:
            projects = searched_projects(connection, project_id)
            query = _contents.where(
                chunk_table.c.object_id == object_id,
                chunk_table.c.project.in_([project.id for project in projects]),
                chunk_table.c.chunk_index.between(max(chunk_index - distance, 0), last),
                chunk_table.c.chunk_index != chunk_index,
            )
            rows = connection.execute(
                query.order_by(chunk_table.c.chunk_index, chunk_table.c.chunk_id)
            ).all()
            found = stored_chunks(rows)
        return [
            each
            for each in found
            if each.metadata is not None
            and each.metadata.get("object_id") == object_id
            and each.metadata.get("part") == part
            and (record_id is None or record_id == each.metadata.get("record_id"))
        ]

    # Writing and reading back, as a target of ``IndexSync`` does

    def upsert(self, chunks: Sequence[Chunk], *, present: Set[str] = frozenset()) -> None:
        """Writes chunks; one whose id is there already is replaced.

        Args:
            chunks: The chunks.
            present: Not needed here; every id is looked up.

        Raises:
            KeywordIndexError: The file cannot be written; none of the chunks was.
        """
        by_id = {chunk.chunk_id: chunk for chunk in chunks}
        if by_id:
            with self._database.writing() as connection:
                remove_chunks(connection, by_id)
                insert_chunks(connection, list(by_id.values()))

    def update_metadata(self, chunks: Sequence[Chunk]) -> None:
        """Writes chunks again, with their metadata and their text.

        Raises:
            KeywordIndexError: The file cannot be written.
        """
        self.upsert(chunks)

    def delete(self, chunk_ids: Sequence[str]) -> None:
        """Removes chunks; one that is not there is no error.

        Raises:
            KeywordIndexError: The file cannot be written; none of the chunks was removed.
        """
        if self._database.exists:
            with self._database.writing() as connection:
                remove_chunks(connection, chunk_ids)

    def existing_ids(self, chunk_ids: Iterable[str]) -> Set[str]:
        """Returns those chunks that the index holds.

        Raises:
            KeywordIndexError: The file cannot be read.
        """
        wanted = chunk_table.c.chunk_id.in_(listed(chunk_ids))
        return {row.chunk_id for row in self._rows(select(chunk_table.c.chunk_id).where(wanted))}

    def chunk_ids(self, metadata: Mapping[str, str]) -> Iterator[str]:
        """Returns all chunks that have this metadata.

        Args:
            metadata: Names of the project, the pipeline and the object.

        Raises:
            KeywordIndexError: The file cannot be read.
        """
        query = (
            select(chunk_table.c.chunk_id)
            .where(*_conditions(metadata))
            .order_by(chunk_table.c.chunk_id)
        )
        return iter([row.chunk_id for row in self._rows(query)])

    def count(self, metadata: Mapping[str, str]) -> int:
        """Counts the chunks that have this metadata.

        Args:
            metadata: Names of the project, the pipeline and the object.

        Raises:
            KeywordIndexError: The file cannot be read.
        """
        query = select(func.count()).select_from(chunk_table).where(*_conditions(metadata))
        return sum(count for (count,) in self._rows(query))

    def read(self, chunk_ids: Sequence[str], *, vectors: bool = False) -> list[StoredChunk]:
        """Returns the chunks with these ids, without vectors.

        A chunk whose words or whose object are lost, so that searches miss it, is not returned.

        Raises:
            KeywordIndexError: The file cannot be read.
        """
        query = _contents.add_columns(
            chunk_table.c.id, chunk_table.c.project, chunk_table.c.object_id
        ).where(chunk_table.c.chunk_id.in_(listed(chunk_ids)))
        with self._database.reading_if_written() as connection:
            if connection is None:
                return []
            rows = connection.execute(query).all()
            found = with_postings(connection, rows)
            return stored_chunks((row[0], row[1]) for row in rows if row.chunk_id in found)

    def _rows(self, query: Select[Any]) -> Sequence[Row[Any]]:
        """Returns the rows of a query; none if nothing was ever written."""
        with self._database.reading_if_written() as connection:
            return [] if connection is None else connection.execute(query).all()


def _hits(best: Sequence[tuple[str, bytes, float]]) -> list[KeywordHit]:
    found = stored_chunks((chunk_id, content) for chunk_id, content, _ in best)
    return [
        KeywordHit(chunk.chunk_id, chunk.text, chunk.metadata or {}, score)
        for chunk, (_, _, score) in zip(found, best, strict=True)
    ]


def _conditions(metadata: Mapping[str, str]) -> Iterator[ColumnElement[bool]]:
    for name, value in metadata.items():
        if name == "project_id":
            named = select(project_table.c.id).where(project_table.c.project_id == value)
            yield chunk_table.c.project == named.scalar_subquery()
        elif name in _SEARCHED:
            yield chunk_table.c[name] == value
        else:
            raise ConfigurationError(
                f"The keyword index finds chunks by project_id, {', '.join(_SEARCHED)}, got {name}."
            )
