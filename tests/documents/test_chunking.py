from __future__ import annotations

import itertools
import re
import time

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from managed_sync.documents import Chunk, Chunker, SourceDocument
from managed_sync.documents.tokens import Tokenizer
from managed_sync.errors import ConfigurationError

TOKENS = Tokenizer("cl100k_base")
WORDS = [
    *["robot", "arm", "Sensor,", "calibrates.", "moves!", "weekly?", "42.5", "naïve", "Größe"],
    *[
        "робот",
        "двигается.",
        "机器人每天工作。",
        "ロボットは動く。",
        "الروبوت",
        "مرحبا",
        "🤖",
        "👩\u200d🔧",
    ],
    *["<|endoftext|>", "-", "|", "#", "```", "an-unbelievably-long-word-that-is-hyphenated"],
]
GAPS = [" ", " ", " ", "  ", "\n", "\n\n", "\n\n## Part\n\n", "\n# Top\n", "\f", "\n- ", "\n```\n"]
any_word = st.sampled_from(WORDS) | st.text(
    st.characters(exclude_categories=["Cs", "Cc", "Z"]), min_size=1, max_size=12
)
texts = st.lists(st.tuples(any_word, st.sampled_from(GAPS)), max_size=120).map(
    lambda pairs: "".join(word + gap for word, gap in pairs)
)
sizes = st.sampled_from([(16, 0), (16, 5), (24, 23), (40, 10), (512, 64)])


def document(text: str, object_id: str = "file:1") -> SourceDocument:
    return SourceDocument(text, {"object_id": object_id, "title": "T"})


def split(text: str, size: int = 512, overlap: int = 64) -> list[Chunk]:
    return Chunker(size, overlap).split(document(text))


def span(chunk: Chunk) -> tuple[int, int]:
    return int(chunk.metadata["start_char"]), int(chunk.metadata["end_char"])


def prose(sentences: int, about: str = "arm") -> str:
    return " ".join(f"Sentence {number} tells about the {about}." for number in range(sentences))


@settings(deadline=None, max_examples=200)
@given(texts, sizes)
def test_offsets_size_and_coverage_hold_for_every_text(text: str, size: tuple[int, int]) -> None:
    covered = bytearray(len(text))
    chunks = split(text, *size)
    for index, chunk in enumerate(chunks):
        start, end = span(chunk)
        assert text[start:end] == chunk.text == chunk.text.strip() != ""
        assert chunk.metadata["token_count"] == TOKENS.count(chunk.text) <= size[0]
        assert chunk.metadata["chunk_index"] == index
        covered[start:end] = b"\1" * (end - start)
    assert all(seen or text[at].isspace() for at, seen in enumerate(covered))
    assert [span(chunk) for chunk in chunks] == sorted(span(chunk) for chunk in chunks)


@settings(deadline=None, max_examples=200)
@given(texts, sizes)
def test_no_word_is_cut_that_is_not_longer_than_a_chunk(text: str, size: tuple[int, int]) -> None:
    words = [match.span() for match in re.finditer(r"\S+", text)]
    long = [word for word in words if TOKENS.count(text[slice(*word)]) > size[0]]
    for chunk in split(text, *size):
        for edge in span(chunk):
            if any(start < edge < end for start, end in words):
                assert any(start < edge < end for start, end in long)


@settings(deadline=None, max_examples=100)
@given(texts, sizes)
def test_a_chunk_repeats_no_more_of_the_one_before_than_the_overlap(
    text: str, size: tuple[int, int]
) -> None:
    chunks = split(text, *size)
    for before, after in itertools.pairwise(chunks):
        start, end = span(after)[0], span(before)[1]
        if start < end:
            assert TOKENS.count(text[start:end]) <= size[1]
            assert text[start - 1].isspace()
        assert span(after)[1] > end


@settings(deadline=None, max_examples=100)
@given(texts, sizes)
def test_ids_are_unique_and_the_same_every_time(text: str, size: tuple[int, int]) -> None:
    ids = [chunk.chunk_id for chunk in split(text, *size)]
    assert len(set(ids)) == len(ids)
    assert ids == [chunk.chunk_id for chunk in split(text, *size)]


def test_an_id_is_the_same_on_every_machine_and_in_every_release() -> None:
    (chunk,) = split("The arm moves.")
    assert chunk.chunk_id == "ab00be57-afb1-5537-beb0-926b8a2634f4"


def test_the_same_text_in_another_object_has_another_id() -> None:
    here, there = (
        Chunker().split(document("The arm moves.", name))[0] for name in ("file:1", "file:2")
    )
    assert here.chunk_id != there.chunk_id


def test_an_edit_changes_no_chunk_of_another_section() -> None:
    sections = [f"# Part {number}\n\n{prose(80, str(number))}\n\n" for number in range(20)]
    before = split("".join(sections), 128, 16)
    sections[10] = sections[10].replace("Sentence 40", "An entirely new sentence, number 40,")
    after = split("".join(sections), 128, 16)
    changed = {chunk.chunk_id for chunk in before} ^ {chunk.chunk_id for chunk in after}
    touched = [chunk for chunk in [*before, *after] if chunk.chunk_id in changed]
    assert touched
    assert {chunk.metadata["heading"] for chunk in touched} == {"Part 10"}


def test_an_edit_in_a_long_text_without_headings_stays_local() -> None:
    paragraphs = [prose(3 + number % 5, str(number)) for number in range(300)]
    before = {chunk.chunk_id for chunk in split("\n\n".join(paragraphs), 128, 16)}
    paragraphs[20] += " One more."
    after = {chunk.chunk_id for chunk in split("\n\n".join(paragraphs), 128, 16)}
    assert len(before - after) < 0.1 * len(before)


def test_a_heading_begins_a_chunk_and_gives_its_path() -> None:
    text = (
        f"# A\n\n{prose(20)}\n\n## B\n\n{prose(20)}\n\n### C\n\n{prose(20)}\n\n# D\n\n{prose(20)}"
    )
    chunks = split(text)
    assert [chunk.metadata["heading"] for chunk in chunks] == ["A", "A > B", "A > B > C", "D"]
    assert [chunk.text.partition("\n")[0] for chunk in chunks] == ["# A", "## B", "### C", "# D"]


def test_a_tiny_section_shares_a_chunk_with_what_is_below_it_and_keeps_its_heading() -> None:
    chunks = split(f"# Title\n\n## Part\n\n{prose(30)}\n\n# Next\n\n{prose(30)}")
    assert [chunk.metadata["heading"] for chunk in chunks] == ["Title", "Next"]


def test_a_tiny_last_part_does_not_swallow_the_next_chapter() -> None:
    chunks = split(f"# A\n\n{prose(30)}\n\n## End\n\nShort.\n\n# B\n\n{prose(30)}")
    assert [chunk.metadata["heading"] for chunk in chunks] == ["A", "A > End", "B"]


def test_a_text_without_headings_has_no_heading_and_no_page() -> None:
    (chunk,) = split("Just words.")
    assert "heading" not in chunk.metadata
    assert "page" not in chunk.metadata


def test_pages_are_counted_where_the_text_has_them() -> None:
    text = f"# One\n\n{prose(30)}\n\n\f# Two\n\nShort.\n\n\f# Three\n\n{prose(30)}"
    assert [(c.metadata["heading"], c.metadata["page"]) for c in split(text)] == [
        ("One", 1),
        ("Two", 2),
        ("Three", 3),
    ]


@pytest.mark.parametrize(
    "text",
    [
        "\\# escaped\n\nwords",
        "```\n# comment\n```\n\nwords",
        "#hashtag and words",
        "    # code by indentation",
    ],
)
def test_what_only_looks_like_a_heading_is_none(text: str) -> None:
    assert all("heading" not in chunk.metadata for chunk in split(text))


def test_chunks_end_at_paragraphs_and_sentences_where_they_can() -> None:
    paragraphs = "\n\n".join(prose(7) for _ in range(20))
    for chunk in split(paragraphs, 128, 0):
        assert chunk.text.endswith("tells about the arm.")
        assert chunk.text.startswith("Sentence")
    for chunk in split(prose(200), 100, 20):
        assert chunk.text.startswith("Sentence")


def test_rows_of_a_table_are_not_torn_apart() -> None:
    rows = "\n".join(f"| row {number} | some value | another value |" for number in range(200))
    for chunk in split(f"| a | b | c |\n| --- | --- | --- |\n{rows}", 128, 0):
        assert all(line.startswith("| ") and line.endswith(" |") for line in chunk.text.split("\n"))


def test_metadata_of_the_document_is_on_every_chunk() -> None:
    assert all(chunk.metadata["title"] == "T" for chunk in split(prose(300)))
    assert all(chunk.object_id == "file:1" for chunk in split(prose(300)))


@pytest.mark.parametrize("text", ["", " \n\t\f "])
def test_a_text_of_white_space_has_no_chunks(text: str) -> None:
    assert split(text) == []


def test_halves_of_surrogate_pairs_do_no_harm() -> None:
    text = "before \ud83d after " * 50
    for chunk in split(text, 32, 4):
        start, end = span(chunk)
        assert text[start:end] == chunk.text


@pytest.mark.parametrize(("size", "overlap"), [(0, 0), (-1, 0), (8, 8), (8, 9), (8, -1)])
def test_sizes_that_make_no_sense_are_refused(size: int, overlap: int) -> None:
    with pytest.raises(ConfigurationError, match="chunk_"):
        Chunker(size, overlap)


@pytest.mark.parametrize(
    "text",
    [
        "\n\n".join(prose(8) for _ in range(14_000)),
        "x" * 1_000_000,
        "机器人每天工作。" * 100_000,
        "ab\n" * 300_000,
        "# a\n" * 100_000,
    ],
    ids=["prose", "one word", "no spaces", "lines", "headings"],
)
def test_large_texts_take_seconds(text: str) -> None:
    started = time.perf_counter()
    chunks = split(text)
    assert chunks
    assert time.perf_counter() - started < 10
