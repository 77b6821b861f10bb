"""The decisions are numbered, dated and listed, and the code that they explain names them."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent.parent
PACKAGE = ROOT / "src" / "managed_sync"
DECISIONS = ROOT / "docs" / "decisions"
INDEX = DECISIONS / "index.md"
PAGES = sorted(DECISIONS.glob("[0-9]*.md"))

_HEAD = re.compile(
    r"# (?P<number>\d+)\. (?P<title>.+)\n\n"
    r"(?P<status>Accepted|Superseded by \[.+\]\(.+\.md\)) · (?P<date>\d{4}-\d\d-\d\d)"
    r"(?:,\srevised\s\d{4}-\d\d-\d\d)?\s·\sexplains\s(?P<explained>[^#]+?)\n\n"
)


def head_of(page: Path) -> re.Match[str]:
    head = _HEAD.match(page.read_text(encoding="utf-8"))
    assert head, "the page begins with '# <number>. <title>' and a line of status, date and paths"
    return head


def test_the_numbers_count_from_one_without_a_gap() -> None:
    assert [int(page.name[:4]) for page in PAGES] == list(range(1, len(PAGES) + 1))


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.stem)
def test_a_decision_is_dated_and_listed_and_the_code_that_it_explains_names_it(page: Path) -> None:
    text, head = page.read_text(encoding="utf-8"), head_of(page)
    assert int(head["number"]) == int(page.name[:4])

    status = head["status"].split()[0].lower()
    row = f"| {head['number']} | [{head['title']}]({page.name}) | {head['date']} | {status} |\n"
    assert row in INDEX.read_text(encoding="utf-8")

    paths = re.findall(r"`([^`]+)`", head["explained"])
    assert paths
    for path in paths:
        explained = PACKAGE / path if (PACKAGE / path).exists() else ROOT / path
        assert explained.is_file(), path
        assert f"docs/decisions/{page.name}" in explained.read_text(encoding="utf-8"), path

    for named in re.findall(r"`(\w[\w./]*\.py|\w+(?:/\w+)+/)`", text):
        assert (PACKAGE / named).exists() or (ROOT / named).exists(), named


def test_every_decision_that_is_named_somewhere_is_there() -> None:
    for folder in ("src", "tests", "docs", "examples", "benchmarks", "scripts"):
        for path in (ROOT / folder).rglob("*"):
            if path.suffix in {".py", ".md"} and "sample_company" not in path.parts:
                text = path.read_text(encoding="utf-8")
                for named in re.findall(r"decisions/([0-9][\w-]*\.md)", text):
                    assert (DECISIONS / named).exists(), f"{path}: {named}"
