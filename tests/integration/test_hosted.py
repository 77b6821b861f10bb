"""The whole way on the hosted service's API: load, index, and retrieve what each user may read."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple
from uuid import NAMESPACE_URL, uuid5

import pytest
from langchain_core.vectorstores import InMemoryVectorStore
from llama_index.core import StorageContext, VectorStoreIndex
from llama_index.core.vector_stores import SimpleVectorStore
from typer.testing import CliRunner, Result

from managed_sync import (
    AccessCheck,
    AccessChecker,
    AsyncManagedSyncClient,
    IndexSync,
    ManagedSyncClient,
    langchain,
    llama_index,
)
from managed_sync.cli.app import app
from managed_sync.errors import AccessCheckError
from managed_sync.sample_company import copy_company
from managed_sync.server.sources.media_types import media_type_of
from tests.conftest import Company
from tests.contract.hosted_service import Content, HostedService, Sync
from tests.integration.test_no_leaks import QUESTIONS, K, langchain_engine
from tests.oracle import Oracle

FILES = ("googleDrive", "files")
# The way is the same for every format; these take no time.
QUICKLY_READ = {".md", ".txt", ".csv", ".eml"}
ROLES = {"can_read": "viewer", "can_write": "editor", "is_owner": "owner"}


class Hosted(NamedTuple):
    """The sample company as the hosted service has it, and a client of it."""

    service: HostedService
    company: Company
    drive: Sync
    paths: dict[str, str]
    holders: dict[tuple[str, str], set[str]]

    @property
    def client(self) -> ManagedSyncClient:
        return self.company.client

    def object_id(self, record: str) -> str:
        return f"file:{self.drive.id}/{record}"

    def readable(self, user: str) -> set[str]:
        return {
            self.object_id(record)
            for record in self.paths
            if user in self.holders["can_read", record] and not self.drive.is_folder(record)
        }


def _uuid(path: str) -> str:
    return str(uuid5(NAMESPACE_URL, path))


@pytest.fixture(scope="module")
def hosted(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Hosted]:
    folder = copy_company(tmp_path_factory.mktemp("hosted") / "company")
    oracle, root = Oracle(folder), folder / "files"
    drive = Sync(_uuid("drive"), "googledrive", "files")
    paths: dict[str, str] = {}
    for place in sorted(root.rglob("*")):
        if place.is_file() and place.suffix not in QUICKLY_READ:
            continue
        path = f"/{place.relative_to(root).as_posix()}"
        record: dict[str, Any] = {
            "id": _uuid(path),
            "externalId": f"drive-{len(paths)}",
            "name": place.name,
            "mimeType": "application/vnd.google-apps.folder"
            if place.is_dir()
            else media_type_of(place.name),
            "createdAt": "2026-01-01T00:00:00Z",
            "updatedAt": "2026-02-01T00:00:00Z",
        }
        if place.parent != root:
            record["parentFolderId"] = _uuid(f"/{place.parent.relative_to(root).as_posix()}")
        file = place.is_file()
        content = Content(place.read_bytes(), record["mimeType"], place.name) if file else None
        drive.put(record, content)
        paths[record["id"]] = path
    company = Company(folder, None)  # type: ignore[arg-type]
    holders: dict[tuple[str, str], set[str]] = {
        (role, each): set() for role in ROLES for each in paths
    }
    for user in company.users:
        for role, relation in ROLES.items():
            names = oracle.allowed(user, relation) | oracle.allowed_folders(user, relation)
            for each, path in paths.items():
                if f"files:{path}" in names:
                    holders[role, each].add(user)
    drive.access = lambda role, record: holders[role, record]
    with HostedService() as service:
        service.add(drive)
        service.add(contacts(folder))
        without_client = Hosted(service, company, drive, paths, holders)
        with client_of(service) as client:
            yield without_client._replace(company=Company(folder, client))


@pytest.fixture
def small() -> Iterator[HostedService]:
    """Two texts, of which Alice may read one."""
    readers: dict[str, set[str]] = {}
    drive = Sync("s1", "googledrive", "files")
    drive.access = lambda role, record: readers[record]
    for number, title in enumerate(("Lunch", "Salaries"), start=1):
        text_record = {
            "id": f"00000000-0000-4000-8000-00000000000{number}",
            "externalId": title,
            "name": f"{title}.md",
            "mimeType": "text/markdown",
        }
        text = f"# {title}\n\nAbout {title.lower()}."
        drive.put(text_record, Content(text.encode(), "text/markdown", text_record["name"]))
        readers[text_record["id"]] = {"alice@x.example"} if title == "Lunch" else set()
    with HostedService() as service:
        service.add(drive)
        yield service


def client_of(service: HostedService, kind: Any = ManagedSyncClient) -> Any:
    return kind(
        "p1",
        api="hosted",
        signing_key=service.signing_key,
        user_id="u1",
        base_url=service.base_url,
    )


def contacts(folder: Path) -> Sync:
    sync = Sync(_uuid("crm"), "salesforce", "contacts")
    for line in (folder / "contacts.jsonl").read_text(encoding="utf-8").splitlines():
        fields = json.loads(line)
        sync.put({**fields, "id": _uuid(fields["id"]), "externalId": fields["id"]})
    return sync


@pytest.fixture(scope="module")
def store(hosted: Hosted, tmp_path_factory: pytest.TempPathFactory) -> InMemoryVectorStore:
    store = InMemoryVectorStore(langchain.BundledEmbeddings())
    ledger = tmp_path_factory.mktemp("ledger") / "ledger.db"
    sync = IndexSync(hosted.client, langchain.LangChainTarget(store), ledger)
    first = sync.run(integration=FILES[0], sync_type=FILES[1])
    again = sync.run(integration=FILES[0], sync_type=FILES[1])
    assert first.failed == ()
    assert (first.added, again.added, again.unchanged) == (first.added, 0, first.added)
    assert first.added == len(hosted.drive.contents)
    return store


def test_every_user_gets_exactly_the_best_passages_they_may_read(
    hosted: Hosted, store: InMemoryVectorStore
) -> None:
    engine = langchain_engine(hosted.company, store)
    readable = {user: hosted.readable(user) for user in hosted.company.users}
    assert len({frozenset(each) for each in readable.values()}) > 3
    for question in QUESTIONS:
        ranking = engine.rank_everything(question)
        for user in hosted.company.users:
            found, report = engine.retrieve(question, user)

            assert [each for each in found if each.object_id not in readable[user]] == []
            assert found == [each for each in ranking if each.object_id in readable[user]][:K]
            assert report.complete


def test_llama_index_finds_what_a_user_may_read_too(small: HostedService, tmp_path: Path) -> None:
    index = VectorStoreIndex(
        [],
        storage_context=StorageContext.from_defaults(vector_store=SimpleVectorStore()),
        embed_model=llama_index.BundledEmbedding(),
    )
    with client_of(small) as client:
        IndexSync(client, llama_index.LlamaIndexTarget(index), tmp_path / "ledger.db").run(
            integration=FILES[0], sync_type=FILES[1]
        )
        retriever = llama_index.PermissionAwareRetriever(
            index, checker=AccessChecker(client), k=K
        ).for_subject("alice@x.example")
        found = [each.node.metadata["object_id"] for each in retriever.retrieve("lunch")]

    assert found == ["file:s1/00000000-0000-4000-8000-000000000001"]


@pytest.mark.parametrize(
    "tamper",
    [
        lambda results: [{**each, "allowed": True, "error": "timeout"} for each in results],
        lambda results: [{**each, "allowed": str(each["allowed"]).lower()} for each in results],
        lambda results: [{"allowed": True} for _ in results],
        lambda results: [{**each, "allowed": True} for each in results[:1]] * len(results),
        lambda results: [*results, {**results[0], "allowed": True}],
    ],
)
def test_a_service_that_is_not_honest_gets_nobody_a_passage(
    hosted: Hosted, store: InMemoryVectorStore, tamper: Any
) -> None:
    retriever = langchain.PermissionAwareRetriever(
        vectorstore=store, checker=AccessChecker(hosted.client), k=K
    )
    hosted.service.tamper = tamper
    try:
        with pytest.raises(AccessCheckError):
            retriever.invoke(QUESTIONS[0], subject="stranger@elsewhere.example")
    finally:
        hosted.service.tamper = list


def test_a_service_that_answers_in_another_order_changes_nothing(
    hosted: Hosted, store: InMemoryVectorStore
) -> None:
    engine = langchain_engine(hosted.company, store)
    user = hosted.company.users[0]
    before = engine.retrieve(QUESTIONS[0], user)[0]
    hosted.service.tamper = lambda results: results[::-1]
    try:
        assert engine.retrieve(QUESTIONS[0], user)[0] == before
    finally:
        hosted.service.tamper = list


def test_a_revocation_holds_at_the_next_question(
    hosted: Hosted, store: InMemoryVectorStore
) -> None:
    engine = langchain_engine(hosted.company, store)
    user = max(hosted.company.users, key=lambda each: len(hosted.readable(each)))
    best = engine.retrieve(QUESTIONS[0], user)[0][0].object_id
    record = best.rpartition("/")[2]

    hosted.holders["can_read", record].remove(user)
    try:
        after = engine.retrieve(QUESTIONS[0], user)[0]
    finally:
        hosted.holders["can_read", record].add(user)

    assert best not in {each.object_id for each in after}


def test_the_same_ids_come_from_every_way_and_mean_the_same_to_a_new_client(hosted: Hosted) -> None:
    user = hosted.company.users[0]
    records = [each for each in hosted.client.iter_records(*FILES) if not each.is_folder]
    listed = set(hosted.client.list_objects(user, "viewer", "file"))
    checks = [AccessCheck(subject=user, relation="viewer", object=f"file:{r.id}") for r in records]
    with client_of(hosted.service) as fresh:
        decisions = fresh.batch_check_access(checks)
        assert "GET /api/syncs" not in hosted.service.requests[-len(checks) // 50 :]
        assert fresh.get_record(records[0].id) == records[0]
        assert fresh.download_content(records[0].id).data

    allowed = {c.object for c, yes in zip(checks, decisions, strict=True) if yes}
    assert allowed == listed == hosted.readable(user)
    assert len(records) == len(hosted.drive.contents)


def test_containers_of_files_are_folders_that_the_service_lists(
    hosted: Hosted, store: InMemoryVectorStore
) -> None:
    user = hosted.company.users[0]
    folders = set(hosted.client.list_objects(user, "viewer", "folder"))

    containers = {str(each["metadata"]["container_id"]) for each in store.store.values()}

    assert folders & containers
    assert {each.partition("/")[0] for each in containers} == {f"folder:{hosted.drive.id}"}


def test_a_kept_cursor_brings_only_what_changed_since(hosted: Hosted) -> None:
    page = hosted.client.list_records(*FILES)
    while page.next_cursor is not None:
        page = hosted.client.list_records(*FILES, page.next_cursor)
    kept = page.resume_cursor
    record = next(iter(hosted.drive.records.values()))
    hosted.drive.put(record)

    later = hosted.client.list_records(*FILES, kept)

    assert [each.id for each in later.records] == [f"{hosted.drive.id}/{record['id']}"]
    assert later.next_cursor is None
    assert later.resume_cursor != kept
    assert hosted.client.list_records(*FILES, later.resume_cursor).records == ()


def test_an_asynchronous_client_reads_the_same(hosted: Hosted) -> None:
    user = hosted.company.users[0]

    async def read() -> tuple[set[str], list[str], set[str]]:
        async with client_of(hosted.service, AsyncManagedSyncClient) as client:
            ids = [each.id async for each in client.iter_records(*FILES)]
            objects = [f"file:{each}" for each in ids]
            allowed = await AccessChecker(client).aallowed(user, objects)
            return set(await client.list_objects(user, "viewer", "file")), ids, allowed

    listed, ids, allowed = asyncio.run(read())

    assert ids == [each.id for each in hosted.client.iter_records(*FILES)]
    assert listed == hosted.readable(user)
    assert {each for each in allowed if each in listed} == listed


def test_who_has_access_and_why_can_be_asked(hosted: Hosted) -> None:
    user = hosted.company.users[0]
    readable = sorted(hosted.readable(user))[0]

    assert user in hosted.client.list_users(readable, "viewer")
    assert hosted.client.check_access(user, "viewer", readable)
    assert hosted.client.expand(user, "viewer", readable).granted is True
    assert hosted.client.expand("stranger@x.example", "viewer", readable).granted is False


def test_the_command_line_works_with_it_by_the_environment_alone(
    small: HostedService, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings = {
        "API": "hosted",
        "BASE_URL": small.base_url,
        "PROJECT_ID": "p1",
        "SIGNING_KEY": small.signing_key,
        "USER_ID": "u1",
        "WORKSPACE": str(tmp_path / "workspace"),
    }
    for name, value in settings.items():
        monkeypatch.setenv(f"MANAGED_SYNC_{name}", value)
    lunch = "file:s1/00000000-0000-4000-8000-000000000001"

    def run(*arguments: str, as_user: str | None = None) -> Result:
        user = [] if as_user is None else ["--as", as_user]
        return CliRunner().invoke(app, [arguments[0], *user, *arguments[1:]])

    for arguments in (["enable", *FILES], ["status"], ["pull", *FILES], ["index"]):
        result = run(*arguments)
        assert result.exit_code == 0, result.output
    found = run("search", "lunch and salaries", as_user="alice@x.example")
    assert "Lunch" in found.output
    assert "Salaries" not in found.output
    assert run("check", lunch, as_user="alice@x.example").exit_code == 0
    assert run("check", lunch, as_user="bob@x.example").exit_code == 1
    assert "is a viewer" in run("explain", lunch, as_user="alice@x.example").output
