"""The directions of imports between the rooms, as ``pyproject.toml`` states them."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[1]
LINT = "from importlinter.cli import lint_imports_command as lint; lint()"


def lint(source: Path, cache: Path) -> subprocess.CompletedProcess[str]:
    """Checks the contracts against the package below a folder."""
    return subprocess.run(
        [sys.executable, "-c", LINT, "--no-logo", "--cache-dir", cache, ROOT / "pyproject.toml"],
        env={**os.environ, "PYTHONPATH": os.pathsep.join([str(source), *sys.path])},
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )


def test_imports_go_one_way(tmp_path: Path) -> None:
    checked = lint(ROOT / "src", tmp_path)
    assert checked.returncode == 0, checked.stdout + checked.stderr


def test_an_import_in_the_other_direction_is_found(tmp_path: Path) -> None:
    package = tmp_path / "src" / "managed_sync"
    ignored = shutil.ignore_patterns("__pycache__", "sample_company")
    shutil.copytree(ROOT / "src" / "managed_sync", package, ignore=ignored)
    (package / "sample_company").mkdir()
    (package / "sample_company" / "__init__.py").touch()
    wrong = {
        "models": "client",
        "client.base": "server.domain",
        "access.checker": "retrieval.report",
        "documents.model": "keywords.analysis",
        "keywords.index": "retrieval.report",
        "stores.qdrant": "langchain",
        "evaluation.figures": "sample_company",
        "server.domain": "server.failures",
        "server.storage.records": "server.graph.schema",
        "server.sources.model": "server.storage.tables",
        "server.http.problems": "server.runtime.listener",
    }
    for importer, imported in wrong.items():
        with (package / f"{importer.replace('.', '/')}.py").open("a", encoding="utf-8") as module:
            module.write(f"\nimport managed_sync.{imported}\n")
    checked = lint(package.parent, tmp_path / "cache")
    assert checked.returncode == 1, checked.stdout + checked.stderr
    for importer, imported in wrong.items():
        assert f"managed_sync.{importer} -> managed_sync.{imported}" in checked.stdout
