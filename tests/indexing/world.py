"""A source that tests change at will, and an index that fails at will."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Mapping, Sequence, Set
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, NamedTuple

from managed_sync import IndexReport, IndexSync, SyncedRecord
from managed_sync.documents import Chunk, Chunker
from managed_sync.errors import ApiConnectionError, NotFoundError
from managed_sync.indexing import IndexTarget, StoredChunk
from managed_sync.indexing.targets.calls import Retries
from managed_sync.models import FileContent

AT_ONCE = Retries(attempts=3, first_wait=0)
_START = datetime(2026, 1, 1, tzinfo=UTC)


@dataclass
class File:
    """A text file and what its record says of it."""

    text: str
    parent: str = "folder"
    viewers: tuple[str, ...] = ()
    revision: int = 0
    changed_at: int = 0


class Source:
    """A pipeline of text files."""

    project_id = "p1"

    def __init__(self, **texts: str) -> None:
        self.files: dict[str, File] = {}
        self.downloads: list[str] = []
        self.breaks_after: int | None = None
        self.says_when = True
        self.clock = 0
        for name, text in texts.items():
            self.write(name, text)

    def write(self, name: str, text: str) -> None:
        """Makes or changes a file."""
        self.clock += 1
        file = self.files.setdefault(name, File(text))
        file.text, file.revision, file.changed_at = text, self.clock, self.clock

    def touch(self, name: str) -> None:
        """Changes the date of a file and nothing else."""
        self.write(name, self.files[name].text)

    def move(self, name: str, parent: str) -> None:
        """Moves a file to another folder."""
        self.clock += 1
        self.files[name].parent, self.files[name].changed_at = parent, self.clock

    def iter_records(self, integration: str, sync_type: str) -> Iterator[SyncedRecord]:
        for position, name in enumerate(sorted(self.files)):
            if position == self.breaks_after:
                raise ApiConnectionError("the connection broke")
            yield self._record(name, integration, sync_type)

    def get_record(self, record_id: str) -> SyncedRecord:
        if record_id not in self.files:
            raise NotFoundError("gone", status=404)
        return self._record(record_id, "box", "files")

    def download_content(self, record_id: str, *, max_bytes: int = 0) -> FileContent:
        self.downloads.append(record_id)
        if record_id not in self.files:
            raise NotFoundError("gone", status=404)
        data = self.files[record_id].text.encode()
        kind = "application/pdf" if data.startswith(b"%PDF") else "text/plain"
        return FileContent(data=data, content_type=kind)

    def _record(self, name: str, integration: str, sync_type: str) -> SyncedRecord:
        file = self.files[name]
        return SyncedRecord(
            id=name,
            integration=integration,
            sync_type=sync_type,
            data={"name": f"{name}.txt", "mimeType": "text/plain", "parentId": file.parent},
            permissions={"viewers": list(file.viewers)},
            updated_at=_START + timedelta(minutes=file.revision) if self.says_when else None,
        )


class Page(NamedTuple):
    """A page of changes."""

    records: Sequence[SyncedRecord]
    resume_cursor: str | None


class ResumableSource(Source):
    """A source whose listing can be gone on with; it does not tell what was deleted."""

    def __init__(self, **texts: str) -> None:
        super().__init__(**texts)
        self.cursors: list[str | None] = []
        self.forgotten: set[str] = set()

    def iter_changes(self, integration: str, sync_type: str, cursor: str | None) -> Iterator[Page]:
        self.cursors.append(cursor)
        if cursor in self.forgotten:
            raise NotFoundError("The cursor has expired.", status=404)
        since = int(cursor or 0)
        changed = [name for name in sorted(self.files) if self.files[name].changed_at > since]
        for name in changed:
            yield Page([self._record(name, integration, sync_type)], None)
        yield Page([], str(self.clock))


@dataclass
class Target:
    """An index in memory.

    Attributes:
        dies_at: The call from which on every call fails.
        dies_of: What it raises then.
        refuses: Texts that it does not take.
    """

    chunks: dict[str, Chunk] = field(default_factory=dict)
    embedded: list[str] = field(default_factory=list)
    dies_at: int | None = None
    dies_of: type[BaseException] = OSError
    refuses: Callable[[str], bool] = lambda text: False
    calls: int = 0

    def upsert(self, chunks: Sequence[Chunk], *, present: Set[str]) -> None:
        assert present <= {chunk.chunk_id for chunk in chunks}
        self._live()
        if any(self.refuses(chunk.text) for chunk in chunks):
            raise ValueError("the model does not like this text")
        self.embedded += [chunk.text for chunk in chunks]
        self.chunks |= {chunk.chunk_id: chunk for chunk in chunks}
        self._live()

    def delete(self, chunk_ids: Sequence[str]) -> None:
        self._live()
        for chunk_id in chunk_ids:
            self.chunks.pop(chunk_id, None)
        self._live()

    def _live(self) -> None:
        self.calls += 1
        if self.dies_at is not None and self.calls >= self.dies_at:
            raise self.dies_of("disk full")

    def texts(self) -> set[tuple[str, str]]:
        return {(chunk.object_id, chunk.text) for chunk in self.chunks.values()}

    def contents(self) -> dict[str, tuple[str, Mapping[str, Any]]]:
        return {key: (chunk.text, chunk.metadata) for key, chunk in self.chunks.items()}


class AbleTarget(Target):
    """One that can change metadata without embedding, and say what it holds."""

    can_update_metadata = True
    relabeled = 0

    def embedded_text(self, chunk: Chunk) -> str:
        return chunk.text

    def update_metadata(self, chunks: Sequence[Chunk]) -> None:
        self._live()
        self.relabeled += len(chunks)
        for chunk in chunks:
            assert self.chunks[chunk.chunk_id].text == chunk.text
            self.chunks[chunk.chunk_id] = chunk
        self._live()

    def existing_ids(self, chunk_ids: Collection[str]) -> set[str]:
        return set(chunk_ids) & set(self.chunks)

    def chunk_ids(self, metadata: Mapping[str, str]) -> Iterator[str]:
        return (
            key
            for key, chunk in self.chunks.items()
            if metadata.items() <= dict(chunk.metadata).items()
        )

    def count(self, metadata: Mapping[str, str]) -> int:
        return sum(1 for _ in self.chunk_ids(metadata))

    def read(self, chunk_ids: Sequence[str], *, vectors: bool = False) -> list[StoredChunk]:
        found = [self.chunks[key] for key in chunk_ids if key in self.chunks]
        return [StoredChunk(chunk.chunk_id, chunk.text, chunk.metadata) for chunk in found]


def syncing(source: Source, target: IndexTarget, ledger: Path | str, **settings: Any) -> IndexSync:
    """What the tests index with: small chunks, and no waiting."""
    settings = {"chunker": Chunker(20, 0), "retries": AT_ONCE, **settings}
    return IndexSync(source, target, ledger, **settings)


def run(source: Source, target: Target, ledger: Path | str, **options: Any) -> IndexReport:
    """One run."""
    sync = syncing(source, target, ledger)
    return sync.run(integration="box", sync_type="files", **options)


def from_scratch(source: Source, folder: Path) -> dict[str, tuple[str, Mapping[str, Any]]]:
    """What an index holds that is made of this source anew."""
    target = Target()
    number = len(list(folder.glob("scratch-*.db")))
    run(source, target, folder / f"scratch-{number}.db")
    return target.contents()
