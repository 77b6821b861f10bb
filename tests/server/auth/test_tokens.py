from __future__ import annotations

import base64
import hashlib
import hmac
import json
import time
from collections.abc import Callable
from typing import Any

import httpx
import jwt
import pytest
from cryptography.hazmat.primitives import serialization

from managed_sync.server import EmbeddedServer
from tests.server.company import FILES, Caller, private_key, token
from tests.server.openapi_documents import operations

OPERATIONS = [
    ("POST", "sync/enable"),
    ("GET", "sync/status"),
    ("GET", "sync/records"),
    ("GET", "sync/records/x"),
    ("GET", "sync/records/x/content"),
    ("POST", "permissions/check-access"),
    ("POST", "permissions/batch-check-access"),
    ("POST", "permissions/list-users"),
    ("POST", "permissions/list-objects"),
    ("POST", "permissions/expand"),
]


# Making a client takes longer than a request.
_HTTP = httpx.Client(trust_env=False)


def _status(
    harbor_server: EmbeddedServer, *authorization: str, project: str = "demo"
) -> httpx.Response:
    response = _HTTP.get(
        f"{harbor_server.base_url}/projects/{project}/sync/status",
        params=FILES,
        headers=[("Authorization", value) for value in authorization],
    )
    if response.is_error:
        assert response.headers["content-type"] == "application/problem+json"
        assert response.json()["status"] == response.status_code
        for value in authorization:
            assert len(value) < 20 or value[-20:] not in response.text
    return response


def _unsigned(header: dict[str, str], claims: dict[str, object]) -> str:
    parts = (
        base64.urlsafe_b64encode(json.dumps(part).encode()).decode().rstrip("=")
        for part in (header, claims)
    )
    return ".".join(parts)


def _claims() -> dict[str, object]:
    now = int(time.time())
    return {"sub": "acme", "aud": "useparagon.com/demo", "iat": now, "exp": now + 600}


@pytest.mark.parametrize(("method", "path"), OPERATIONS)
def test_no_operation_answers_without_a_token(
    harbor_server: EmbeddedServer, method: str, path: str
) -> None:
    response = httpx.request(
        method,
        f"{harbor_server.base_url}/projects/demo/{path}",
        content=b"{broken",
        trust_env=False,
    )
    assert response.status_code == 401
    assert response.headers["www-authenticate"].startswith("Bearer")
    assert "Authorization: Bearer" in response.json()["detail"]


def test_a_good_token_is_accepted(harbor_server: EmbeddedServer, signing_key: str) -> None:
    assert _status(harbor_server, f"Bearer {token(signing_key)}").status_code == 200


def test_the_audience_may_be_one_of_several(
    harbor_server: EmbeddedServer, signing_key: str
) -> None:
    good = token(signing_key, aud=["elsewhere", "useparagon.com/demo"])
    assert _status(harbor_server, f"Bearer {good}").status_code == 200


Change = Callable[[], dict[str, Any]]


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        (lambda: {"exp": int(time.time()) - 60}, "expired"),
        (lambda: {"exp": None}, "'exp'"),
        (lambda: {"iat": None}, "'iat'"),
        (lambda: {"aud": None}, "'aud'"),
        (lambda: {"sub": None}, "'sub'"),
        (lambda: {"sub": "  "}, "'sub'"),
        (lambda: {"sub": "acme\ud800"}, "'sub'"),
        (lambda: {"iat": int(time.time()) + 3600}, "clocks"),
    ],
    ids=["expired", "no exp", "no iat", "no aud", "no sub", "blank", "half a character", "early"],
)
def test_a_token_with_wrong_claims_is_refused_with_the_reason(
    harbor_server: EmbeddedServer, signing_key: str, changes: Change, reason: str
) -> None:
    response = _status(harbor_server, f"Bearer {token(signing_key, **changes())}")
    assert response.status_code == 401
    assert 'error="invalid_token"' in response.headers["www-authenticate"]
    assert reason in response.json()["detail"]


def test_clocks_may_differ_by_ten_seconds_and_no_more(
    harbor_server: EmbeddedServer, signing_key: str
) -> None:
    def status(**changes: Any) -> int:
        return _status(harbor_server, f"Bearer {token(signing_key, **changes)}").status_code

    now = int(time.time())
    assert (status(exp=now - 5), status(iat=now + 5)) == (200, 200)
    assert (status(exp=now - 15), status(iat=now + 20)) == (401, 401)


def test_a_token_signed_with_another_key_is_refused(
    harbor_server: EmbeddedServer, other_key: str
) -> None:
    response = _status(harbor_server, f"Bearer {token(other_key)}")
    assert response.status_code == 401
    assert "another key" in response.json()["detail"]


def test_a_token_without_signature_is_refused(harbor_server: EmbeddedServer) -> None:
    response = _status(harbor_server, f"Bearer {_unsigned({'alg': 'none'}, _claims())}.")
    assert response.status_code == 401


def test_the_public_key_does_not_serve_as_a_shared_secret(
    harbor_server: EmbeddedServer, signing_key: str
) -> None:
    public = (
        private_key(signing_key)
        .public_key()
        .public_bytes(serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo)
    )
    head = _unsigned({"alg": "HS256", "typ": "JWT"}, _claims())
    signature = hmac.new(public, head.encode(), hashlib.sha256).digest()
    forged = f"{head}.{base64.urlsafe_b64encode(signature).decode().rstrip('=')}"
    response = _status(harbor_server, f"Bearer {forged}")
    assert response.status_code == 401
    assert "RS256" in response.json()["detail"]


def test_other_rsa_algorithms_are_refused(harbor_server: EmbeddedServer, signing_key: str) -> None:
    other = jwt.encode(_claims(), private_key(signing_key), algorithm="RS512")
    assert _status(harbor_server, f"Bearer {other}").status_code == 401


@pytest.mark.parametrize("header", ["Bearer", "Bearer x.y.z", "Basic YTpi", "token"])
def test_a_malformed_header_is_refused(harbor_server: EmbeddedServer, header: str) -> None:
    assert _status(harbor_server, header).status_code == 401


def test_two_authorization_headers_are_refused(
    harbor_server: EmbeddedServer, signing_key: str
) -> None:
    good = f"Bearer {token(signing_key)}"
    assert _status(harbor_server, good, "Bearer x.y.z").status_code == 401


def test_nothing_of_what_the_server_describes_answers_without_a_token(
    harbor_server: EmbeddedServer, signing_key: str, other_key: str
) -> None:
    bearers = [None, token(other_key), token(signing_key, aud=None), token(signing_key, exp=1)]
    answers = set()
    with httpx.Client(base_url=harbor_server.base_url, trust_env=False) as client:
        for method, path, _ in operations(client.get("/openapi.json").json()):
            for bearer in bearers:
                headers = {"Authorization": f"Bearer {bearer}"} if bearer else {}
                address = path.replace("{projectId}", "demo")
                status = client.request(method, address, headers=headers).status_code
                answers |= {(method, path, status)} if status != 401 else set()
    assert answers == {("get", path, 200) for path in ("/healthz", "/readyz", "/metrics")}


def test_a_token_for_another_project_is_forbidden(
    harbor_server: EmbeddedServer, signing_key: str
) -> None:
    response = _status(harbor_server, f"Bearer {token(signing_key, project='other')}")
    assert response.status_code == 403
    assert "useparagon.com/demo" in response.json()["detail"]
    assert (
        _status(harbor_server, f"Bearer {token(signing_key)}", project="other").status_code == 403
    )


def test_a_project_that_is_not_here_is_not_found(
    harbor_server: EmbeddedServer, signing_key: str
) -> None:
    response = _status(
        harbor_server, f"Bearer {token(signing_key, project='other')}", project="other"
    )
    assert response.status_code == 404
    assert "'other'" in response.json()["detail"]


def test_the_token_is_looked_at_before_the_body(
    harbor_caller: Caller, harbor_server: EmbeddedServer
) -> None:
    url = f"{harbor_server.base_url}/projects/demo/permissions/check-access"
    assert httpx.post(url, content=b"{", trust_env=False).status_code == 401
    assert harbor_caller.http.post(url, content=b"{").status_code == 400


ODD = [None, True, -1, 1.5, float("inf"), float("nan"), "x", [], ["x"], {}, {"a": 1}, 10**400]


@pytest.mark.parametrize("claim", ["sub", "aud", "iat", "exp", "nbf", "iss", "jti"])
def test_a_claim_of_any_type_is_refused_or_good_and_no_failure_of_the_server(
    harbor_server: EmbeddedServer, signing_key: str, claim: str
) -> None:
    for value in ODD:
        # Written by hand: the library refuses to sign some of these.
        text = jwt.api_jws.encode(
            json.dumps({**_claims(), claim: value}).encode(),
            private_key(signing_key),
            algorithm="RS256",
        )
        assert _status(harbor_server, f"Bearer {text}").status_code in {200, 401, 403}


def test_claims_that_are_nested_too_deeply_are_refused(
    harbor_server: EmbeddedServer, signing_key: str
) -> None:
    for payload in (b"[" * 30_000, b'{"a":' * 8_000):
        text = jwt.api_jws.encode(payload, private_key(signing_key), algorithm="RS256")
        for path in ("/projects/demo/sync/status", "/api/syncs"):
            response = _HTTP.get(
                harbor_server.base_url + path, headers={"Authorization": f"Bearer {text}"}
            )
            assert response.status_code == 401, response.text
