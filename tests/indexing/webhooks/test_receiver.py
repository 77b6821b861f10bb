"""Webhooks bring single records up to date, whoever sends what and in whatever order."""

from __future__ import annotations

import asyncio
import hashlib
import hmac
import json
import random
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest
from fastapi import FastAPI

from managed_sync.errors import (
    ApiConnectionError,
    AuthenticationError,
    ConfigurationError,
    ForbiddenError,
    InvalidIdentifierError,
    NotFoundError,
    RateLimitError,
    ServerError,
)
from managed_sync.indexing import IndexReport
from managed_sync.indexing.webhooks.asgi import WebhookApp, webhook_router
from managed_sync.indexing.webhooks.receiver import WebhookReceiver
from managed_sync.indexing.webhooks.verifiers import SharedSecret, SignedBody, Verifier
from managed_sync.models import SyncedRecord
from tests.support.forks import in_child, needs_fork
from tests.support.index_target import Target
from tests.support.indexing import from_scratch, run, syncing
from tests.support.record_source import ChangingSource

SECRET = "a secret of some length"
TRUSTED = {"x-webhook-secret": SECRET}


def event(kind: str, record_id: str | None = None, **more: Any) -> bytes:
    data = {} if record_id is None else {"data": {"recordId": record_id}}
    return json.dumps({"event": kind, "sync": "files", **data, **more}).encode()


def signature(body: bytes, secret: str = SECRET) -> str:
    return hmac.new(secret.encode(), body, hashlib.sha256).hexdigest()


@contextmanager
def receiving(
    source: ChangingSource, target: Target, ledger: Path, quiet: float = 0.02, **options: Any
) -> Iterator[WebhookReceiver]:
    options = {"verify": SharedSecret(SECRET), **options}
    receiver = WebhookReceiver(
        syncing(source, target, ledger), {"files": ("box", "files")}, quiet_seconds=quiet, **options
    )
    try:
        yield receiver
    finally:
        receiver.close()


class TestWhoMaySend:
    BODY = event("record_updated", "a")

    @pytest.mark.parametrize(
        "headers",
        [
            {},
            {"x-webhook-secret": ""},
            {"x-webhook-secret": "another secret, as long"},
            {"x-webhook-secret": SECRET + "x"},
            {"x-webhook-secret": SECRET[:-1]},
            {"x-webhook-secret": "ä"},
            {"authorization": f"Bearer {SECRET}"},
        ],
    )
    def test_without_the_secret_nobody(self, headers: dict[str, str]) -> None:
        assert not SharedSecret(SECRET).accepts(headers, self.BODY)

    def test_with_the_secret_whoever_has_it(self) -> None:
        assert SharedSecret(SECRET).accepts(TRUSTED, self.BODY)
        bearer = SharedSecret(SECRET, header="Authorization")
        assert bearer.accepts({"authorization": f"bearer {SECRET}"}, self.BODY)
        assert not bearer.accepts({"authorization": SECRET}, self.BODY)
        assert not bearer.accepts({"authorization": f"Basic {SECRET}"}, self.BODY)

    @pytest.mark.parametrize(
        "said",
        ["", "sha256=", "0" * 64, signature(b"another body"), signature(BODY, "another secret!!")],
    )
    def test_a_body_that_is_not_signed_with_the_secret_is_refused(self, said: str) -> None:
        assert not SignedBody(SECRET).accepts({"x-webhook-signature": said}, self.BODY)

    @pytest.mark.parametrize("prefix", ["", "sha256="])
    def test_a_signed_body_is_accepted(self, prefix: str) -> None:
        headers = {"x-webhook-signature": prefix + signature(self.BODY)}

        assert SignedBody(SECRET).accepts(headers, self.BODY)
        assert not SignedBody(SECRET).accepts(headers, self.BODY + b" ")

    @pytest.mark.parametrize(
        ("age", "accepted"), [(0, True), (200, True), (400, False), (-400, False)]
    )
    def test_a_signature_with_a_time_is_good_for_a_while(self, age: int, accepted: bool) -> None:
        verifier = SignedBody(SECRET, timestamp_header="X-Time")
        stamp = str(int(time.time()) - age)
        signed = signature(stamp.encode() + b"." + self.BODY)

        assert (
            verifier.accepts({"x-time": stamp, "x-webhook-signature": signed}, self.BODY)
            is accepted
        )

    @pytest.mark.parametrize("stamp", ["", "soon", "-5", "1e9", "９" * 10, "9" * 5000])
    def test_a_time_that_is_none_is_refused(self, stamp: str) -> None:
        verifier = SignedBody(SECRET, timestamp_header="X-Time")
        signed = signature(stamp.encode() + b"." + self.BODY)

        assert not verifier.accepts({"x-time": stamp, "x-webhook-signature": signed}, self.BODY)

    @pytest.mark.parametrize("kind", [SharedSecret, SignedBody])
    def test_a_secret_that_can_be_guessed_is_refused_and_not_repeated(self, kind: Any) -> None:
        with pytest.raises(ConfigurationError) as caught:
            kind("short")

        assert "'short'" not in str(caught.value)

    def test_what_is_refused_changes_nothing(self, ledger: Path) -> None:
        source, target = ChangingSource(a="One."), Target()
        with receiving(source, target, ledger) as receiver:
            answer = receiver.receive({}, event("sync_complete"))

            assert answer.status == 401
            assert receiver.wait_until_idle(1)
        assert target.chunks == {}


class TestWhatIsDone:
    def test_a_new_a_changed_and_a_deleted_record_are_applied_one_by_one(
        self, ledger: Path
    ) -> None:
        source, target = ChangingSource(a="One.", b="Two."), Target()
        run(source, target, ledger)
        source.write("a", "One, changed.")
        source.write("c", "Three.")
        del source.files["b"]
        source.downloads.clear()
        with receiving(source, target, ledger) as receiver:
            for kind, name in (("updated", "a"), ("deleted", "b"), ("created", "c")):
                answer = receiver.receive(TRUSTED, event(f"record_{kind}", name))
                assert answer.status == 202
            assert receiver.wait_until_idle()

        assert sorted(source.downloads) == ["a", "c"]
        assert target.texts() == {("file:a", "One, changed."), ("file:c", "Three.")}

    def test_a_deletion_that_the_api_does_not_confirm_deletes_nothing(self, ledger: Path) -> None:
        source, target = ChangingSource(a="One."), Target()
        run(source, target, ledger)
        with receiving(source, target, ledger) as receiver:
            receiver.receive(TRUSTED, event("record_deleted", "a"))
            assert receiver.wait_until_idle()

        assert target.texts() == {("file:a", "One.")}

    def test_a_completed_sync_brings_the_whole_pipeline_up_to_date(self, ledger: Path) -> None:
        source, target = ChangingSource(a="One.", b="Two."), Target()
        with receiving(source, target, ledger) as receiver:
            receiver.receive(TRUSTED, event("sync_complete"))
            assert receiver.wait_until_idle()

        assert len(target.chunks) == 2

    def test_many_events_are_applied_together_and_each_record_once(self, ledger: Path) -> None:
        source, target = ChangingSource(a="One.", b="Two."), Target()
        reports: list[IndexReport] = []
        with receiving(
            source, target, ledger, 0.2, on_report=lambda *said: reports.append(said[-1])
        ) as receiver:
            for _ in range(50):
                for name in "ab":
                    receiver.receive(TRUSTED, event("record_updated", name))
            assert receiver.wait_until_idle()

        assert len(reports) == 1
        assert sorted(source.downloads) == ["a", "b"]

    @pytest.mark.parametrize("seed", range(3))
    def test_events_twice_late_and_out_of_order_end_where_the_source_is(
        self, ledger: Path, tmp_path: Path, seed: int
    ) -> None:
        chance = random.Random(seed)
        source, target = ChangingSource(), Target()
        late: list[bytes] = []
        with receiving(source, target, ledger, 0.0) as receiver:
            for _ in range(30):
                name = chance.choice("abcd")
                if name in source.files and chance.random() < 0.4:
                    del source.files[name]
                    late.append(event("record_deleted", name))
                else:
                    source.write(name, f"Text {source.clock}.")
                    late.append(event("record_updated", name))
                if chance.random() < 0.5:
                    chance.shuffle(late)
                    receiver.receive(TRUSTED, late[0])
            for body in chance.sample(late, len(late)) + late[:5]:
                receiver.receive(TRUSTED, body)
            assert receiver.wait_until_idle()

        assert target.contents() == from_scratch(source, tmp_path)

    def test_what_fails_is_tried_again(self, ledger: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        source, target = ChangingSource(a="One."), Target()
        reads, get_record = [], source.get_record

        def flaky(record_id: str) -> SyncedRecord:
            reads.append(record_id)
            if len(reads) < 3:
                raise ApiConnectionError("no connection")
            return get_record(record_id)

        monkeypatch.setattr(source, "get_record", flaky)
        with receiving(source, target, ledger) as receiver:
            receiver.receive(TRUSTED, event("record_created", "a"))
            assert receiver.wait_until_idle()

        assert len(reads) == 3
        assert target.texts() == {("file:a", "One.")}

    @pytest.mark.parametrize("kind", ["sync_errored", "record_errored"])
    def test_an_error_in_the_source_is_logged_and_changes_nothing(
        self, ledger: Path, caplog: pytest.LogCaptureFixture, kind: str
    ) -> None:
        source, target = ChangingSource(a="One."), Target()
        with receiving(source, target, ledger) as receiver:
            answer = receiver.receive(TRUSTED, event(kind, "a"))
            assert receiver.wait_until_idle()

        assert (answer.status, target.chunks, source.downloads) == (202, {}, [])
        assert "failed" in caplog.text

    @pytest.mark.parametrize(
        ("body", "status"),
        [
            (b"", 400),
            (b"{", 400),
            (b"[]", 400),
            (b'{"event": "record_purged", "sync": "files"}', 400),
            (event("record_updated"), 400),
            (b"[" * 100_000, 400),
            (event("record_updated", "a", sync="contacts"), 404),
            (event("record_updated", "a", integration="drive"), 404),
        ],
    )
    def test_what_is_no_event_of_ours_is_refused(
        self, ledger: Path, body: bytes, status: int
    ) -> None:
        with receiving(ChangingSource(), Target(), ledger) as receiver:
            assert receiver.receive(TRUSTED, body).status == status

    def test_a_record_of_another_pipeline_of_the_project_is_left_alone(
        self, ledger: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        source, target = ChangingSource(a="One."), Target()
        foreign = SyncedRecord(id="a", integration="drive", sync_type="files")
        monkeypatch.setattr(source, "get_record", lambda record_id: foreign)
        with receiving(source, target, ledger) as receiver:
            receiver.receive(TRUSTED, event("record_created", "a"))
            assert receiver.wait_until_idle()

        assert target.chunks == {}


class TestOneThatFails:
    """It is put aside, or waits; the others are applied."""

    @pytest.mark.parametrize(
        "error",
        [
            InvalidIdentifierError("'..' cannot be used as a record id."),
            ForbiddenError("not this one", status=403),
            ServerError("out of order", status=500),
        ],
    )
    def test_one_odd_event_holds_up_no_other(
        self, ledger: Path, monkeypatch: pytest.MonkeyPatch, error: Exception
    ) -> None:
        source, target = ChangingSource(a="One.", b="Two."), Target()
        run(source, target, ledger)
        source.write("b", "Two, changed.")
        get_record = source.get_record

        def get(record_id: str) -> SyncedRecord:
            if record_id == "odd":
                raise error
            return get_record(record_id)

        monkeypatch.setattr(source, "get_record", get)
        with receiving(source, target, ledger, 0.1) as receiver:
            for name in ("odd", "b"):
                receiver.receive(TRUSTED, event("record_updated", name))
            assert receiver.wait_until_idle()

        failures = syncing(source, target, ledger).failures(integration="box", sync_type="files")
        assert [(each.record_id, each.reason) for each in failures] == [("odd", str(error))]
        assert ("file:b", "Two, changed.") in target.texts()

    @pytest.mark.parametrize(
        ("of", "error"),
        [
            ("get_record", ApiConnectionError("no connection")),
            ("download_content", AuthenticationError("expired", status=401)),
            ("download_content", RateLimitError("slowly", status=429)),
            ("download_content", RuntimeError("nobody thought of this")),
        ],
    )
    def test_one_that_fails_as_if_all_would_holds_up_no_other(
        self, ledger: Path, monkeypatch: pytest.MonkeyPatch, of: str, error: Exception
    ) -> None:
        source, target = ChangingSource(), Target()
        run(source, target, ledger)
        names = ["odd", "a", "b", "c"]
        for name in names:
            source.write(name, f"Text of {name}.")
        read = getattr(source, of)

        def failing(record_id: str, **options: Any) -> Any:
            if record_id == "odd":
                raise error
            return read(record_id, **options)

        monkeypatch.setattr(source, of, failing)
        others = {f"file:{name}" for name in names[1:]}
        applied = threading.Event()

        def report(*_: Any) -> None:
            if others <= {object_id for object_id, _ in target.texts()}:
                applied.set()

        with receiving(source, target, ledger, on_report=report) as receiver:
            for name in names:
                receiver.receive(TRUSTED, event("record_updated", name))
            assert applied.wait(20)
            monkeypatch.setattr(source, of, read)
            assert receiver.wait_until_idle()

        assert ("file:odd", "Text of odd.") in target.texts()

    def test_a_callback_that_fails_is_logged_and_later_events_are_applied(
        self, ledger: Path, caplog: pytest.LogCaptureFixture
    ) -> None:
        source, target = ChangingSource(a="One."), Target()

        def report(*_: object) -> None:
            raise RuntimeError("the metrics are down")

        with receiving(source, target, ledger, on_report=report) as receiver:
            receiver.receive(TRUSTED, event("record_created", "a"))
            assert receiver.wait_until_idle()
            source.write("b", "Two.")
            receiver.receive(TRUSTED, event("record_created", "b"))
            assert receiver.wait_until_idle()

        assert len(target.chunks) == 2
        assert "on_report failed" in caplog.text

    def test_a_gateway_that_answers_404_to_everything_deletes_nothing(
        self, ledger: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        source, target = ChangingSource(a="One.", b="Two."), Target()
        run(source, target, ledger)
        asked = threading.Event()

        def nothing(record_id: str) -> SyncedRecord:
            asked.set()
            error = NotFoundError("<html>404 page not found</html>", status=404)
            error.is_from_api = False
            raise error

        monkeypatch.setattr(source, "get_record", nothing)
        with receiving(source, target, ledger) as receiver:
            for name in "ab":
                receiver.receive(TRUSTED, event("record_deleted", name))
            assert asked.wait(10)

        assert len(target.chunks) == 2

    def test_a_record_that_an_event_says_is_there_is_looked_for_twice(
        self, ledger: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        source, target = ChangingSource(a="One.", b="Two."), Target()
        run(source, target, ledger)
        source.write("c", "Three.")
        get_record, asked = source.get_record, []

        def late(record_id: str) -> SyncedRecord:
            asked.append(record_id)
            if asked.count("c") == 1 and record_id == "c":
                raise NotFoundError("not yet", status=404)
            return get_record(record_id)

        monkeypatch.setattr(source, "get_record", late)
        with receiving(source, target, ledger) as receiver:
            receiver.receive(TRUSTED, event("record_created", "c"))
            assert receiver.wait_until_idle()

        assert ("file:c", "Three.") in target.texts()

    def test_withheld_deletions_are_told_once_and_later_events_are_applied(
        self, ledger: Path, caplog: pytest.LogCaptureFixture
    ) -> None:
        source, target = (
            ChangingSource(**{f"r{number:02}": f"Text {number}." for number in range(40)}),
            Target(),
        )
        run(source, target, ledger)
        for number in range(30):
            del source.files[f"r{number:02}"]
        reports: list[IndexReport] = []
        with receiving(
            source, target, ledger, on_report=lambda *said: reports.append(said[-1])
        ) as receiver:
            receiver.receive(TRUSTED, event("sync_complete"))
            assert receiver.wait_until_idle()
            source.write("r35", "Changed.")
            receiver.receive(TRUSTED, event("record_updated", "r35"))
            assert receiver.wait_until_idle()

        assert len(reports) == 2
        assert caplog.text.count("allow_deletions") == 1
        assert ("file:r35", "Changed.") in target.texts()
        assert len(target.chunks) == 40

    def test_single_events_are_applied_while_runs_fail(
        self, ledger: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        source, target = ChangingSource(a="One."), Target()
        run(source, target, ledger)
        source.write("a", "One, changed.")
        failed = threading.Event()

        def broken(integration: str, sync_type: str) -> Iterator[SyncedRecord]:
            failed.set()
            raise ApiConnectionError("no connection")

        monkeypatch.setattr(source, "iter_records", broken)
        reports: list[IndexReport] = []
        told = threading.Event()

        def report(*said: Any) -> None:
            reports.append(said[-1])
            told.set()

        with receiving(source, target, ledger, on_report=report) as receiver:
            receiver.receive(TRUSTED, event("sync_complete"))
            assert failed.wait(10)
            while not told.wait(0.05):
                receiver.receive(TRUSTED, event("record_updated", "a"))

        assert ("file:a", "One, changed.") in target.texts()

    def test_a_receiver_that_is_closed_asks_for_the_event_later(self, ledger: Path) -> None:
        with receiving(ChangingSource(), Target(), ledger) as receiver:
            pass

        assert receiver.receive(TRUSTED, event("record_updated", "a")).status == 503

    def test_an_id_may_be_a_number(self, ledger: Path) -> None:
        source, target = ChangingSource(**{"7": "Seven."}), Target()
        body = json.dumps({"event": "record_created", "sync": "files", "data": {"id": 7}}).encode()
        with receiving(source, target, ledger) as receiver:
            assert receiver.receive(TRUSTED, body).status == 202
            assert receiver.wait_until_idle()

        assert target.texts() == {("file:7", "Seven.")}


class TestOverHttp:
    @pytest.fixture(params=["asgi", "fastapi"])
    def served(
        self, request: pytest.FixtureRequest, ledger: Path
    ) -> Iterator[tuple[Any, WebhookReceiver, Target]]:
        target = Target()
        verify: Verifier = SignedBody(SECRET)
        with receiving(ChangingSource(a="One."), target, ledger, verify=verify) as receiver:
            app: Any = WebhookApp(receiver)
            if request.param == "fastapi":
                app = FastAPI()
                app.include_router(webhook_router(receiver), prefix="/hooks")
            yield app, receiver, target

    @staticmethod
    def send(app: Any, body: bytes, method: str = "POST", **headers: str) -> httpx.Response:
        async def once() -> httpx.Response:
            transport = httpx.ASGITransport(app)
            async with httpx.AsyncClient(transport=transport, base_url="http://x") as client:
                return await client.request(
                    method, "/hooks/webhooks", content=body, headers=headers
                )

        return asyncio.run(once())

    def test_a_signed_event_is_answered_and_applied(
        self, served: tuple[Any, WebhookReceiver, Target]
    ) -> None:
        app, receiver, target = served
        body = event("record_created", "a")

        answer = self.send(app, body, **{"X-Webhook-Signature": f"sha256={signature(body)}"})

        assert answer.status_code == 202
        assert receiver.wait_until_idle()
        assert target.texts() == {("file:a", "One.")}

    def test_others_are_refused(self, served: tuple[Any, WebhookReceiver, Target]) -> None:
        app, receiver, target = served
        body = event("record_created", "a")

        assert self.send(app, body).status_code == 401
        assert self.send(app, body, "GET").status_code == 405
        assert self.send(app, b"x" * 2_000_000).status_code == 413
        assert receiver.wait_until_idle(1)
        assert target.chunks == {}

    def test_the_app_lives_with_its_server(self, ledger: Path) -> None:
        async def live() -> list[str]:
            messages = iter([{"type": "lifespan.startup"}, {"type": "lifespan.shutdown"}])
            sent: list[str] = []

            async def receive() -> Any:
                return next(messages)

            async def send(message: Any) -> None:
                sent.append(message["type"])

            with receiving(ChangingSource(), Target(), ledger) as receiver:
                await WebhookApp(receiver)({"type": "lifespan"}, receive, send)
            return sent

        assert asyncio.run(live()) == ["lifespan.startup.complete", "lifespan.shutdown.complete"]


class Interrupted:
    """Applies events, after an interruption that no ordinary handler of errors sees."""

    def __init__(self, interruption: BaseException) -> None:
        self.interruptions = [interruption]
        self.applied: list[str] = []

    def run(self, **_: Any) -> IndexReport:
        raise AssertionError("only single records are asked for")

    def apply(self, record_ids: list[str], **_: Any) -> IndexReport:
        if self.interruptions:
            raise self.interruptions.pop()
        self.applied += record_ids
        return IndexReport()


@pytest.mark.parametrize("interruption", [asyncio.CancelledError, SystemExit, KeyboardInterrupt])
@pytest.mark.parametrize("place", ["apply", "on_report"])
def test_nothing_that_is_raised_ends_the_thread_that_applies_events(
    interruption: type[BaseException], place: str
) -> None:
    sync = Interrupted(interruption())
    in_report = [sync.interruptions.pop()] if place == "on_report" else []

    def on_report(*_: object) -> None:
        if in_report:
            raise in_report.pop()

    receiver = WebhookReceiver(
        sync,
        {"files": ("box", "files")},
        verify=SharedSecret(SECRET),
        quiet_seconds=0.01,
        on_report=on_report,
    )
    try:
        for record_id in ("a", "b"):
            assert receiver.receive(TRUSTED, event("record_updated", record_id)).status == 202
            assert receiver.wait_until_idle()
    finally:
        receiver.close()

    assert sync.applied == ["a", "b"]


@needs_fork
def test_a_forked_process_applies_what_it_receives_itself() -> None:
    sync = Interrupted(SystemExit())
    sync.interruptions.clear()
    receiver = WebhookReceiver(
        sync, {"files": ("box", "files")}, verify=SharedSecret(SECRET), quiet_seconds=0.01
    )
    receiver.start()

    def receive() -> list[str]:
        receiver.receive(TRUSTED, event("record_updated", "a"))
        receiver.wait_until_idle(10)
        return sync.applied

    try:
        assert in_child(receive) == ["a"]
    finally:
        receiver.close()
