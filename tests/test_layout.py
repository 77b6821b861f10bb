"""Tests share helpers, and import nothing from each other."""

from __future__ import annotations

import re
from pathlib import Path

TESTS = Path(__file__).parent
MODULES = sorted(TESTS.rglob("*.py"))
IMPORT = re.compile(
    r"^\s*(?:from|import) (tests(?:\.\w+)*)(?: import (\([^)]*\)|.*))?$", re.MULTILINE
)


def name_of(path: Path) -> str:
    return path.relative_to(TESTS).as_posix()


def test_no_module_imports_from_a_test_or_a_conftest() -> None:
    for module in MODULES:
        for imported, names in IMPORT.findall(module.read_text(encoding="utf-8")):
            last = imported.rpartition(".")[2]
            assert last != "conftest", (name_of(module), imported)
            assert not last.startswith("test_"), (name_of(module), imported)
            assert not re.search(r"^\W*(conftest|test_\w+)\b", names), (name_of(module), names)


def test_what_is_in_support_is_used_by_several_folders() -> None:
    users: dict[str, set[tuple[str, ...]]] = {
        module.stem: set() for module in (TESTS / "support").glob("[!_]*.py")
    }
    for path in [*MODULES, *(TESTS.parent / "benchmarks").rglob("*.py")]:
        text = path.read_text(encoding="utf-8")
        for name in re.findall(r"^\s*from tests\.support\.(\w+) import", text, re.MULTILINE):
            users[name].add(path.relative_to(TESTS.parent).parts[:2])
    for name, folders in users.items():
        assert len(folders) > 1 or folders == {("tests", "support")}, (name, folders)
