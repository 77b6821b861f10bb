"""The whole way on the hosted service's paths: load, index, and retrieve what each user may read.

The server is this package's own, with real files; the oracle decides by other code.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

import httpx
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
    SyncState,
    langchain,
    llama_index,
)
from managed_sync.cli.app import app
from managed_sync.errors import AccessCheckError
from managed_sync.sample_company import copy_company
from managed_sync.server import EmbeddedServer
from tests.integration.engines import QUESTIONS, K, langchain_engine
from tests.support.company_oracle import Oracle
from tests.support.sample_company import Company

FILES = ("googleDrive", "files")
CONTACTS = ("salesforce", "contacts")
# The way is the same for every format; these take no time.
QUICKLY_READ = {".md", ".txt", ".csv", ".eml"}
ALICE = "alice@x.example"
PERMISSIONS = f"""\
users: [{ALICE}]
integrations: {{files: googleDrive}}
files: {{/Lunch.md: {{viewer: [{ALICE}]}}}}
"""

Results = list[dict[str, Any]]


class Recorder(httpx.BaseTransport):
    """Sends requests as they are, remembers them, and may change what a batch is answered."""

    def __init__(self) -> None:
        self._inner = httpx.HTTPTransport()
        self.requests: list[str] = []
        self.tamper: Callable[[Results], Results] | None = None

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        self.requests.append(f"{request.method} {request.url.path}")
        response = self._inner.handle_request(request)
        if self.tamper is None or not request.url.path.endswith("/batch-check"):
            return response
        response.read()
        return httpx.Response(200, json={"result": self.tamper(response.json()["result"])})

    def close(self) -> None:
        self._inner.close()


class Hosted(NamedTuple):
    """The sample company behind a server's hosted paths, and a client of them."""

    server: EmbeddedServer
    company: Company
    transport: Recorder

    @property
    def client(self) -> ManagedSyncClient:
        return self.company.client

    def references(self) -> dict[str, str]:
        """Returns the oracle's name of each file, by object id."""
        return {
            f"file:{record.id}": f"files:{record.source_id}"
            for record in self.client.iter_records(*FILES)
            if not record.is_folder
        }

    def readable(self, user: str) -> set[str]:
        allowed = Oracle(self.company.folder).allowed(user)
        return {name for name, reference in self.references().items() if reference in allowed}

    def sync(self) -> None:
        """Reads the folder again; the hosted service does that by itself, this one when asked."""
        with client_of(self.server, api="projects") as administrator:
            administrator.enable_sync(*FILES)
            administrator.wait_until_idle(*FILES)


def client_of(server: EmbeddedServer, kind: Any = ManagedSyncClient, **options: Any) -> Any:
    return kind(
        server.project_id,
        signing_key=server.signing_key,
        user_id="u1",
        base_url=server.base_url,
        **{"api": "hosted", **options},
    )


@pytest.fixture
def small(tmp_path: Path) -> Iterator[EmbeddedServer]:
    """Two texts, of which Alice may read one."""
    folder = tmp_path / "company"
    (folder / "files").mkdir(parents=True)
    for title in ("Lunch", "Salaries"):
        text = f"# {title}\n\nAbout {title.lower()}."
        (folder / "files" / f"{title}.md").write_text(text, encoding="utf-8")
    (folder / "permissions.yaml").write_text(PERMISSIONS, encoding="utf-8")
    with EmbeddedServer(folder, tmp_path / "state") as server:
        yield server


@pytest.fixture(scope="module")
def hosted(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Hosted]:
    place = tmp_path_factory.mktemp("hosted")
    folder = copy_company(place / "company")
    permissions = (folder / "permissions.yaml").read_text(encoding="utf-8").splitlines()
    for file in (folder / "files").rglob("*"):
        if file.is_file() and file.suffix not in QUICKLY_READ:
            file.unlink()
            permissions = [line for line in permissions if f"/{file.name}:" not in line]
    (folder / "permissions.yaml").write_text("\n".join(permissions) + "\n", encoding="utf-8")
    transport = Recorder()
    with (
        EmbeddedServer(folder, place / "state") as server,
        client_of(server, transport=transport) as client,
    ):
        for pipeline in (FILES, CONTACTS):
            client.enable_sync(*pipeline)
            assert client.wait_until_idle(*pipeline).status is SyncState.IDLE
        yield Hosted(server, Company(folder, client, server), transport)


@pytest.fixture(scope="module")
def store(hosted: Hosted, tmp_path_factory: pytest.TempPathFactory) -> InMemoryVectorStore:
    store = InMemoryVectorStore(langchain.BundledEmbeddings())
    ledger = tmp_path_factory.mktemp("ledger") / "ledger.db"
    sync = IndexSync(hosted.client, langchain.LangChainTarget(store), ledger)
    first = sync.run(integration=FILES[0], sync_type=FILES[1])
    again = sync.run(integration=FILES[0], sync_type=FILES[1])
    assert first.failed == ()
    assert (first.added, again.added, again.unchanged) == (first.added, 0, first.added)
    assert first.added == len(hosted.references())
    return store


def test_every_user_gets_exactly_the_best_passages_they_may_read(
    hosted: Hosted, store: InMemoryVectorStore
) -> None:
    engine = langchain_engine(hosted.company, store)
    readable = {user: hosted.readable(user) for user in hosted.company.users}
    assert len({frozenset(each) for each in readable.values()}) > 3
    # Every third: test_no_leaks.py asks all of them, over the other form of the API.
    for question in QUESTIONS[::3]:
        ranking = engine.rank_everything(question)
        for user in hosted.company.users:
            found, report = engine.retrieve(question, user)

            assert [each for each in found if each.object_id not in readable[user]] == []
            assert found == [each for each in ranking if each.object_id in readable[user]][:K]
            assert report.complete


def test_llama_index_finds_what_a_user_may_read_until_it_is_taken_away(
    small: EmbeddedServer, tmp_path: Path
) -> None:
    index = VectorStoreIndex(
        [],
        storage_context=StorageContext.from_defaults(vector_store=SimpleVectorStore()),
        embed_model=llama_index.BundledEmbedding(),
    )
    with client_of(small) as client:
        client.enable_sync(*FILES)
        client.wait_until_idle(*FILES)
        lunch = next(r for r in client.iter_records(*FILES) if r.source_id == "/Lunch.md")
        IndexSync(client, llama_index.LlamaIndexTarget(index), tmp_path / "ledger.db").run(
            integration=FILES[0], sync_type=FILES[1]
        )
        retriever = llama_index.PermissionAwareRetriever(
            index, checker=AccessChecker(client), k=K
        ).for_subject(ALICE)
        found = [each.node.metadata["object_id"] for each in retriever.retrieve("lunch")]
        assert found == [f"file:{lunch.id}"]

        permissions = tmp_path / "company" / "permissions.yaml"
        permissions.write_text(PERMISSIONS.replace(f"[{ALICE}]}}", "[]}"), encoding="utf-8")
        with client_of(small, api="projects") as administrator:
            administrator.enable_sync(*FILES)
            administrator.wait_until_idle(*FILES)
        assert retriever.retrieve("lunch") == []


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
    hosted: Hosted,
    store: InMemoryVectorStore,
    tamper: Any,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    retriever = langchain.PermissionAwareRetriever(
        vectorstore=store, checker=AccessChecker(hosted.client), k=K
    )
    monkeypatch.setattr(hosted.transport, "tamper", tamper)
    with pytest.raises(AccessCheckError):
        retriever.invoke(QUESTIONS[0], subject="stranger@elsewhere.example")


def test_a_service_that_answers_in_another_order_changes_nothing(
    hosted: Hosted, store: InMemoryVectorStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    engine = langchain_engine(hosted.company, store)
    user = hosted.company.users[0]
    before = engine.retrieve(QUESTIONS[0], user)[0]
    monkeypatch.setattr(hosted.transport, "tamper", lambda results: results[::-1])
    assert engine.retrieve(QUESTIONS[0], user)[0] == before


def test_the_same_ids_come_from_every_way_and_mean_the_same_to_a_new_client(hosted: Hosted) -> None:
    user = hosted.company.users[0]
    records = [each for each in hosted.client.iter_records(*FILES) if not each.is_folder]
    listed = set(hosted.client.list_objects(user, "viewer", "file"))
    checks = [AccessCheck(subject=user, relation="viewer", object=f"file:{r.id}") for r in records]
    transport = Recorder()
    with client_of(hosted.server, transport=transport) as fresh:
        decisions = fresh.batch_check_access(checks)
        assert "GET /api/syncs" not in transport.requests
        assert fresh.get_record(records[0].id) == records[0]
        assert fresh.download_content(records[0].id).data

    allowed = {c.object for c, yes in zip(checks, decisions, strict=True) if yes}
    assert allowed == listed == hosted.readable(user)


def test_both_formats_read_the_same_and_decide_alike(hosted: Hosted) -> None:
    user = hosted.company.users[1]
    with client_of(hosted.server, api="projects") as plain:
        of_plain = {record.source_id: record for record in plain.iter_records(*FILES)}
        of_hosted = {record.source_id: record for record in hosted.client.iter_records(*FILES)}
        assert of_plain.keys() == of_hosted.keys()
        for place, record in of_plain.items():
            other = of_hosted[place]
            kind = "folder" if record.is_folder else "file"
            assert other.id.endswith(f"/{record.id}")
            assert other.updated_at == record.updated_at
            assert plain.check_access(user, "viewer", f"{kind}:{record.id}") == (
                hosted.client.check_access(user, "viewer", f"{kind}:{other.id}")
            )
            if kind == "file":
                content = plain.download_content(record.id)
                assert hosted.client.download_content(other.id) == content


def test_containers_of_files_are_folders_that_the_service_lists(
    hosted: Hosted, store: InMemoryVectorStore
) -> None:
    user = hosted.company.users[0]
    folders = set(hosted.client.list_objects(user, "viewer", "folder"))

    containers = {str(each["metadata"]["container_id"]) for each in store.store.values()}

    assert folders & containers
    known = {f"folder:{r.id}" for r in hosted.client.iter_records(*FILES) if r.is_folder}
    assert containers <= known


def test_a_kept_cursor_brings_only_what_changed_since(hosted: Hosted) -> None:
    page = hosted.client.list_records(*FILES)
    while page.next_cursor is not None:
        page = hosted.client.list_records(*FILES, page.next_cursor)
    kept = page.resume_cursor
    record = next(each for each in hosted.client.iter_records(*FILES) if not each.is_folder)
    file = hosted.company.folder / "files" / record.source_id.removeprefix("/")
    before = file.read_bytes()

    file.write_bytes(before + b"\n")
    hosted.sync()
    later = hosted.client.list_records(*FILES, kept)
    file.write_bytes(before)

    assert [each.id for each in later.records] == [record.id]
    assert later.next_cursor is None
    assert later.resume_cursor != kept
    assert hosted.client.list_records(*FILES, later.resume_cursor).records == ()


def test_an_asynchronous_client_reads_the_same(hosted: Hosted) -> None:
    user = hosted.company.users[0]

    async def read() -> tuple[set[str], list[str], set[str]]:
        async with client_of(hosted.server, AsyncManagedSyncClient) as client:
            status = await client.enable_sync(*FILES)
            assert status.status is SyncState.IDLE
            ids = [each.id async for each in client.iter_records(*FILES)]
            objects = [f"file:{each}" for each in ids]
            allowed = await AccessChecker(client).aallowed(user, objects)
            listed = set(await client.list_objects(user, "viewer", "file"))
            one = sorted(listed)[0]
            assert await client.check_access(user, "viewer", one)
            assert user in await client.list_users(one, "viewer")
            assert (await client.expand(user, "viewer", one)).granted is True
            assert (await client.get_record(one.removeprefix("file:"))).source_id
            assert (await client.download_content(one.removeprefix("file:"))).data
            return listed, ids, allowed

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


def test_contacts_come_with_the_fields_of_their_own(hosted: Hosted) -> None:
    lines = (hosted.company.folder / "contacts.jsonl").read_text(encoding="utf-8").splitlines()
    expected = {row["id"]: row for row in map(json.loads, lines)}
    found = {record.source_id: record.data for record in hosted.client.iter_records(*CONTACTS)}
    assert found.keys() == expected.keys()
    assert {data["email"] for data in found.values()} == {r["email"] for r in expected.values()}


def test_the_command_line_works_with_it_by_the_environment_alone(
    small: EmbeddedServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    settings = {
        "API": "hosted",
        "BASE_URL": small.base_url,
        "PROJECT_ID": small.project_id,
        "SIGNING_KEY": small.signing_key,
        "USER_ID": "u1",
        "WORKSPACE": str(tmp_path / "workspace"),
    }
    for name, value in settings.items():
        monkeypatch.setenv(f"MANAGED_SYNC_{name}", value)

    def run(*arguments: str, as_user: str | None = None) -> Result:
        user = [] if as_user is None else ["--as", as_user]
        return CliRunner().invoke(app, [arguments[0], *user, *arguments[1:]])

    for arguments in (["enable", *FILES], ["status"], ["pull", *FILES], ["index"]):
        result = run(*arguments)
        assert result.exit_code == 0, result.output
    with client_of(small) as client:
        (lunch,) = client.list_objects(ALICE, "viewer", "file")
    found = run("search", "lunch and salaries", as_user=ALICE)
    assert "Lunch" in found.output
    assert "Salaries" not in found.output
    assert run("check", lunch, as_user=ALICE).exit_code == 0
    assert run("check", lunch, as_user="bob@x.example").exit_code == 1
    assert "is a viewer" in run("explain", lunch, as_user=ALICE).output
