"""What the API lists, compared with the ledger, in memory that does not grow with it."""

from __future__ import annotations

import hashlib
import json
import math
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import islice
from types import TracebackType
from typing import Any, NamedTuple, Self

from sqlalchemy import Connection, and_, bindparam, func, literal, null, select

from managed_sync.documents.records_as_text import record_title
from managed_sync.identifiers import object_type_for
from managed_sync.indexing.entries import Standing, State
from managed_sync.indexing.ledger import PipelineLedger
from managed_sync.indexing.tables import listed, records, staging_metadata
from managed_sync.models import SyncedRecord

__all__ = ["Listing", "ListingCounts", "record_version", "title_of"]

_ROWS_AT_ONCE = 500
_VERSION_FIELDS = {"id", "integration", "sync_type", "source_id", "data", "updated_at"}
# Under these names sources state a digest of a file's content.
_DIGESTS = ("digest", "contentHash", "md5Checksum", "sha256", "sha1", "hash", "etag", "eTag")


class ListingCounts(NamedTuple):
    """What there is to do with the records that the API listed.

    Attributes:
        to_do: Those to work on.
        new: Those among them that are new.
        unchanged: Those that are in the index as they are.
    """

    to_do: int
    new: int
    unchanged: int


class Listing:
    """The records that the API listed in this run, and what is to be done with them.

    A record listed twice counts once, as it was listed last. Folders are left out, as if the API
    had not listed them.

    Args:
        ledger: What is known; the listing lives in the same database, until it is closed.
        anew: Whether there is something to do for every record, whatever its version is.
        patient: Whether what failed waits until its time has come.
    """

    def __init__(self, ledger: PipelineLedger, *, anew: bool = False, patient: bool = True) -> None:
        self._ledger = ledger
        self._anew = anew
        self._now = time.time() if patient else math.inf
        self._position = 0
        self._waiting: set[str] = set()
        with ledger.database.reading() as connection:
            staging_metadata.create_all(connection, checkfirst=False)

    def add(self, found: Iterable[SyncedRecord]) -> Iterator[int]:
        """Adds records as they come; yields the number of records added so far."""
        indexable = (record for record in found if not record.is_folder)
        while batch := list(islice(indexable, _ROWS_AT_ONCE)):
            self._put({record.id: record for record in batch})
            yield self._position

    def counts(self) -> ListingCounts:
        """How many records there are of each kind."""
        statement = select(
            func.count(), func.count(listed.c.record), func.count().filter(listed.c.is_new)
        ).select_from(listed)
        with self._ledger.database.reading() as connection:
            listed_count, to_do, new = connection.execute(statement).one()
        return ListingCounts(to_do, new, listed_count - to_do - len(self._waiting))

    def to_do(self) -> Iterator[tuple[SyncedRecord, bool]]:
        """The records to work on, in the API's order, and whether each one is new."""
        after = 0
        while True:
            statement = (
                select(listed)
                .where(listed.c.record.is_not(None), listed.c.position > after)
                .order_by(listed.c.position)
                .limit(_ROWS_AT_ONCE)
            )
            with self._ledger.database.reading() as connection:
                rows = connection.execute(statement).all()
            if not rows:
                return
            for row in rows:
                yield SyncedRecord.model_validate(json.loads(row.record)), row.is_new
            after = rows[-1].position

    def missing_count(self) -> tuple[int, int]:
        """How many known records the API did not list, and how many are known."""
        with self._ledger.database.reading() as connection:
            known = select(func.count()).where(self._is_known)
            missing = select(func.count()).select_from(self._joined).where(self._is_missing)
            return (
                connection.execute(missing).scalar_one(),
                connection.execute(known).scalar_one(),
            )

    def unlisted_count(self) -> int:
        """How many records that are in the index as they were the API did not list."""
        statement = select(func.count()).select_from(self._joined)
        statement = statement.where(self._is_missing, records.c.state == State.INDEXED)
        with self._ledger.database.reading() as connection:
            return int(connection.execute(statement).scalar_one())

    def missing(self) -> Iterator[list[tuple[str, str]]]:
        """The ids and titles of known records that the API did not list, some at a time."""
        after = ""
        while True:
            statement = (
                select(records.c.record_id, records.c.title)
                .select_from(self._joined)
                .where(self._is_missing, records.c.record_id > after)
                .order_by(records.c.record_id)
                .limit(_ROWS_AT_ONCE)
            )
            with self._ledger.database.reading() as connection:
                found = [(row.record_id, row.title) for row in connection.execute(statement)]
            if not found:
                return
            yield found
            after = found[-1][0]

    @property
    def _is_known(self) -> Any:
        return records.c.pipeline_id == self._ledger.pipeline_id

    @property
    def _joined(self) -> Any:
        return records.outerjoin(listed, listed.c.record_id == records.c.record_id)

    @property
    def _is_missing(self) -> Any:
        return and_(self._is_known, listed.c.record_id.is_(None))

    def _put(self, found: Mapping[str, SyncedRecord]) -> None:
        known = self._ledger.standings(found)
        unchanged, rows = [], []
        for record in found.values():
            self._position += 1
            standing = known.get(record.id)
            if standing and not self._anew and not self._is_to_do(record, standing):
                unchanged.append(record.id)
                continue
            rows.append(
                {
                    "record_id": record.id,
                    "position": self._position,
                    "is_new": standing is None or standing.chunk_count == 0,
                    "record": _as_text(record),
                }
            )
        with self._ledger.database.reading() as connection:
            # Only a record that is listed twice is there already.
            connection.execute(listed.delete().where(listed.c.record_id.in_(found)))
            if unchanged:
                self._copy(connection, unchanged)
            if rows:
                statement = listed.insert().values({name: bindparam(name) for name in rows[0]})
                connection.execute(statement, rows)

    def _is_to_do(self, record: SyncedRecord, standing: Standing) -> bool:
        version = record_version(record)
        self._waiting.discard(record.id)
        if standing.waits(version, self._now):
            self._waiting.add(record.id)
            return False
        return not standing.is_indexed(version) or _may_differ_unseen(record)

    def _copy(self, connection: Connection, record_ids: Sequence[str]) -> None:
        """Notes records that need nothing, without sending a row for each."""
        known = select(records.c.record_id, literal(0), literal(False), null()).where(
            self._is_known, records.c.record_id.in_(record_ids)
        )
        names = ["record_id", "position", "is_new", "record"]
        connection.execute(listed.insert().from_select(names, known))

    def close(self) -> None:
        """Forgets the listing."""
        with self._ledger.database.reading() as connection:
            staging_metadata.drop_all(connection, checkfirst=False)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        exception_type: type[BaseException] | None,
        exception: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.close()


def record_version(record: SyncedRecord) -> str:
    """A digest of all of a record that its document depends on; its permissions are not."""
    parts = record.model_dump(mode="json", include=_VERSION_FIELDS)
    return hashlib.sha256(json.dumps(parts, sort_keys=True).encode()).hexdigest()


def title_of(record: SyncedRecord) -> str:
    """What people call a record."""
    if _is_file(record):
        return str(record.data.get("name") or record.source_id or record.id)
    return record_title(record)


def _as_text(record: SyncedRecord) -> str:
    # Unlike pydantic, this takes half a character as well.
    return json.dumps(record.model_dump(mode="json"))


def _may_differ_unseen(record: SyncedRecord) -> bool:
    """Whether its content can change while the record stays: a file's, unless it says of what."""
    return (
        record.updated_at is None
        and _is_file(record)
        and not any(record.data.get(name) for name in _DIGESTS)
    )


def _is_file(record: SyncedRecord) -> bool:
    return object_type_for(record.sync_type) == "file"
