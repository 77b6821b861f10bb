"""Stand-ins on loopback for the embedding interfaces of OpenAI, Azure OpenAI and Ollama.

They have the forms of request and response that the vendors document, and the vectors of the
bundled model.
"""

from __future__ import annotations

import base64
import struct
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from managed_sync.bundled_embedding import load_bundled_model
from tests.support.asgi_server import served

__all__ = ["EmbeddingApis", "embedding_apis"]

MODEL = "text-embedding-3-small"
DEPLOYMENT = "our-embeddings"
OLLAMA_MODEL = "nomic-embed-text"


@dataclass
class EmbeddingApis:
    """The three interfaces on one address.

    Attributes:
        url: Their address.
        key: The only key that OpenAI's and Azure's accept.
        texts: All texts that were sent to be embedded.
    """

    url: str = ""
    key: str = "sk-secret-key"
    texts: list[str] = field(default_factory=list)

    @property
    def environment(self) -> dict[str, str]:
        """The variables that the vendors' packages read."""
        return {
            "OPENAI_API_KEY": self.key,
            "OPENAI_BASE_URL": f"{self.url}/v1",
            "AZURE_OPENAI_API_KEY": self.key,
            "AZURE_OPENAI_ENDPOINT": self.url,
            "OPENAI_API_VERSION": "2024-10-21",
            "OLLAMA_HOST": self.url,
        }

    async def openai(self, request: Request) -> Response:
        """Answers ``POST /v1/embeddings``."""
        if request.headers.get("authorization") != f"Bearer {self.key}":
            return _refusal(401, "Incorrect API key provided.")
        body = await request.json()
        if body["model"] != MODEL:
            return _refusal(404, f"The model `{body['model']}` does not exist.")
        return self._openai_response(body)

    async def azure(self, request: Request) -> Response:
        """Answers ``POST /openai/deployments/{deployment}/embeddings``."""
        if request.headers.get("api-key") != self.key:
            return _refusal(401, "Access denied due to invalid subscription key.")
        if request.path_params["deployment"] != DEPLOYMENT or "api-version" not in (
            request.query_params
        ):
            return _refusal(404, "The API deployment for this resource does not exist.")
        return self._openai_response(await request.json())

    async def ollama(self, request: Request) -> Response:
        """Answers ``POST /api/embed``."""
        body = await request.json()
        if body["model"] != OLLAMA_MODEL:
            error = f'model "{body["model"]}" not found, try pulling it first'
            return JSONResponse({"error": error}, 404)
        return JSONResponse({"model": OLLAMA_MODEL, "embeddings": self._vectors(body["input"])})

    def _openai_response(self, body: dict[str, Any]) -> Response:
        vectors = self._vectors(body["input"])
        is_packed = body.get("encoding_format") == "base64"
        data = [
            {"object": "embedding", "index": n, "embedding": _packed(each) if is_packed else each}
            for n, each in enumerate(vectors)
        ]
        usage = {"prompt_tokens": 8, "total_tokens": 8}
        return JSONResponse({"object": "list", "data": data, "model": MODEL, "usage": usage})

    def _vectors(self, texts: str | list[str]) -> list[list[float]]:
        texts = [texts] if isinstance(texts, str) else texts
        assert all(isinstance(text, str) for text in texts), "numbers of tokens, and no texts"
        self.texts += texts
        return load_bundled_model().embed(texts)


@contextmanager
def embedding_apis() -> Iterator[EmbeddingApis]:
    """Serves the three interfaces while the block runs."""
    apis = EmbeddingApis()
    routes = [
        Route("/v1/embeddings", apis.openai, methods=["POST"]),
        Route("/openai/deployments/{deployment}/embeddings", apis.azure, methods=["POST"]),
        Route("/api/embed", apis.ollama, methods=["POST"]),
    ]
    with served(Starlette(routes=routes)) as apis.url:
        yield apis


def _packed(vector: list[float]) -> str:
    return base64.b64encode(struct.pack(f"<{len(vector)}f", *vector)).decode()


def _refusal(status: int, message: str) -> JSONResponse:
    error = {"message": message, "type": "invalid_request_error", "param": None, "code": None}
    return JSONResponse({"error": error}, status)
