"""Answers like an index of Pinecone, in the form of its documentation."""

from __future__ import annotations

from typing import Any
from urllib.parse import parse_qs, urlsplit

import numpy as np

from tests.stores.conditions import meets_condition
from tests.stores.recording_server import Request, Service


class PineconeIndex(Service):
    """One namespace of an index; numbers come back as fractions, as from the service."""

    def __init__(self) -> None:
        super().__init__()
        self.vectors: dict[str, dict[str, Any]] = {}

    def answer(self, request: Request) -> tuple[int, Any]:
        address = urlsplit(request.path)
        operation, body = address.path, request.body
        if operation == "/vectors/upsert":
            for each in body["vectors"]:
                assert all(value is not None for value in each["metadata"].values())
                self.vectors[each["id"]] = each
            return 200, {"upsertedCount": len(body["vectors"])}
        if operation == "/vectors/fetch":
            ids = parse_qs(address.query)["ids"]
            assert len(ids) <= 1_000
            found = {key: _returned(self.vectors[key]) for key in ids if key in self.vectors}
            return 200, {"vectors": found, "namespace": "", "usage": {"readUnits": 1}}
        if operation == "/vectors/delete":
            if any(key not in self.vectors for key in body["ids"]):
                return 404, {"code": 5, "message": "Namespace not found", "details": []}
            for key in body["ids"]:
                del self.vectors[key]
            return 200, {}
        if operation == "/describe_index_stats":
            return 200, {"dimension": 16, "namespaces": {}, "totalVectorCount": len(self.vectors)}
        assert operation == "/query", request
        assert 1 <= body["topK"] <= 10_000
        ranked = sorted(
            (
                {**_returned(each), "score": float(np.dot(body["vector"], each["values"]))}
                for each in self.vectors.values()
                if meets_condition(each["metadata"], body.get("filter") or {})
            ),
            key=lambda match: -match["score"],
        )
        matches = [{**each, "values": []} for each in ranked[: body["topK"]]]
        return 200, {"matches": matches, "namespace": "", "usage": {"readUnits": 5}}


def _returned(vector: dict[str, Any]) -> dict[str, Any]:
    metadata = {
        name: float(value) if isinstance(value, int) else value
        for name, value in vector["metadata"].items()
    }
    return {**vector, "metadata": metadata}
