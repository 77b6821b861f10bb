"""Whatever is asked of the server, it answers what its documents say: never with a failure of its
own, never with a status, a media type or a body that is not written there.
"""

from __future__ import annotations

from typing import Any

import httpx
import pytest
import requests
import schemathesis
from hypothesis import HealthCheck, given, settings
from hypothesis.strategies import SearchStrategy
from schemathesis.checks import not_a_server_error
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    response_headers_conformance,
    response_schema_conformance,
    status_code_conformance,
)

from managed_sync.server import EmbeddedServer
from tests.server.company import FILES, Caller, token
from tests.server.openapi_documents import (
    Document,
    operations,
    specification,
    with_errors_allowed,
    with_known_values,
)

Known = dict[str, list[str]]

EXAMPLES = 3
# So many that one of them succeeds.
EXAMPLES_THAT_SUCCEED = 6
CHECKS = [
    not_a_server_error,
    status_code_conformance,
    content_type_conformance,
    response_headers_conformance,
    response_schema_conformance,
]
MODES = {mode.name.lower(): mode for mode in schemathesis.GenerationMode}


@pytest.fixture
def known(server: EmbeddedServer, caller: Caller) -> Known:
    """Values that exist."""
    caller.enable(FILES)
    listed = caller.http.get("/api/syncs").json()["data"]
    content = caller.records(FILES)["/handbook.md"]["id"]
    return {
        "projectId": [server.project_id],
        "syncId": [sync["id"] for sync in listed],
        "recordId": [content],
        "integration": ["googleDrive"],
        "syncType": ["files"],
        "pipeline": ["files"],
        "frequency": ["15m"],
        "configuration": ["left out"],
        "subject": ["maria@harbor.example", "group:finance"],
        "user": ["maria@harbor.example", "user:carol@harbor.example"],
        "role": ["can_read", "is_owner"],
    }


@pytest.mark.parametrize("mode", MODES)
def test_the_specification_holds(server: EmbeddedServer, known: Known, mode: str) -> None:
    # Objects and relations are written differently in the two shapes of the API.
    objects = [f"file:{known['recordId'][0]}"]
    known |= {"object": objects, "relation": ["viewer", "owner"]}
    document = specification()
    ask_everything(server, document, with_errors_allowed(document), known, MODES[mode])


@pytest.mark.slow
@pytest.mark.parametrize("mode", MODES)
def test_the_servers_own_description_holds(server: EmbeddedServer, known: Known, mode: str) -> None:
    objects = [known["recordId"][0], f"file:{known['recordId'][0]}"]
    known |= {"object": objects, "relation": ["can_read"]}
    document = httpx.get(f"{server.base_url}/openapi.json", trust_env=False).json()
    ask_everything(server, document, document, known, MODES[mode])


@pytest.mark.parametrize("server", ["sqlite"], indirect=True)
def test_values_at_random_do_no_harm(server: EmbeddedServer) -> None:
    document = httpx.get(f"{server.base_url}/openapi.json", trust_env=False).json()
    known = {"projectId": [server.project_id]}
    ask_everything(server, document, document, known, MODES["positive"], succeeds=False)


@pytest.mark.parametrize("server", ["sqlite"], indirect=True)
def test_a_server_that_answers_otherwise_is_found_out(server: EmbeddedServer, known: Known) -> None:
    document = with_errors_allowed(specification())
    status = document["components"]["schemas"]["SyncStatus"]
    status["properties"]["recordCount"]["type"] = "string"
    with pytest.raises(BaseException, match="not of type"):
        ask_everything(server, specification(), document, known, MODES["positive"])


def ask_everything(
    server: EmbeddedServer,
    documented: Document,
    checked: Document,
    known: Known,
    mode: schemathesis.GenerationMode,
    *,
    succeeds: bool = True,
) -> None:
    schema = schemathesis.openapi.from_dict(with_known_values(checked, known))
    # Deleting comes last, for the others need something to ask about.
    found = sorted(operations(documented), key=lambda one: one[0] == "delete")
    assert len(found) >= 10
    with requests.Session() as session:
        session.trust_env = False
        session.headers["Authorization"] = f"Bearer {token(server.signing_key)}"
        for method, path, operation in found:
            negative = mode is MODES["negative"]
            if negative and not {"parameters", "requestBody"} & operation.keys():
                continue
            cases = schema[path][method.upper()].as_strategy(mode)
            successes = {int(status) for status in operation["responses"] if int(status) < 400}
            must_succeed = succeeds and not negative
            examples = EXAMPLES_THAT_SUCCEED if must_succeed else EXAMPLES
            statuses = ask(cases, server.base_url, session, examples)
            assert {status for status in statuses if status < 400} <= successes
            if must_succeed:
                assert successes & statuses, operation["operationId"]


def ask(
    cases: SearchStrategy[schemathesis.Case[Any]],
    base_url: str,
    session: requests.Session,
    examples: int,
) -> set[int]:
    """Sends requests, checks the answers, and says which statuses they had."""
    statuses = set()

    @given(case=cases)
    @settings(
        max_examples=examples,
        deadline=None,
        database=None,
        derandomize=True,
        suppress_health_check=list(HealthCheck),
    )
    def each(case: schemathesis.Case[Any]) -> None:
        response = case.call_and_validate(base_url, session, checks=CHECKS)
        statuses.add(response.status_code)
        if response.status_code >= 400:
            assert response.headers["content-type"] == ["application/problem+json"]

    each()
    return statuses
