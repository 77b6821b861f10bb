"""The installed package: a light import, types, a version, and errors that name an extra."""

from __future__ import annotations

import subprocess
import sys
from importlib.metadata import metadata
from importlib.resources import files

import pytest

import managed_sync

FRAMEWORKS = {"langchain_core", "llama_index", "qdrant_client"}
SERVER = {"fastapi", "uvicorn", "yaml", "psycopg"}
COMMANDS = {"typer"}  # httpx itself loads rich where it finds it
PARSERS = {"unstructured", "kreuzberg", "spacy", "wordllama", "numpy"}
OPTIONAL = FRAMEWORKS | SERVER | COMMANDS | PARSERS
CORE = {"httpx", "pydantic", "sqlalchemy", "tiktoken", "jwt"}


def python(code: str) -> str:
    result = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=60
    )
    return result.stdout


def test_the_import_loads_nothing_heavy() -> None:
    loaded = python("import sys, managed_sync; print(*sys.modules)").split()

    assert not (OPTIONAL | CORE) & set(loaded)


def test_the_core_needs_no_extra() -> None:
    loaded = python(
        "import sys; from managed_sync import ManagedSyncClient, AccessChecker, IndexSync;"
        "print(*sys.modules)"
    ).split()

    assert not OPTIONAL & set(loaded)


def test_asking_does_not_load_what_indexing_needs() -> None:
    loaded = python(
        "import sys; from managed_sync import ManagedSyncClient, AccessChecker;"
        "import managed_sync.cli.app; print(*sys.modules)"
    ).split()

    assert "sqlalchemy" not in loaded


@pytest.mark.parametrize(
    ("module", "missing", "extra"),
    [
        ("managed_sync.langchain", "langchain_core", "langchain"),
        ("managed_sync.llama_index", "llama_index", "llama-index"),
        ("managed_sync.server", "fastapi", "server"),
    ],
)
def test_a_missing_extra_is_named(module: str, missing: str, extra: str) -> None:
    said = python(
        f"""
import importlib.util, sys
find = importlib.util.find_spec
importlib.util.find_spec = lambda name, *rest: None if name == {missing!r} else find(name, *rest)
sys.modules[{missing!r}] = None
from managed_sync.errors import MissingExtraError
try:
    import {module}
except MissingExtraError as error:
    print(error)
"""
    )

    assert f"managed-sync[{extra}]" in said


def test_every_public_name_is_there() -> None:
    assert set(managed_sync.__all__) <= set(dir(managed_sync))
    for name in managed_sync.__all__:
        assert getattr(managed_sync, name) is not None
    with pytest.raises(AttributeError, match="no_such_name"):
        _ = managed_sync.no_such_name


def test_metadata_types_and_version_agree() -> None:
    installed = metadata("managed-sync")

    assert installed["Version"] == managed_sync.__version__
    assert installed["License-Expression"] == "MIT"
    assert (files("managed_sync") / "py.typed").is_file()
