"""Real prose: Debian's documentation packages, as the Markdown that this package's parsers make."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path
from tempfile import TemporaryDirectory

from benchmarks.common.processes import ROOT

__all__ = ["load", "prose_file"]

_FOLDER = ROOT / ".venv" / "prose"
_PACKAGES = {"postgresql-doc-15": "html", "python3.11-doc": "html/library"}
_CHARACTERS = 6_000_000  # of each package


def prose_file() -> Path:
    """A JSON file with a list of texts, which is made where it is missing.

    Raises:
        CalledProcessError: apt or dpkg could not get the packages.
        FileNotFoundError: There is no apt or dpkg on this machine.
    """
    file = _FOLDER / "prose.json"
    if not file.exists():
        _FOLDER.mkdir(parents=True, exist_ok=True)
        with TemporaryDirectory() as folder:
            texts = _texts(Path(folder))
        file.write_text(json.dumps(texts), encoding="utf-8")
    return file


def load(file: Path) -> list[str]:
    """The texts of a file that ``prose_file`` made."""
    texts: list[str] = json.loads(file.read_text(encoding="utf-8"))
    return texts


def _texts(folder: Path) -> list[str]:
    from managed_sync.documents import parse  # noqa: PLC0415 - the peers do without it

    subprocess.run(["apt-get", "download", *_PACKAGES], cwd=folder, check=True)  # noqa: S607
    texts: list[str] = []
    for package, pages in _PACKAGES.items():
        (archive,) = folder.glob(f"{package}_*.deb")
        subprocess.run(["dpkg", "-x", str(archive), str(folder / package)], check=True)  # noqa: S607
        share = folder / package / "usr" / "share" / "doc"
        characters = 0
        for page in sorted(share.glob(f"*/{pages}/*.html")):
            if characters >= _CHARACTERS or page.is_symlink():
                continue
            text = parse(page.read_bytes(), filename=page.name)
            characters += len(text)
            texts.append(text)
    return texts
