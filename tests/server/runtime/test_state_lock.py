"""One server works with a state; a second one is refused, and nothing that died is in the way."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import psycopg
import pytest

from managed_sync.errors import ConfigurationError, StateInUseError
from managed_sync.server import EmbeddedServer, Server, ServerConfig
from managed_sync.server.runtime.state_lock import StateLock
from tests.server.company import FILES, Caller, Company

Configured = Callable[..., Caller]
NewUrl = Callable[[], str]

HOLD = """
import sys
from pathlib import Path
from managed_sync.server.runtime.state_lock import StateLock
lock = StateLock(Path(sys.argv[1]))
print("held", flush=True)
sys.stdin.read()
"""


def test_a_second_server_on_the_same_state_is_refused(company: Company, state: Path) -> None:
    with (
        EmbeddedServer(company.folder, state),
        pytest.raises(StateInUseError, match=r"in use by another server of this program"),
    ):
        EmbeddedServer(company.folder, state / ".." / state.name).start()
    with EmbeddedServer(company.folder, state) as next_one:
        assert next_one.base_url


def test_a_server_that_does_not_start_leaves_no_lock(tmp_path: Path, company: Company) -> None:
    state = tmp_path / "fresh"
    company.write_permissions("users: [")
    with pytest.raises(ConfigurationError.__bases__[0], match="not YAML"):
        EmbeddedServer(company.folder, state).start()
    company.write_permissions("users: [a@x.example]\n")
    with EmbeddedServer(company.folder, state):
        pass


def test_another_process_is_named_and_when_it_is_killed_nothing_is_left(tmp_path: Path) -> None:
    with subprocess.Popen(
        [sys.executable, "-c", HOLD, tmp_path], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as holder:
        assert holder.stdout is not None
        assert holder.stdout.readline() == b"held\n"
        with pytest.raises(StateInUseError, match=rf"process {holder.pid}\b"):
            StateLock(tmp_path)
        holder.kill()
        holder.wait()
    lock = StateLock(tmp_path)
    lock.release()
    lock.release()


@pytest.mark.parametrize("place", ["file", "file/below"])
def test_a_state_folder_that_is_none_is_an_error_that_says_so(tmp_path: Path, place: str) -> None:
    (tmp_path / "file").write_text("x")
    with pytest.raises(ConfigurationError, match="Choose a folder"):
        StateLock(tmp_path / place)


def test_a_second_server_on_the_same_postgresql_is_refused(
    company: Company, tmp_path: Path, postgres: NewUrl
) -> None:
    url = postgres()

    def config(name: str) -> ServerConfig:
        return ServerConfig.of_folder(company.folder, tmp_path / name, database=url, port=0)

    with Server(config("one")):
        with pytest.raises(StateInUseError, match="in use by another server") as refused:
            Server(config("two")).start()
        assert "postgres" in str(refused.value)
    with Server(config("two")) as next_one:
        assert next_one.base_url


def test_a_reservation_that_a_restart_of_postgresql_ended_is_made_again(
    configured: Configured, company: Company, tmp_path: Path, postgres: NewUrl
) -> None:
    url = postgres()
    caller = configured(database=url)
    name = url.rpartition("/")[2]
    with psycopg.connect(url.replace(name, "postgres"), autocommit=True) as admin:
        admin.execute(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = %s", [name]
        )
    assert caller.enable(FILES)["status"] == "IDLE"
    second = ServerConfig.of_folder(company.folder, tmp_path / "two", database=url, port=0)
    with pytest.raises(StateInUseError):
        Server(second).start()
