"""Answers like MongoDB, in its wire protocol, to the commands that vector search needs."""

from __future__ import annotations

import socketserver
import struct
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from threading import Thread
from typing import Any

import numpy as np
import pytest

from tests.stores.conditions import meets_condition

_MESSAGE = 2013
_HELLO = {
    "isWritablePrimary": True,
    "minWireVersion": 0,
    "maxWireVersion": 25,
    "maxBsonObjectSize": 16 * 2**20,
    "maxMessageSizeBytes": 48 * 10**6,
    "maxWriteBatchSize": 100_000,
    "readOnly": False,
}


class MongoDB:
    """A collection, and the commands that it got.

    Attributes:
        documents: The documents, by their ids.
        commands: All commands, without those that keep the connection.
        filterable: The fields that the index for vector search can filter by.
    """

    def __init__(self) -> None:
        self.documents: dict[str, dict[str, Any]] = {}
        self.commands: list[dict[str, Any]] = []
        self.filterable = {"object_id", "page", "title"}
        self.address = ""

    def searches(self) -> list[dict[str, Any]]:
        """The stages that searched."""
        stages = [each["pipeline"][0] for each in self.commands if "aggregate" in each]
        return [stage["$vectorSearch"] for stage in stages if "$vectorSearch" in stage]

    def answer(self, command: dict[str, Any]) -> dict[str, Any]:
        name = next(iter(command))
        if name in {"hello", "ping", "endSessions"}:
            return {**_HELLO, "ok": 1}
        self.commands.append(command)
        if name == "find":
            found = [each for each in self.documents.values() if _meets(each, command["filter"])]
            return _cursor(found)
        if name == "aggregate":
            return self._aggregated(command["pipeline"])
        if name == "update":
            before = set(self.documents)
            for each in command["updates"]:
                self._update(each)
            keys = [each["q"]["_id"] for each in command["updates"]]
            new = [{"index": n, "_id": key} for n, key in enumerate(keys) if key not in before]
            new = [each for each in new if each["_id"] in self.documents]
            modified = len(keys) - len(new)
            return {"n": len(keys), "nModified": modified, "upserted": new, "ok": 1}
        assert name == "delete", command
        [condition] = [each["q"] for each in command["deletes"]]
        assert condition, "it would delete everything"
        gone = [key for key, each in self.documents.items() if _meets(each, condition)]
        for key in gone:
            del self.documents[key]
        return {"n": len(gone), "ok": 1}

    def _update(self, update: dict[str, Any]) -> None:
        key, change = update["q"]["_id"], update["u"]
        if isinstance(change, list):
            [[literal, kept]] = [each["$replaceWith"]["$mergeObjects"] for each in change]
            if key in self.documents:
                before = self.documents[key]
                fields = {name: before[path.removeprefix("$")] for name, path in kept.items()}
                self.documents[key] = {**literal["$literal"], **fields}
        elif update.get("upsert") or key in self.documents:
            self.documents[key] = change

    def _aggregated(self, pipeline: list[dict[str, Any]]) -> dict[str, Any]:
        if "$match" in pipeline[0]:
            found = [
                each for each in self.documents.values() if _meets(each, pipeline[0]["$match"])
            ]
            return _cursor([{"_id": 1, "n": len(found)}] if found else [])
        stage = pipeline[0]["$vectorSearch"]
        assert stage["limit"] <= stage["numCandidates"] <= 10_000, stage
        condition = stage.get("filter") or {}
        if missing := _names(condition) - self.filterable:
            message = f"Path '{missing.pop()}' needs to be indexed as filter"
            return {"ok": 0, "errmsg": message, "code": 8, "codeName": "UnknownError"}
        scored = [
            {**each, "score": float(np.dot(stage["queryVector"], each[stage["path"]]))}
            for each in self.documents.values()
            if meets_condition(each, condition)
        ]
        best = sorted(scored, key=lambda each: -each["score"])[: stage["limit"]]
        return _cursor([{k: v for k, v in each.items() if k != stage["path"]} for each in best])


@contextmanager
def running_mongodb() -> Iterator[MongoDB]:
    """Runs it on loopback; its address is for a client with ``ServerApi("1")``."""
    bson = pytest.importorskip("bson")
    database = MongoDB()

    class Handler(socketserver.StreamRequestHandler):
        def handle(self) -> None:
            while head := self.rfile.read(16):
                length, request, _, kind = struct.unpack("<iiii", head)
                assert kind == _MESSAGE
                answer = database.answer(_command(bson, self.rfile.read(length - 16)))
                body = struct.pack("<iB", 0, 0) + bson.encode(answer)
                self.wfile.write(struct.pack("<iiii", 16 + len(body), 1, request, _MESSAGE) + body)

    with socketserver.ThreadingTCPServer(("127.0.0.1", 0), Handler) as server:
        server.daemon_threads = True
        database.address = f"mongodb://127.0.0.1:{server.server_address[1]}"
        Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True).start()
        try:
            yield database
        finally:
            server.shutdown()


def _command(bson: Any, body: bytes) -> dict[str, Any]:
    """The command of a message: a document, and lists of documents beside it."""
    command: dict[str, Any] = {}
    at = 4
    while at < len(body):
        kind, at = body[at], at + 1
        (size,) = struct.unpack_from("<i", body, at)
        if kind == 0:
            command = {**bson.decode(body[at : at + size]), **command}
        else:
            name, documents = body[at + 4 : at + size].split(b"\0", 1)
            command[name.decode()] = bson.decode_all(documents)
        at += size
    return command


def _cursor(found: list[dict[str, Any]]) -> dict[str, Any]:
    return {"cursor": {"id": 0, "ns": "db.chunks", "firstBatch": found}, "ok": 1}


def _meets(document: Mapping[str, Any], condition: Mapping[str, Any]) -> bool:
    return meets_condition(document, condition)


def _names(condition: Mapping[str, Any]) -> set[str]:
    inner = [name for each in condition.get("$and", ()) for name in _names(each)]
    return {*inner, *(name for name in condition if name != "$and")}
