"""Each benchmark is a folder that runs with ``python -m benchmarks.<name>``."""

from __future__ import annotations

from importlib import import_module

import pytest

from benchmarks.common.pages import DOCS
from benchmarks.common.processes import ROOT

NAMES = sorted(
    file.parent.name
    for file in (ROOT / "benchmarks").glob("*/__init__.py")
    if file.parent.name != "common"
)


@pytest.mark.parametrize("name", NAMES)
def test_its_command_explains_itself(name: str, capsys: pytest.CaptureFixture[str]) -> None:
    command = import_module(f"benchmarks.{name}.__main__")

    with pytest.raises(SystemExit) as ended:
        command.main(["--help"])

    assert ended.value.code == 0
    assert "usage: " in capsys.readouterr().out


# It compares two checkouts, so it has no figures of its own.
@pytest.mark.parametrize("name", sorted({*NAMES} - {"compare"}))
def test_it_has_a_page_that_names_its_command_and_a_row_in_the_overview(name: str) -> None:
    page = (DOCS / f"{name}.md").read_text(encoding="utf-8")
    overview = (ROOT / "benchmarks" / "README.md").read_text(encoding="utf-8")

    assert f"`python -m benchmarks.{name}" in page
    assert f"\n| [`{name}`](../docs/benchmarks/{name}.md) |" in overview
