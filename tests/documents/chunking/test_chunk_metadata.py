"""Ids of chunks: of one project, one pipeline, one record and one text."""

from __future__ import annotations

import uuid

import pytest
from hypothesis import given
from hypothesis import strategies as st

from managed_sync.documents.chunking.chunk_metadata import (
    MAX_TABLE_CHARACTERS,
    ChunkIds,
    small_tables_html,
)

METADATA = {
    "object_id": "file:1",
    "record_id": "1",
    "source_id": "/plan",
    "project_id": "north",
    "integration": "box",
    "sync_type": "files",
}
# Names that could be read as parts of the ones beside them.
NAMES = st.sampled_from(["a", "b", "ab", "a\nb", 'a", "b', "[", "", "é", "1"])
TABLE = "| City | Limit |\n| --- | --- |\n| Oslo \\| Bergen | < 200 |\n"


def id_of(**changed: str) -> str:
    return ChunkIds({**METADATA, **changed}).of("The arm moves.")


@pytest.mark.parametrize("name", ["project_id", "integration", "sync_type", "object_id"])
def test_another_owner_has_other_ids(name: str) -> None:
    assert id_of(**{name: f"{METADATA[name]}-other"}) != id_of()


def test_an_id_is_the_same_on_every_machine_and_in_every_release() -> None:
    assert id_of() == "ee848c01-8cb3-56e5-adba-bbee12dbd04c"
    assert uuid.UUID(id_of()).version == 5


def test_a_document_that_names_no_pipeline_keeps_the_ids_that_it_had() -> None:
    assert ChunkIds({"object_id": "file:1"}).of("The arm moves.") == (
        "ab00be57-afb1-5537-beb0-926b8a2634f4"
    )


def test_records_of_one_object_have_ids_of_their_own() -> None:
    shared = {"object_id": "deal:shared", "source_id": "x"}
    assert id_of(**shared, record_id="1") != id_of(**shared, record_id="2")


@given(st.lists(st.tuples(NAMES, NAMES, NAMES, NAMES), min_size=2, max_size=2, unique=True))
def test_no_two_owners_share_an_id(owners: list[tuple[str, str, str, str]]) -> None:
    first, second = (
        ChunkIds(
            {
                "project_id": project,
                "integration": integration,
                "sync_type": sync_type,
                "object_id": f"file:{record}.",
            }
        ).of("text")
        for project, integration, sync_type, record in owners
    )
    assert first != second


def test_a_table_becomes_html_with_its_header_and_its_characters() -> None:
    assert small_tables_html(f"# Travel\n\n{TABLE}\nEnd.") == (
        "<table><tr><th>City</th><th>Limit</th></tr>"
        "<tr><td>Oslo | Bergen</td><td>&lt; 200</td></tr></table>"
    )


def test_several_tables_follow_each_other() -> None:
    assert small_tables_html(f"{TABLE}\n{TABLE}").count("<table>") == 2


def test_there_is_nothing_where_there_is_no_table_or_where_it_is_code() -> None:
    assert small_tables_html("a | b\n\n| c |\n") == ""
    assert small_tables_html(f"```\n{TABLE}```\n") == ""


def test_large_tables_stay_in_the_text_alone() -> None:
    assert small_tables_html(TABLE + "| Rome | 100 |\n" * MAX_TABLE_CHARACTERS) == ""
