"""An office of two, served over HTTP and indexed: Ada may read the vault's note, Ben may not."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from examples.shared.company import update_index
from examples.vector_stores.stores import qdrant
from managed_sync import ManagedSyncClient
from managed_sync.langchain import LangChainTarget
from managed_sync.server import EmbeddedServer
from tests.examples.office import ADA, KITCHEN, PERMISSIONS, VAULT, Office
from tests.examples.recording_models import Sent


@pytest.fixture(scope="module")
def _office(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Office]:
    folder = tmp_path_factory.mktemp("office")
    files = folder / "company" / "files"
    files.mkdir(parents=True)
    (files / "kitchen.txt").write_text(KITCHEN, encoding="utf-8")
    (files / "vault.txt").write_text(VAULT, encoding="utf-8")
    (folder / "company" / "permissions.yaml").write_text(PERMISSIONS % ADA, encoding="utf-8")
    with (
        EmbeddedServer(folder / "company", folder / "state") as server,
        ManagedSyncClient(
            server.project_id,
            signing_key=server.signing_key,
            user_id="test",
            base_url=server.base_url,
        ) as client,
        qdrant() as store,
    ):
        office = Office(folder / "company", server, client, store)
        office.let_read_the_vault(ADA)
        update_index(client, LangChainTarget(store))
        yield office


@pytest.fixture
def office(_office: Office) -> Iterator[Office]:
    """The office as it was at first, whatever the test before has changed."""
    yield _office
    _office.gate.broken = False
    _office.let_read_the_vault(ADA)


@pytest.fixture
def sent() -> Sent:
    """Returns the messages of each call of a model: pairs of role and text."""
    return []
