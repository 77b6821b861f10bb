"""Both engines answer alike, and the page says what was measured."""

from __future__ import annotations

from dataclasses import replace

import pytest

from benchmarks.common.pages import DOCS
from benchmarks.server.company_graph import make_company
from benchmarks.server.graph_engines import (
    CHECKS,
    LIST_OBJECTS,
    Questions,
    fill_spicedb,
    spicedb_operations,
    sqlite_operations,
)
from benchmarks.server.report import Measured, Results, as_markdown
from tests.support.spicedb import running_spicedb

SAME_AT_EVERY_SIZE = CHECKS[2]


@pytest.fixture
def published() -> Results:
    return Results.load(DOCS / "server.json")


@pytest.mark.slow
def test_both_engines_are_asked_the_same_and_answer_alike() -> None:
    company = make_company(10_000, seed=3)
    with sqlite_operations(company, Questions(company, seed=3)) as of_sqlite:
        here = {name: ask() for name, ask in of_sqlite}
    with running_spicedb() as client:
        fill_spicedb(client, company)
        there = {
            name: ask() for name, ask in spicedb_operations(client, Questions(company, seed=3))
        }
    assert there.keys() == here.keys() - {"one page of records"}
    for name, answer in there.items():
        assert answer == here[name], name
        assert answer
    answers = here[CHECKS[3]]
    assert isinstance(answers, list)
    assert 0 < sum(answers) < len(answers)


def test_sizes_that_were_measured_one_by_one_are_joined(published: Results) -> None:
    one = replace(published, measured=[Measured(2_000, "SQLite", "100 checks", 2.0)])
    other = replace(published, measured=[Measured(1_000, "SQLite", "100 checks", 1.0)])
    anew = replace(published, measured=[Measured(2_000, "SQLite", "100 checks", None, "late")])
    joined = anew.joined_to(one.joined_to(other))
    assert joined.measured == other.measured + anew.measured
    assert "| 100 checks | SQLite | 1.0 | gave up | - |" in as_markdown(joined)
    with pytest.raises(ValueError, match="otherwise"):
        one.joined_to(replace(other, seed=published.seed + 1))


def test_the_page_shows_what_was_measured(published: Results) -> None:
    assert as_markdown(published) in (DOCS / "server.md").read_text(encoding="utf-8")


def test_what_the_page_promises_was_measured(published: Results) -> None:
    found = {
        (one.operation, one.engine, one.relationships): one.milliseconds
        for one in published.measured
    }
    sizes = sorted({one.relationships for one in published.measured})
    assert (sizes[0], sizes[-1]) == (10_000, 1_000_000)
    for size in sizes:
        for checks in CHECKS:
            sqlite = found[checks, "SQLite", size]
            assert sqlite is not None
            assert sqlite <= (found[checks, "SpiceDB", size] or float("inf"))
    first, last = (found[SAME_AT_EVERY_SIZE, "SQLite", size] for size in (sizes[0], sizes[-1]))
    assert first is not None
    assert last is not None
    assert last <= 1.5 * first
    assert found[LIST_OBJECTS, "SQLite", 1_000_000] is not None
