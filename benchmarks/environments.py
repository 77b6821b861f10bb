"""Runs contenders in a process, and the peers in an environment of their own."""

from __future__ import annotations

import json
import os
import subprocess
import venv
from collections.abc import Iterator, Sequence
from importlib.metadata import version
from pathlib import Path

from benchmarks.measurement import Measurement

__all__ = ["installed_versions", "lines_from", "measured_in", "peers_python", "required_versions"]

_ROOT = Path(__file__).resolve().parent.parent
_REQUIREMENTS = Path(__file__).with_name("requirements.txt")
_PEERS = _ROOT / ".venv" / "peers"


def peers_python() -> Path:
    """The interpreter of the peers' environment, which is made where it is missing or outdated.

    Raises:
        subprocess.CalledProcessError: The peers could not be installed.
    """
    python = _PEERS / ("Scripts/python.exe" if os.name == "nt" else "bin/python")
    installed = _PEERS / "requirements.txt"
    requirements = _REQUIREMENTS.read_text(encoding="utf-8")
    if installed.exists() and installed.read_text(encoding="utf-8") == requirements:
        return python
    venv.create(_PEERS, clear=True, with_pip=True)
    pip = [str(python), "-m", "pip", "--disable-pip-version-check", "--quiet"]
    subprocess.run([*pip, "install", "--requirement", str(_REQUIREMENTS)], check=True)
    installed.write_text(requirements, encoding="utf-8")
    return python


def measured_in(
    python: Path, module: str, folder: Path, *, k: int, latencies_ms: Sequence[float]
) -> Iterator[Measurement]:
    """The measurements of a module's contenders, as they come.

    Raises:
        subprocess.CalledProcessError: The process failed; what it said is on the standard error.
    """
    arguments = ["benchmarks.measurement", module, str(folder), "--k", str(k)]
    arguments += ["--latencies", *(f"{latency:g}" for latency in latencies_ms)]
    for line in lines_from(python, arguments):
        fields = json.loads(line)
        yield Measurement(**{**fields, "rows": tuple(fields["rows"])})


def lines_from(python: Path, arguments: Sequence[str]) -> Iterator[str]:
    """What a module says on its standard output, line by line.

    Args:
        python: The interpreter.
        arguments: The module, and what to pass to it.

    Raises:
        subprocess.CalledProcessError: The process failed; what it said is on the standard error.
    """
    command = [str(python), "-m", *arguments]
    # One thread for the store's arithmetic: what competes for a second core changes no latency.
    environment = {**os.environ, "OPENBLAS_NUM_THREADS": "1"}
    with subprocess.Popen(
        command, cwd=_ROOT, env=environment, stdout=subprocess.PIPE, text=True, encoding="utf-8"
    ) as process:
        try:
            yield from process.stdout or ()
        except BaseException:
            process.kill()
            raise
    if process.returncode:
        raise subprocess.CalledProcessError(process.returncode, command)


def installed_versions(*packages: str) -> dict[str, str]:
    """The versions of what is measured here: this package, and some others."""
    return {name: version(name) for name in ("managed-sync", *packages)}


def required_versions(names: Sequence[str]) -> dict[str, str]:
    """The versions of these peers."""
    lines = _REQUIREMENTS.read_text(encoding="utf-8").splitlines()
    pins = dict(line.split("==") for line in lines if "==" in line)
    return {name: pins[name] for name in names}
