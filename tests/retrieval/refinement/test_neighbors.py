"""Passages joined with their neighbors: what is joined, and what is not."""

from __future__ import annotations

from contextlib import nullcontext

import pytest

from managed_sync.documents import ChunkPlace
from managed_sync.retrieval.ranking import Hit
from managed_sync.retrieval.refinement.neighbors import Expansion, Passage, joined

TEXT = "The first sentence. The second one. The third is last."
OWN = {"object_id": "file:1", "project_id": "p1", "record_id": "r1"}


def chunk(index: int, start: int, end: int, **more: object) -> Passage:
    metadata = {**OWN, "chunk_index": index, "start_char": start, "end_char": end, **more}
    return Passage(TEXT[start:end], {"token_count": end - start, **metadata})


def test_text_that_chunks_share_is_there_once() -> None:
    before, passage, after = chunk(0, 0, 22), chunk(1, 12, 40), chunk(2, 35, 54)

    whole = joined(passage, [before, after], 1)

    assert whole.text == TEXT
    assert (whole.metadata["start_char"], whole.metadata["end_char"]) == (0, 54)


def test_chunks_that_touch_are_joined_without_a_break_and_others_with_one() -> None:
    assert joined(chunk(1, 19, 35), [chunk(0, 0, 19)], 1).text == TEXT[:35]
    assert joined(chunk(1, 20, 35), [chunk(0, 0, 19)], 1).text == f"{TEXT[:19]}\n\n{TEXT[20:35]}"


def test_several_neighbors_on_each_side() -> None:
    chunks = [chunk(n, 10 * n, 10 * n + 12) for n in range(5)]

    whole = joined(chunks[2], [chunks[4], chunks[0], chunks[1], chunks[3]], 2)

    assert whole.text == TEXT[:52]


def test_a_missing_neighbor_ends_the_text_on_its_side() -> None:
    chunks = [chunk(n, 10 * n, 10 * n + 10) for n in range(5)]

    assert joined(chunks[2], [chunks[0], chunks[3]], 2).text == TEXT[20:40]


def test_citations_stay_those_of_the_passage() -> None:
    passage = chunk(1, 20, 35, page=3, heading="Travel", chunk_id="c1", table_header="| A |")
    before = chunk(0, 0, 20, page=2, heading="Costs", chunk_id="c0")

    metadata = joined(passage, [before], 1).metadata

    assert [metadata[name] for name in ("page", "heading", "chunk_id")] == [3, "Travel", "c1"]
    assert metadata["token_count"] == 35
    # The text begins outside of the table now.
    assert "table_header" not in metadata


@pytest.mark.parametrize(
    "other",
    [
        {"object_id": "file:2"},
        {"project_id": "p2"},
        {"record_id": "r2"},
        {"part": "offer.pdf"},
        {"chunk_index": 3},
        {"chunk_index": 1},
        {"chunk_index": "0"},
    ],
)
def test_a_passage_of_another_object_project_or_part_is_never_joined(
    other: dict[str, object],
) -> None:
    passage = chunk(1, 20, 35)
    forged = Passage("secret", {**chunk(0, 0, 20).metadata, **other})

    assert joined(passage, [forged], 1) is passage


def test_without_offsets_texts_are_joined_with_a_break() -> None:
    passage = Passage("two", {**OWN, "chunk_index": 1})
    before = Passage("one", {**OWN, "chunk_index": 0})

    assert joined(passage, [before], 1).text == "one\n\ntwo"


def test_offsets_that_do_not_fit_the_texts_lose_nothing() -> None:
    before = Passage("something else", chunk(0, 0, 22).metadata)

    whole = joined(chunk(1, 12, 35), [before], 1)

    assert whole.text == f"something else\n\n{TEXT[12:35]}"


def test_two_hits_with_the_same_joined_text_are_returned_once_in_the_place_of_the_better() -> None:
    chunks = [chunk(0, 0, 20), chunk(1, 20, 54)]
    other = Passage("other", {"object_id": "file:2", "chunk_index": 0})

    class Source:
        def neighbors(self, place: ChunkPlace, distance: int) -> list[Passage]:
            return chunks if place.object_id == "file:1" else []

    hits = [
        Hit(each.metadata["object_id"], (number,), each)
        for number, each in enumerate([chunks[1], other, chunks[0]])
    ]
    expansion = Expansion(Source(), 1, lambda hit: hit.passage, lambda _, whole: whole, nullcontext)

    expanded = expansion.expand(hits)

    assert [hit.passage.text for hit in expanded] == [TEXT, "other"]
    assert [hit.identities for hit in expanded] == [(0,), (1,)]
