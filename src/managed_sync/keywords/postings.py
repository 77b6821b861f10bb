"""The postings of the keyword index: for each term, the chunks that have it.

They are kept in segments. A write adds one with the postings of its chunks, and the youngest
segments are merged when there are many of about the same size. A chunk that is removed is noted in
its segment, and its postings go when the segment is written again. A posting is eight bytes: the
key of the chunk, how often it has the term, and its number of words. So a search finds all that a
score depends on in one place, and computes with whole arrays. The empty term, which no text has,
holds the key of every chunk with a hash of its object.

Guarantees:

- A posting of a removed chunk is never counted.
- The postings of a term are the same whatever the history of the file is.
- What is read from the file is checked before it is computed with. If it cannot have been written
  so, or if a search in objects would miss chunks, it is an error.

See ``docs/decisions/0047-keywords-postings.md``.
"""

from __future__ import annotations

import heapq
import struct
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence, Set
from contextlib import closing
from itertools import groupby, pairwise
from operator import itemgetter
from typing import Any
from zlib import crc32

import numpy as np
from numpy.typing import NDArray
from sqlalchemy import Connection, Row, func, select

from managed_sync.keywords.columns import ChunkTerms
from managed_sync.keywords.tables import (
    DamagedFileError,
    json_argument,
    posting_table,
    segment_table,
)

__all__ = [
    "Postings",
    "add_postings",
    "in_objects",
    "keys_in_objects",
    "last_key",
    "postings_of",
    "remove_postings",
    "segments_of",
]

Postings = NDArray[np.void]
_POSTING = np.dtype([("key", "<u4"), ("count", "<u2"), ("words", "<u2")])
_packed = struct.Struct("<IHH").pack
_OBJECT = np.dtype([("key", "<u4"), ("hash", "<u4")])
_EVERY_CHUNK = ""
_packed_object = struct.Struct("<II").pack
_KEY = np.dtype("<u4")
_MOST = 2**16 - 1
_LAST_KEY = 2**32 - 1
# As many segments of about the same size are merged into one.
_FAN_OUT = 8
# A segment is written again when one in so many of its chunks is removed.
_KEPT_PER_REMOVED = 4
# In SQL, since SQLAlchemy takes longer to make a statement than SQLite to run it.
_SEGMENTS = "SELECT * FROM segments WHERE project = ? ORDER BY first"
_INSERT = "INSERT INTO postings (segment, term, postings) VALUES (?, ?, ?)"
_SEARCH = (
    "SELECT term, postings FROM postings WHERE segment IN (SELECT value FROM json_each(?)) "
    "AND term IN (SELECT value FROM json_each(?))"
)


def segments_of(connection: Connection, project: int) -> Sequence[Row[Any]]:
    """Returns the segments of a project, the oldest first."""
    segments = connection.exec_driver_sql(_SEGMENTS, (project,)).all()
    if not all(map(_is_sound, segments)) or any(
        one.last >= next_one.first for one, next_one in pairwise(segments)
    ):
        raise DamagedFileError("a segment of its postings is damaged")
    return segments


def postings_of(
    connection: Connection, segments: Sequence[Row[Any]], terms: Sequence[str]
) -> dict[str, Postings]:
    """Returns the postings of those terms that have any, without those of removed chunks.

    Args:
        connection: In a transaction.
        segments: The segments of a project.
        terms: The terms.
    """
    found = defaultdict[str, list[bytes]](list)
    wanted = json_argument(segment.id for segment in segments), json_argument(terms)
    for term, postings in connection.exec_driver_sql(_SEARCH, wanted):
        found[term].append(postings)
    is_alive = _alive(segments)
    return {term: _unpacked(blobs, is_alive) for term, blobs in found.items()}


def in_objects(
    connection: Connection, segments: Sequence[Row[Any]], objects: Set[str], count: int
) -> NDArray[np.bool_]:
    """Returns, for each key from the first to the last one, whether its chunk is of the objects.

    A few chunks of other objects may be among them, whose hashes are equal by chance.

    Args:
        connection: In a transaction.
        segments: The segments of a project.
        objects: The objects.
        count: The number of chunks of the project.
    """
    first, last = segments[0].first, segments[-1].last
    is_in = np.zeros(last - first + 1, dtype=bool)
    chunks = _every_chunk(connection, segments)
    if len(chunks) != count:
        raise DamagedFileError("its chunks and those of its objects are not the same")
    wanted = np.unique(np.fromiter(map(_hash, objects), np.uint32, len(objects)))
    nearest = np.searchsorted(wanted, chunks["hash"]).clip(max=len(wanted) - 1)
    is_in[chunks["key"] - np.uint32(first)] = wanted[nearest] == chunks["hash"]
    return is_in


def keys_in_objects(
    connection: Connection, segments: Sequence[Row[Any]], objects: Mapping[int, str]
) -> set[int]:
    """Returns those keys whose chunks a search in their objects finds.

    Args:
        connection: In a transaction.
        segments: The segments of a project.
        objects: The object of the chunk with each key.
    """
    chunks = _every_chunk(connection, segments)
    own = chunks[np.isin(chunks["key"], list(objects))]
    return {key for key, hashed in own.tolist() if hashed == _hash(objects[key])}


def last_key(connection: Connection) -> int:
    """Returns the greatest key that postings may have; keys of removed chunks are among them."""
    last = connection.execute(select(func.max(segment_table.c.last))).scalar() or 0
    if type(last) is not int or not 0 <= last <= _LAST_KEY:
        raise DamagedFileError("a segment of its postings is damaged")
    return last


def add_postings(connection: Connection, project: int, added: Mapping[int, ChunkTerms]) -> None:
    """Adds the postings of chunks whose keys are greater than all there were.

    Args:
        connection: In a transaction that writes.
        project: The key of the project.
        added: The key and the terms of each chunk.
    """
    postings = defaultdict[str, bytearray](bytearray)
    for key, (object_id, counts, words) in added.items():
        postings[_EVERY_CHUNK] += _packed_object(key, _hash(object_id))
        length = min(words, _MOST)
        once = _packed(key, 1, length)
        for term, count in counts.items():
            postings[term] += once if count == 1 else _packed(key, min(count, _MOST), length)
    keys = min(added), max(added)
    _write_segment(connection, project, keys, len(added), sorted(postings.items()))
    while several := _mergeable(segments_of(connection, project)):
        _merge(connection, several)


def remove_postings(connection: Connection, project: int, keys: Iterable[int]) -> None:
    """Removes the postings of chunks.

    Args:
        connection: In a transaction that writes.
        project: The key of the project.
        keys: Those of the chunks, each of which was added and not removed.
    """
    gone = np.sort(np.fromiter(keys, _KEY))
    for segment in segments_of(connection, project):
        begin, end = np.searchsorted(gone, (segment.first, segment.last + 1))
        if begin == end:
            continue
        removed = segment.removed + gone[begin:end].tobytes()
        update = segment_table.update().where(segment_table.c.id == segment.id)
        connection.execute(update.values(removed=removed))
        if len(removed) // _KEY.itemsize * _KEPT_PER_REMOVED >= segment.chunks:
            query = select(segment_table).where(segment_table.c.id == segment.id)
            _merge(connection, connection.execute(query).all())


def _is_sound(segment: Row[Any]) -> bool:
    """Returns whether a segment can have been written so."""
    first, last, chunks = segment.first, segment.last, segment.chunks
    if not all(type(number) is int for number in (first, last, chunks)):
        return False
    return (
        0 <= first <= last <= _LAST_KEY
        and 0 < chunks <= last - first + 1
        and isinstance(segment.removed, bytes)
        and len(segment.removed) % _KEY.itemsize == 0
        and len(segment.removed) // _KEY.itemsize < chunks
    )


def _every_chunk(connection: Connection, segments: Sequence[Row[Any]]) -> NDArray[np.void]:
    """Returns the key of each chunk with the hash of its object."""
    every = postings_of(connection, segments, [_EVERY_CHUNK]).get(_EVERY_CHUNK)
    return np.empty(0, _OBJECT) if every is None else every.view(_OBJECT)


def _hash(object_id: str) -> int:
    return crc32(object_id.encode(errors="surrogatepass"))


def _mergeable(segments: Sequence[Row[Any]]) -> Sequence[Row[Any]]:
    """Returns the youngest segments, if there are enough of the same size; else none."""
    for size in sorted(set(map(_size, segments))):
        begin = len(segments)
        while begin and _size(segments[begin - 1]) <= size:
            begin -= 1
        if sum(_size(each) == size for each in segments[begin:]) >= _FAN_OUT:
            return segments[begin:]
    return ()


def _size(segment: Row[Any]) -> int:
    """Returns the size class of a segment: 0 for one chunk, 1 for ``_FAN_OUT`` chunks, ..."""
    size, chunks = 0, segment.chunks
    while chunks >= _FAN_OUT:
        size, chunks = size + 1, chunks // _FAN_OUT
    return size


def _merge(connection: Connection, segments: Sequence[Row[Any]]) -> None:
    """Makes one segment of neighbors, without the postings of removed chunks."""
    removed = sum(len(each.removed) for each in segments) // _KEY.itemsize
    chunks = sum(each.chunks for each in segments) - removed
    if chunks:
        keys = segments[0].first, segments[-1].last
        merged = _merged(connection, segments)
        _write_segment(connection, segments[0].project, keys, chunks, merged)
    old = [each.id for each in segments]
    for table, column in ((posting_table, "segment"), (segment_table, "id")):
        connection.execute(table.delete().where(table.c[column].in_(old)))


def _merged(connection: Connection, segments: Sequence[Row[Any]]) -> Iterator[tuple[str, bytes]]:
    """Yields the terms of segments with their postings, in the order of the terms."""
    is_alive = _alive(segments)
    query = "SELECT term, ?, postings FROM postings WHERE segment = ? ORDER BY term"
    driver = _driver(connection)
    sources = [
        driver.execute(query, (number, segment.id)) for number, segment in enumerate(segments)
    ]
    with closing(heapq.merge(*sources)) as merged:
        for term, rows in groupby(merged, key=itemgetter(0)):
            postings = _unpacked([row[2] for row in rows], is_alive)
            if postings.size:
                yield term, postings.tobytes()


def _write_segment(
    connection: Connection,
    project: int,
    keys: tuple[int, int],
    chunks: int,
    postings: Iterable[tuple[str, bytes | bytearray]],
) -> None:
    first, last = keys
    new = segment_table.insert().values(
        project=project, first=first, last=last, chunks=chunks, removed=b""
    )
    connection.execute(new)
    segment = connection.execute(select(func.max(segment_table.c.id))).scalar_one()
    rows = ((segment, term, each) for term, each in postings)
    _driver(connection).executemany(_INSERT, rows)


def _driver(connection: Connection) -> Any:
    """Returns the connection of the driver, which reads and writes many rows faster."""
    return connection.connection.driver_connection


class _Alive:
    """Tells the keys of chunks from those of removed ones."""

    def __init__(self, first: int, last: int, removed: NDArray[np.uint32]) -> None:
        self._first = first
        self._is_alive = np.ones(last - first + 1, dtype=bool)
        self._is_alive[removed - first] = False

    def __call__(self, keys: NDArray[np.uint32]) -> NDArray[np.bool_]:
        """Returns, for each key, whether its chunk is not removed."""
        return self._is_alive[keys - self._first]


def _alive(segments: Sequence[Row[Any]]) -> _Alive | None:
    """Returns what tells removed chunks; ``None`` if there are none."""
    removed = np.frombuffer(b"".join(each.removed for each in segments), _KEY)
    try:
        return _Alive(segments[0].first, segments[-1].last, removed) if removed.size else None
    except (IndexError, MemoryError):
        raise DamagedFileError("a segment of its postings is damaged") from None


def _unpacked(blobs: Iterable[bytes], is_alive: _Alive | None) -> Postings:
    """Returns the postings of a term, which one or several segments hold."""
    try:
        found = np.frombuffer(b"".join(blobs), _POSTING)
        return found if is_alive is None else found[is_alive(found["key"])]
    except (TypeError, ValueError, IndexError) as error:
        raise DamagedFileError(f"the postings of a term are damaged: {error}") from None
