"""An API that lies: whatever it says, no record that it still has is lost.

It loses records from pages, shifts them, forgets cursors, counts wrongly, answers 404 or 5xx to
anything, lets records flicker, lists malformed ones, or shows the view of another user. Each case
indexes a source through such an API, with changes in between. In each, the index holds every record
that the source has had since it was indexed; and once the API is honest again, a run makes the
index equal to a fresh one, or says what to do.
"""

from __future__ import annotations

import json
import random
import re
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import unquote

import httpx
import pytest

from managed_sync import IndexSync, ManagedSyncClient
from managed_sync.documents import Chunk, Chunker
from managed_sync.errors import DeletionsWithheldError, ManagedSyncError
from tests.support.clients import BASE_URL, FakeClock
from tests.support.draws import draws
from tests.support.index_target import AbleTarget
from tests.support.indexing import AT_ONCE, from_scratch
from tests.support.record_source import ChangingSource

CASES = draws(4)
FILES: dict[str, Any] = {"integration": "box", "sync_type": "files"}
PAGE = 5


@dataclass
class LyingApi:
    """The specification's wire format over a source, as the lies have it."""

    source: ChangingSource
    chance: random.Random
    lies: frozenset[str] = frozenset()
    hidden: set[str] = field(default_factory=set)

    def lie(self, kinds: frozenset[str]) -> None:
        """Begins to lie in some ways; none of them for the truth."""
        self.lies = kinds
        names = sorted(self.source.files)
        share = self.chance.choice([0.1, 0.3, 1.0])
        self.hidden = {name for name in names if self.chance.random() < share}

    def tells(self, kind: str, share: float = 1.0) -> bool:
        return kind in self.lies and self.chance.random() < share

    def __call__(self, request: httpx.Request) -> httpx.Response:
        if self.tells("fails", 0.3):
            return httpx.Response(self.chance.choice([500, 502, 503]), text="out of order")
        if self.tells("404 of a proxy", 0.5):
            return httpx.Response(404, text="<html>404 page not found</html>")
        if self.tells("404 to all"):
            return self._no_such_thing()
        path = request.url.raw_path.decode().partition("?")[0]
        if path.endswith("/status"):
            return self._status()
        if found := re.search(r"/records/([^/]+)(/content)?$", path):
            return self._record(unquote(found[1]), is_content=bool(found[2]))
        return self._page(int(request.url.params.get("cursor", "0")))

    def _status(self) -> httpx.Response:
        count = len(self._visible())
        if self.tells("counts wrongly"):
            count = self.chance.choice([0, count - 3, count + 7])
        if self.tells("counts as pages do"):
            count = max(0, count - PAGE)
        state = "ERROR" if self.tells("is in error") else "IDLE"
        names = {"integration": "box", "syncType": "files"}
        return httpx.Response(200, json={**names, "status": state, "recordCount": max(0, count)})

    def _record(self, name: str, *, is_content: bool) -> httpx.Response:
        if name not in self._visible() or self.tells("records flicker", 0.3):
            return self._no_such_thing()
        if is_content:
            content = self.source.download_content(name)
            return httpx.Response(200, content=content.data, headers={"Content-Type": "text/plain"})
        return httpx.Response(200, json=self._as_json(name))

    def _page(self, start: int) -> httpx.Response:
        names = self._visible()
        if self.tells("pages shift", 0.7) and start:
            start += 1
        page = [name for name in names[start : start + PAGE] if not self.tells("drops", 0.15)]
        body: dict[str, Any] = {"records": [self._listed(name) for name in page]}
        if start + PAGE < len(names) and not self.tells("forgets cursors", 0.4):
            body["nextCursor"] = str(start + PAGE)
        if names and self.tells("lists another pipeline's", 0.5):
            body["records"].append({**self._as_json(names[0]), "integration": "drive"})
        if self.tells("lists nothing"):
            body = {"records": []}
        return httpx.Response(200, json=body)

    def _visible(self) -> list[str]:
        hides = "another user" in self.lies
        return [name for name in sorted(self.source.files) if not (hides and name in self.hidden)]

    def _listed(self, name: str) -> Any:
        record = self._as_json(name)
        if self.tells("malformed", 0.3):
            return {**record, "data": ["not", "a", "record"]}
        return record

    def _as_json(self, name: str) -> Any:
        records = self.source.iter_records("box", "files")
        record = next(record for record in records if record.id == name)
        return json.loads(record.model_dump_json(by_alias=True))

    @staticmethod
    def _no_such_thing() -> httpx.Response:
        problem = {"type": "about:blank", "title": "Not Found", "status": 404, "detail": "No."}
        return httpx.Response(404, json=problem)


LIES = (
    "fails",
    "404 of a proxy",
    "404 to all",
    "counts wrongly",
    "counts as pages do",
    "is in error",
    "pages shift",
    "drops",
    "forgets cursors",
    "lists nothing",
    "malformed",
    "lists another pipeline's",
    "records flicker",
    "another user",
)
# What nobody can tell from a deletion: the guard limits what is taken for one, and the next run
# finds what came back.
PLAUSIBLE = {"records flicker", "another user"}


def change(source: ChangingSource, chance: random.Random) -> None:
    """Adds, edits and removes some records; never so many that a run has to ask."""
    for _ in range(chance.randrange(4)):
        name = f"r{chance.randrange(40):02}"
        if name in source.files and chance.random() < 0.3:
            del source.files[name]
        else:
            source.write(name, f"Text {source.clock} of {name}.")


def run_case(seed: int, folder: Path) -> None:
    chance = random.Random(seed)
    size = chance.choice([1, 3, 8, 24])
    source = ChangingSource(**{f"r{number:02}": f"Text {number}." for number in range(size)})
    api, target = LyingApi(source, chance), AbleTarget()
    others = another_pipeline()
    target.chunks |= others
    with ManagedSyncClient(
        "p1",
        "token",
        base_url=BASE_URL,
        transport=httpx.MockTransport(api),
        clock=FakeClock(),
        retry_budget=chance.choice([0, 5]),
    ) as client:
        sync = IndexSync(
            client, target, folder / "ledger.db", chunker=Chunker(40, 0), retries=AT_ONCE
        )
        sync.run(**FILES)
        for _ in range(chance.randrange(1, 3)):
            held = records_in(target)
            change(source, chance)
            api.lie(frozenset(chance.sample(LIES, chance.randrange(1, 4))))
            with suppress(ManagedSyncError):
                act(sync, chance, sorted(held), [*held, *source.files, "unknown"])
            lost = (held & set(source.files)) - records_in(target)
            assert not lost or api.lies & PLAUSIBLE, f"{sorted(lost)} lost to {sorted(api.lies)}"
        api.lie(frozenset())
        try:
            report = sync.run(**FILES, full=True)
        except DeletionsWithheldError:
            # It says what to do, and that is done.
            report = sync.run(**FILES, full=True, allow_deletions=True)
    assert report.complete
    assert (report.failed, report.unconfirmed) == ((), ())
    assert others.items() <= target.chunks.items()
    for key in others:
        del target.chunks[key]
    assert target.contents() == from_scratch(source, folder)


def act(sync: IndexSync, chance: random.Random, held: list[str], named: list[str]) -> None:
    """Does one of the things that a program does with an index."""
    match chance.randrange(6):
        case 0:
            sync.run(**FILES)
        case 1:
            sync.run(**FILES, full=True)
        case 2:
            sync.run(**FILES, dry_run=True)
        case 3:
            sync.apply(named, **FILES)
        case 4:
            sync.apply(chance.sample(held, min(2, len(held))), **FILES)
        case _:
            sync.verify(**FILES, repair=True)


def records_in(target: AbleTarget) -> set[str]:
    chunks = target.chunks.values()
    return {
        str(chunk.metadata["record_id"])
        for chunk in chunks
        if chunk.metadata["integration"] == "box"
    }


def another_pipeline() -> dict[str, Chunk]:
    """Chunks of the same project in the same index."""
    names = {"project_id": "p1", "integration": "drive", "sync_type": "files"}
    return {
        key: Chunk(
            "Other.", {**names, "object_id": f"file:{key}", "record_id": key, "chunk_id": key}
        )
        for key in (f"drive-{number}" for number in range(30))
    }


@pytest.mark.parametrize("part", range(4))
def test_no_record_is_lost_and_the_truth_ends_in_a_fresh_index(tmp_path: Path, part: int) -> None:
    for seed in range(part, CASES, 4):
        folder = tmp_path / str(seed)
        folder.mkdir()
        run_case(seed, folder)


@pytest.mark.sampled(3)
@pytest.mark.parametrize("lie", [lie for lie in LIES if lie != "records flicker"])
@pytest.mark.parametrize("whole", [True, False], ids=["run", "apply"])
def test_an_api_that_lies_about_everything_deletes_nothing(
    tmp_path: Path, lie: str, whole: bool
) -> None:
    source = ChangingSource(**{f"r{number:02}": f"Text {number}." for number in range(30)})
    api, target = LyingApi(source, random.Random(1)), AbleTarget()
    with ManagedSyncClient(
        "p1",
        "token",
        base_url=BASE_URL,
        transport=httpx.MockTransport(api),
        clock=FakeClock(),
        retry_budget=0,
    ) as client:
        sync = IndexSync(client, target, tmp_path / "ledger.db", retries=AT_ONCE)
        sync.run(**FILES)
        before = target.contents()
        api.lies, api.hidden = frozenset({lie}), set(source.files)

        with suppress(ManagedSyncError):
            if whole:
                sync.run(**FILES)
            else:
                sync.apply(list(source.files), **FILES)

    assert target.contents() == before
