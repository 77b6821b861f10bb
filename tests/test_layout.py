"""Tests share helpers, and import nothing from each other."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

TESTS = Path(__file__).parent
MODULES = sorted(TESTS.rglob("*.py"))
IMPORT = re.compile(
    r"^\s*(?:from|import) (tests(?:\.\w+)*)(?: import (\([^)]*\)|.*))?$", re.MULTILINE
)


def name_of(path: Path) -> str:
    return path.relative_to(TESTS).as_posix()


@pytest.mark.parametrize("module", MODULES, ids=name_of)
def test_no_module_imports_from_a_test_or_a_conftest(module: Path) -> None:
    for imported, names in IMPORT.findall(module.read_text(encoding="utf-8")):
        last = imported.rpartition(".")[2]
        assert last != "conftest", imported
        assert not last.startswith("test_"), imported
        assert not re.search(r"^\W*(conftest|test_\w+)\b", names), names


@pytest.mark.parametrize("module", sorted((TESTS / "support").glob("[!_]*.py")), ids=name_of)
def test_what_is_in_support_is_used_by_several_folders(module: Path) -> None:
    name = f"tests.support.{module.stem}"
    users = {
        path.relative_to(TESTS.parent).parts[:2]
        for folder in (TESTS, TESTS.parent / "benchmarks")
        for path in folder.rglob("*.py")
        if re.search(rf"^\s*from {name} import", path.read_text(encoding="utf-8"), re.MULTILINE)
    }
    assert len(users) > 1 or users == {("tests", "support")}, users
