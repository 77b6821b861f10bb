"""With an API and an index that fail at random, nothing is lost, doubled or stale."""

from __future__ import annotations

import json
import random
import re
from collections.abc import Sequence, Set
from contextlib import suppress
from pathlib import Path

import httpx
import pytest

from managed_sync import IndexSync, ManagedSyncClient
from managed_sync.documents import Chunk, Chunker
from managed_sync.errors import ManagedSyncError
from tests.support.clients import BASE_URL, FakeClock
from tests.support.draws import draws
from tests.support.index_target import AbleTarget
from tests.support.indexing import AT_ONCE, from_scratch
from tests.support.record_source import ChangingSource
from tests.support.source_changes import change

PAGE = 7


class FaultyApi:
    """The specification's wire format over a source, of whose answers a fifth are faults."""

    def __init__(self, source: ChangingSource, chance: random.Random) -> None:
        self.source = source
        self.chance = chance
        self.share = 0.2
        self.faults = 0

    def __call__(self, request: httpx.Request) -> httpx.Response:
        answer = self._answer(request)
        if self.chance.random() >= self.share:
            return answer
        self.faults += 1
        match self.chance.randrange(7):
            case 0:
                return httpx.Response(500, json={"error": "out of order"})
            case 1:
                return httpx.Response(503, headers={"Retry-After": "2"})
            case 2:
                return httpx.Response(429, headers={"Retry-After": "1"})
            case 3:
                raise httpx.ConnectError("refused", request=request)
            case 4:
                raise httpx.ReadTimeout("too slow", request=request)
            case 5:
                length = {"Content-Length": str(len(answer.content) + 10)}
                return httpx.Response(200, content=answer.content, headers=length)
            case _:
                return httpx.Response(502, text="<html>Bad gateway")

    def _answer(self, request: httpx.Request) -> httpx.Response:
        if found := re.search(r"/records/([^/]+)/content$", request.url.path):
            content = self.source.download_content(found[1])
            return httpx.Response(
                200, content=content.data, headers={"Content-Type": content.content_type}
            )
        records = list(self.source.iter_records("box", "files"))
        if request.url.path.endswith("/status"):
            status = {"integration": "box", "syncType": "files", "status": "IDLE"}
            return httpx.Response(200, json={**status, "recordCount": len(records)})
        if found := re.search(r"/records/([^/]+)$", request.url.path):
            one = next((record for record in records if record.id == found[1]), None)
            if one is None:
                return httpx.Response(404, json={"title": "Not Found", "status": 404})
            return httpx.Response(200, json=json.loads(one.model_dump_json(by_alias=True)))
        start = int(request.url.params.get("cursor", "0"))
        page = [json.loads(one.model_dump_json(by_alias=True)) for one in records]
        body: dict[str, object] = {"records": page[start : start + PAGE]}
        if start + PAGE < len(records):
            body["nextCursor"] = str(start + PAGE)
        return httpx.Response(200, json=body)


class FaultyTarget(AbleTarget):
    """An index of whose calls a fifth fail, before or after they did their work."""

    chance = random.Random(0)
    share = 0.2

    def upsert(self, chunks: Sequence[Chunk], *, present: Set[str]) -> None:
        self._maybe_fail()
        super().upsert(chunks, present=present)
        self._maybe_fail()

    def delete(self, chunk_ids: Sequence[str]) -> None:
        self._maybe_fail()
        super().delete(chunk_ids)
        self._maybe_fail()

    def _maybe_fail(self) -> None:
        if self.chance.random() < self.share:
            raise TimeoutError("the index does not answer")


@pytest.mark.parametrize("seed", range(draws(1)))
def test_nothing_is_lost_nothing_is_there_twice_and_no_chunk_is_stale(
    tmp_path: Path, seed: int
) -> None:
    chance = random.Random(seed)
    source = ChangingSource(**{f"r{number:02}": f"Text {number}. " * 9 for number in range(30)})
    api, target = FaultyApi(source, chance), FaultyTarget()
    target.chance = chance
    with ManagedSyncClient(
        "p1",
        "token",
        base_url=BASE_URL,
        transport=httpx.MockTransport(api),
        clock=FakeClock(),
        retry_budget=20,
    ) as client:
        sync = IndexSync(
            client, target, tmp_path / "ledger.db", chunker=Chunker(20, 0), retries=AT_ONCE
        )
        for _ in range(15):
            change(source, chance)
            with suppress(ManagedSyncError):
                sync.run(integration="box", sync_type="files")
        assert api.faults > 20
        api.share = target.share = 0.0

        report = sync.run(integration="box", sync_type="files", full=True)

    assert report.failed == ()
    assert target.contents() == from_scratch(source, tmp_path)
