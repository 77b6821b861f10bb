"""The environment of the peers, and the versions of what is measured."""

from __future__ import annotations

import os
import subprocess
import venv
from collections.abc import Sequence
from importlib.metadata import version
from pathlib import Path

from benchmarks.common.processes import ROOT

__all__ = ["installed_versions", "peers_python", "required_versions"]

_REQUIREMENTS = Path(__file__).with_name("requirements.txt")
_PEERS = ROOT / ".venv" / "peers"


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


def installed_versions(*packages: str) -> dict[str, str]:
    """The versions of what is measured here: this package, and some others."""
    return {name: version(name) for name in ("managed-sync", *packages)}


def required_versions(names: Sequence[str]) -> dict[str, str]:
    """The versions of these peers."""
    lines = _REQUIREMENTS.read_text(encoding="utf-8").splitlines()
    pins = dict(line.split("==") for line in lines if "==" in line)
    return {name: pins[name] for name in names}
