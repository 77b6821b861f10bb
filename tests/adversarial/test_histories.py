"""Files and permissions are reorganized while several pipelines are synced.

Each answer about a pipeline is right for a state that was committed between the beginning of the
last sync that published the pipeline and the answer; and all answers of one moment about one
pipeline are right for the same state. Where files are written in place, so that halves of them can
be read, it holds for every yes: what is half written may close, and never opens.
"""

from __future__ import annotations

import random
import re
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from functools import lru_cache
from pathlib import Path
from typing import Any

import pytest
from langchain_core.documents import Document
from langchain_core.embeddings import DeterministicFakeEmbedding
from langchain_core.vectorstores import InMemoryVectorStore

from managed_sync import AccessCheck, AccessChecker
from managed_sync.errors import SourceError
from managed_sync.langchain import PermissionAwareRetriever
from managed_sync.server.domain import PipelineName, Scope, record_id
from managed_sync.server.graph.engine import Publication
from managed_sync.server.graph.schema import GraphQuery
from managed_sync.server.graph.sql import SqlEngine
from managed_sync.server.sources import file_tree
from managed_sync.server.sources.descent import TreePath
from managed_sync.server.sources.folder import FolderSource, Moment
from managed_sync.server.sources.model import Seen
from managed_sync.server.storage import database as database_module
from managed_sync.server.storage.database import Database
from managed_sync.server.storage.pipelines import enable_pipeline, pipelines_of_scope
from managed_sync.server.sync.pipeline_sync import synchronize
from tests.adversarial.company_histories import USERS, State, Writer
from tests.support.draws import draws

HISTORIES = draws(20)
PARTS = 4
PIPELINES = [PipelineName("googleDrive", "files"), PipelineName("salesforce", "contacts")]


class ScheduledSource(FolderSource):
    """A folder in which something may happen between any two readings."""

    history: History | None = None

    def moment(self) -> Moment:
        self._pass()
        moment = super().moment()
        self._pass()
        return moment

    def look_again(self, pipeline: PipelineName, seen: Seen, keep_going: Any) -> Any:
        again = super().look_again(pipeline, seen, keep_going)
        self._pass()
        return again

    def _permissions_content(self) -> tuple[bytes, str]:
        self._pass()
        return super()._permissions_content()

    def _pass(self) -> None:
        if self.history is not None:
            self.history.pass_time()


class ScheduledEngine(SqlEngine):
    """Says when a sync is in its publishing transaction, where no other can be."""

    is_publishing = False

    @contextmanager
    def publishing(self, scope: Scope) -> Iterator[Publication]:
        self.is_publishing = True
        try:
            with super().publishing(scope) as publication:
                yield publication
        finally:
            self.is_publishing = False


class History:
    """One company, its writer, and the syncs and questions that come between the writer's steps."""

    def __init__(self, database: Database, folder: Path, seed: int) -> None:
        self.draw = random.Random(seed)
        self.half_writes = seed % 3 == 0
        self.writer = Writer(folder, self.draw, half_writes=self.half_writes)
        self.scope = Scope("demo", f"history-{seed}")
        self._database = database
        self._engine = ScheduledEngine(database)
        self._source = ScheduledSource(folder)
        self._source.history = self
        self._at_work: list[PipelineName] = []
        self._begins: dict[PipelineName, int] = {}
        self._versions = dict.fromkeys(PIPELINES, 0)
        self._haste = self.draw.choice([0.02, 0.1, 0.4])
        self._is_quiet = True
        self._events = 15
        self.failed = 0

    def run(self) -> None:
        self.sync(PIPELINES[0])
        self._is_quiet = False
        for _ in range(2):
            self.sync(self.draw.choice(PIPELINES))
            self.ask()
            for _ in range(self.draw.randrange(3)):
                self.writer.step()
                self.ask()
        self._is_quiet = True
        self.writer.finish()
        for name in PIPELINES:
            error = self.sync(name)
            if error is not None:
                # What might be a mistake is published once somebody does what the error says.
                self._do_as_told(error)
                error = self.sync(name)
            assert error is None, error
        self._require_newest()

    def sync(self, name: PipelineName) -> str | None:
        """Syncs a pipeline; returns why it failed, if it did."""
        with self._database.writing() as connection:
            pipeline = enable_pipeline(connection, self.scope, name)
        begin = len(self.writer.committed) - 1
        self._at_work.append(name)
        try:
            synchronize(
                self._database,
                self._engine,
                self._source,
                pipeline,
                keep_going=self.pass_time,
                progress=lambda _read: None,
                wait=self._wait,
            )
        except SourceError as error:
            self.failed += 1
            return str(error)
        finally:
            self._at_work.pop()
            self._note_published(begin)
        return None

    def pass_time(self) -> None:
        """Whatever may happen between two readings of the source."""
        if self._is_quiet or not self._events or self.draw.random() > self._haste:
            return
        self._events -= 1
        others = [name for name in PIPELINES if name not in self._at_work]
        choice = self.draw.random()
        if choice < 0.4:
            self.writer.step()
        elif choice < 0.7:
            self.writer.step()
            self.writer.finish()
        elif choice < 0.85:
            self.ask()
        elif others and not self._engine.is_publishing:
            self.sync(others[0])
            self.ask()

    def ask(self) -> None:
        """Asks about everything there ever was, and compares with what was committed."""
        for name in PIPELINES:
            paths = self.writer.paths(name.sync_type)
            answers = self._answers(name, paths)
            window = self._window(name)
            if self.half_writes:
                wrong = [
                    question
                    for question, answer in answers.items()
                    if answer
                    and not any(_truth(state, name, [question])[question] for state in window)
                ]
                assert not wrong, wrong
            else:
                assert any(_truth(state, name, answers) == answers for state in window), (
                    answers,
                    window,
                )

    def retrieve(self) -> None:
        """Indexes what is published, goes on, and searches for every user."""
        objects = {
            _object(self.scope, name, path): (name, path)
            for name in PIPELINES
            for path in self.writer.paths(name.sync_type)
        }
        store = InMemoryVectorStore(DeterministicFakeEmbedding(size=8))
        store.add_documents(
            [Document(path, metadata={"object_id": key}) for key, (_, path) in objects.items()]
        )
        retriever = PermissionAwareRetriever(
            vectorstore=store, checker=AccessChecker(self), k=len(objects)
        )
        self._is_quiet = False
        for user in USERS:
            self.sync(self.draw.choice(PIPELINES))
            self.writer.step()
            # A question asks several times, and syncs may end in between.
            windows = {name: self._begins.get(name, 0) for name in PIPELINES}
            for passage in retriever.for_subject(user).invoke("anything"):
                name, path = objects[passage.metadata["object_id"]]
                assert any(
                    state.may_read(user, name.sync_type, path)
                    for state in self.writer.committed[windows[name] :]
                ), (user, path)

    def batch_check_access(self, checks: Sequence[AccessCheck]) -> list[bool]:
        """Answers a retriever as the server does."""
        self.pass_time()
        with self._engine.graph(self.scope) as graph:
            return graph.check(
                [
                    GraphQuery.parse(
                        subject=one.subject, relation=one.relation, object_id=one.object
                    )
                    for one in checks
                ]
            )

    def _answers(self, name: PipelineName, paths: list[str]) -> dict[tuple[str, str], bool]:
        asked = [(user, path) for user in USERS for path in paths]
        with self._engine.graph(self.scope) as graph:
            answers = graph.check(
                [
                    GraphQuery(f"user:{user}", "viewer", _object(self.scope, name, path))
                    for user, path in asked
                ]
            )
        return dict(zip(asked, answers, strict=True))

    def _window(self, name: PipelineName) -> list[State]:
        begin = self._begins.get(name)
        return [State()] if begin is None else self.writer.committed[begin:]

    def _note_published(self, begin: int) -> None:
        """Notes for every pipeline that the sync published when it began."""
        with self._database.reading() as connection:
            pipelines = pipelines_of_scope(connection, self.scope)
        for pipeline in pipelines:
            if pipeline.version != self._versions[pipeline.name]:
                self._versions[pipeline.name] = pipeline.version
                self._begins[pipeline.name] = begin

    def _wait(self, seconds: float) -> None:
        # No writer pauses in the middle of a file for as long as a sync waits.
        while seconds and self.writer.is_half_written:
            self.writer.step()
        self.pass_time()

    def _do_as_told(self, error: str) -> None:
        if code := re.search(r"(allow_opening: \S+)'", error):
            self.writer.allow_opening(code[1])
        for path in re.findall(r"give (\S+) an entry", error):
            self.writer.give_entry(path)
        if "write an empty line into it" in error:
            (self.writer.folder / "contacts.jsonl").write_text("\n", encoding="utf-8")

    def _require_newest(self) -> None:
        for name in PIPELINES:
            answers = self._answers(name, self.writer.paths(name.sync_type))
            assert answers == _truth(self.writer.committed[-1], name, answers)


def _truth(state: State, name: PipelineName, asked: Any) -> dict[tuple[str, str], bool]:
    return {(user, path): state.may_read(user, name.sync_type, path) for user, path in asked}


@lru_cache(maxsize=1_000)
def _object(scope: Scope, name: PipelineName, path: str) -> str:
    source_id = path if name.sync_type == "files" else path.removeprefix("/")
    return f"{name.sync_type.removesuffix('s')}:{record_id(scope, name, source_id)}"


@pytest.fixture
def scheduled_folders(monkeypatch: pytest.MonkeyPatch) -> list[History]:
    """Lets time pass before and after a folder is read, in the history at hand."""
    current: list[History] = []
    entries = file_tree._entries

    def read(folder: TreePath) -> Any:
        current[0].pass_time()
        found = entries(folder)
        current[0].pass_time()
        return found

    monkeypatch.setattr(file_tree, "_entries", read)
    return current


@pytest.fixture
def forgetful_disk(monkeypatch: pytest.MonkeyPatch) -> None:
    """Waits for no disk: no power cut is tried here, and thousands of transactions are."""
    monkeypatch.setitem(database_module._SQLITE_PRAGMAS, "synchronous", "OFF")


@pytest.mark.usefixtures("forgetful_disk")
@pytest.mark.parametrize("part", range(PARTS))
def test_no_answer_was_wrong_at_every_moment_of_its_question(
    tmp_path: Path, scheduled_folders: list[History], part: int
) -> None:
    database = Database(tmp_path / "server.db")
    histories = published = failed = 0
    for seed in range(part, HISTORIES, PARTS):
        history = History(database, tmp_path / f"company-{seed}", seed)
        scheduled_folders[:] = [history]
        try:
            history.run()
            if seed % 20 == part:
                history.retrieve()
        except Exception as error:
            error.add_note(f"This was history {seed}.")
            raise
        history.writer.remove()
        histories += 1
        published += sum(history._versions.values())
        failed += history.failed
    database.close()
    # Most syncs come to an end although the folder does not rest.
    assert published > 3 * histories
    assert failed
