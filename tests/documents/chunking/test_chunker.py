from __future__ import annotations

import itertools
import re
import subprocess
import sys
import unicodedata
import uuid
from collections.abc import Iterator

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from managed_sync.documents import Chunk, Chunker, SourceDocument, SplitPiece
from managed_sync.documents.chunking.chunk_metadata import ChunkIds
from managed_sync.documents.chunking.tokens import Tokenizer
from managed_sync.documents.model import storable
from managed_sync.errors import ConfigurationError, InvalidIdentifierError
from tests.documents.growth import assert_ends
from tests.documents.hard_texts import texts as any_texts
from tests.support.draws import draws

TOKENS = Tokenizer("cl100k_base")
sizes = st.sampled_from([(16, 0), (16, 5), (24, 23), (40, 10), (512, 64)])
encodings = st.sampled_from(["cl100k_base", "o200k_base"])
paragraphs = st.lists(
    st.sampled_from(
        [
            "Le bras bouge.",
            "机器人每天工作。",
            "الروبوت يعمل.",
            "הרובוט עובד.",
            "หุ่นยนต์ทำงาน",
            "🤖 e\u0301.",
        ]
    ),
    min_size=1,
    max_size=60,
).map(" ".join)
# As a document keeps them.
texts = any_texts.map(storable)


def document(text: str, object_id: str = "file:1") -> SourceDocument:
    return SourceDocument(text, {"object_id": object_id, "title": "T"})


def split(text: str, size: int = 512, overlap: int = 64) -> list[Chunk]:
    chunks = Chunker(size, overlap).split(document(text))
    # Most tests say what holds for every chunk, which no chunks at all would satisfy.
    assert bool(chunks) == bool(text.strip())
    return chunks


def span(chunk: Chunk) -> tuple[int, int]:
    return int(chunk.metadata["start_char"]), int(chunk.metadata["end_char"])


def whole_blocks(text: str) -> Iterator[tuple[int, int]]:
    """Tables and closed code blocks, found line by line."""
    at, start, fence = 0, None, ""
    for line in re.findall(r"[^\n\f]*[\n\f]|[^\n\f]+", text):
        marks = re.match(r" {0,3}(`{3,}|~{3,})", line)
        row = not fence and re.match(r"[^\S\n\f]*\|", line)
        end = at + len(line.rstrip())
        if fence and marks and marks[1].startswith(fence) and not line.strip().strip(fence[0]):
            yield start or 0, end
            start, fence = None, ""
        elif marks and not fence:
            start, fence = at + marks.start(1), marks[1]
        elif row:
            yield at + row.end() - 1 if start is None else start, end
            start = at + row.end() - 1 if start is None else start
        if line.endswith("\f") or not (fence or row):
            start, fence = None, ""
        at += len(line)


def is_between_words(text: str, at: int) -> bool:
    """Every character of Chinese and Japanese is a word, and every mark of theirs ends one."""
    if re.match("[\u3000-\u30ff\u4e00-\u9fff\uff01-\uff1f]", text[at - 1 : at]):
        return True
    following = text[at : at + 1]
    if "\U00020000" <= following <= "\U0003ffff":  # Ideographs, also of later Unicode versions.
        return True
    return (
        bool(following)
        and unicodedata.category(following) == "Lo"
        and unicodedata.east_asian_width(following) in {"W", "H"}
        and "HANGUL" not in unicodedata.name(following, "")
    )


def prose(sentences: int, about: str = "arm") -> str:
    return " ".join(f"Sentence {number} tells about the {about}." for number in range(sentences))


@settings(deadline=None, max_examples=draws(20))
@given(texts, sizes)
def test_offsets_size_and_coverage_hold_for_every_text(text: str, size: tuple[int, int]) -> None:
    covered = bytearray(len(text))
    chunks = split(text, *size)
    for index, chunk in enumerate(chunks):
        start, end = span(chunk)
        assert text[start:end] == chunk.text == chunk.text.strip() != ""
        tokens = TOKENS.count(chunk.text)
        assert chunk.metadata["token_count"] == tokens
        assert tokens <= size[0] or len(chunk.text) == 1
        assert chunk.metadata["chunk_index"] == index
        covered[start:end] = b"\1" * (end - start)
    assert all(seen or text[at].isspace() for at, seen in enumerate(covered))
    assert [span(chunk) for chunk in chunks] == sorted(span(chunk) for chunk in chunks)


@settings(deadline=None, max_examples=draws(20))
@given(texts, sizes)
def test_no_word_is_cut_that_is_not_longer_than_a_chunk(text: str, size: tuple[int, int]) -> None:
    words = [match.span() for match in re.finditer(r"\S+", text)]
    long = [word for word in words if TOKENS.count(text[slice(*word)]) > size[0]]
    for chunk in split(text, *size):
        for edge in span(chunk):
            if is_between_words(text, edge):
                continue
            if any(start < edge < end for start, end in words):
                assert any(start < edge < end for start, end in long)


@settings(deadline=None, max_examples=draws(13))
@given(texts, sizes)
def test_a_chunk_repeats_no_more_of_the_one_before_than_the_overlap(
    text: str, size: tuple[int, int]
) -> None:
    chunks = split(text, *size)
    for before, after in itertools.pairwise(chunks):
        start, end = span(after)[0], span(before)[1]
        if start < end:
            assert TOKENS.count(text[start:end]) <= size[1]
            assert text[start - 1].isspace() or is_between_words(text, start)
        assert span(after)[1] > end


@settings(deadline=None, max_examples=draws(13))
@given(texts, encodings)
def test_sizes_hold_with_every_encoding(text: str, encoding: str) -> None:
    tokenizer = Tokenizer(encoding)
    chunks = Chunker(24, 8, encoding).split(document(text))
    assert bool(chunks) == bool(text.strip())
    for chunk in chunks:
        assert chunk.metadata["token_count"] == tokenizer.count(chunk.text)
        assert tokenizer.count(chunk.text) <= 24 or len(chunk.text) == 1


@settings(deadline=None, max_examples=draws(20))
@given(texts, sizes)
def test_a_table_or_code_block_that_fits_stands_whole_in_a_chunk(
    text: str, size: tuple[int, int]
) -> None:
    spans = [span(chunk) for chunk in split(text, *size)]
    # Of a table's rows the last one ends it.
    for start, end in dict(whole_blocks(text)).items():
        if TOKENS.count(text[start:end]) <= size[0]:
            assert any(first <= start and end <= last for first, last in spans)


@settings(deadline=None, max_examples=draws(10))
@given(st.lists(paragraphs, min_size=2, max_size=12), st.data())
def test_an_edit_changes_only_chunks_of_the_section_it_is_in(
    contents: list[str], data: st.DataObject
) -> None:
    # No two sections have a passage in common: equal ones are numbered throughout the document.
    def whole(parts: list[str]) -> str:
        unlike = (re.sub(r"\S+", rf"\g<0>{at}", part) for at, part in enumerate(parts))
        return "".join(f"# Part {at}\n\n{part}\n\n" for at, part in enumerate(unlike))

    at = data.draw(st.integers(0, len(contents) - 1))
    edited = [*contents[:at], data.draw(paragraphs), *contents[at + 1 :]]
    before, after = split(whole(contents), 40, 8), split(whole(edited), 40, 8)
    changed = {chunk.chunk_id for chunk in before} ^ {chunk.chunk_id for chunk in after}
    touched = [chunk for chunk in [*before, *after] if chunk.chunk_id in changed]
    assert {chunk.metadata["heading"] for chunk in touched} <= {f"Part {at}"}


@settings(deadline=None, max_examples=draws(13))
@given(texts, sizes)
def test_ids_are_unique_and_the_same_every_time(text: str, size: tuple[int, int]) -> None:
    ids = [chunk.chunk_id for chunk in split(text, *size)]
    assert len(set(ids)) == len(ids)
    assert ids == [chunk.chunk_id for chunk in split(text, *size)]


def test_an_id_is_the_same_on_every_machine_and_in_every_release() -> None:
    (chunk,) = split("The arm moves.")
    assert chunk.chunk_id == "ab00be57-afb1-5537-beb0-926b8a2634f4"


def test_an_id_is_a_uuid_of_object_number_and_text() -> None:
    namespace = uuid.UUID("5f0c1d5e-3a44-5b0e-9a0e-0d7c7a9f4b1d")
    ids = ChunkIds({"object_id": "file:é"})
    for number, text in enumerate(["Same\ud800."] * 20):
        name = f"file:é\n{number}\n{text}".replace("\ud800", "\ufffd")
        assert ids.of(text) == str(uuid.uuid5(namespace, name))


@pytest.mark.parametrize("named_after", ["record_id", "source_id"])
def test_a_record_does_not_change_the_ids_of_an_object_that_is_named_after_it(
    named_after: str,
) -> None:
    alone = ChunkIds({"object_id": "file:1"}).of("The arm moves.")

    names = {"record_id": "another", "source_id": "another", named_after: "1"}
    assert ChunkIds({"object_id": "file:1", **names}).of("The arm moves.") == alone


def test_equal_texts_in_two_records_of_one_object_have_two_ids() -> None:
    ids = {
        ChunkIds({"object_id": "page:1", "record_id": record}).of("The arm moves.")
        for record in ("1", "2", "3")
    }
    assert len(ids) == 3


def test_another_process_gives_the_same_ids() -> None:
    code = (
        "from managed_sync.documents import Chunker, SourceDocument\n"
        "text = '# A\\n\\n' + 'The arm moves. ' * 200\n"
        "for chunk in Chunker(64, 8).split(SourceDocument(text, {'object_id': 'file:1'})):\n"
        "    print(chunk.chunk_id)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    here = split("# A\n\n" + "The arm moves. " * 200, 64, 8)
    assert done.stdout.split() == [chunk.chunk_id for chunk in here]


def test_metadata_changed_behind_its_back_make_no_unchecked_chunk() -> None:
    changed = document("The arm moves.")
    changed.metadata.pop("object_id")  # type: ignore[attr-defined]
    with pytest.raises(InvalidIdentifierError):
        Chunker().split(changed)


def test_a_table_or_code_block_that_fits_is_not_cut_for_what_stands_before_it() -> None:
    code = "```\n" + "call(1)\n" * 30 + "```"
    table = "| a | b |\n| --- | --- |\n" + "| 1 | 2 |\n" * 15
    for block in (code, table.rstrip()):
        chunks = split(f"{prose(4)}\n\n{block}\n\n{prose(30)}", 140, 16)
        assert any(block in chunk.text for chunk in chunks)


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


def test_a_tiny_section_shares_a_chunk_with_what_is_below_it_and_has_both_headings() -> None:
    chunks = split(f"# Title\n\n## Part\n\n{prose(30)}\n\n# Next\n\n{prose(30)}")
    assert [chunk.metadata["heading"] for chunk in chunks] == ["Title > Part", "Next"]


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


def test_the_page_is_that_of_a_chunks_own_text_and_not_of_what_it_repeats() -> None:
    text = f"{prose(10, 'arm')}\n\n\f{prose(12, 'leg')}\n\n\f{prose(12, 'head')}"
    chunks, covered = split(text, 64, 16), 0
    assert any("arm" in chunk.text and "leg" in chunk.text for chunk in chunks)
    for chunk in chunks:
        own = text[covered : span(chunk)[1]].lstrip()
        assert chunk.metadata["page"] == 1 + ["arm", "leg", "head"].index(
            re.search("arm|leg|head", own)[0]  # type: ignore[index]
        )
        covered = span(chunk)[1]


@pytest.mark.parametrize(
    ("marks", "heading"),
    [
        (["#", "##"], "T0 > T1"),
        (["#", "##", "##"], "T0 > T1; T2"),
        (["#", "##", "###", "##"], "T0 > T1 > T2; T3"),
        (["#", "#"], "T0; T1"),
        (["##", "###", "##"], "T0 > T1; T2"),
        (["#", "###", "##"], "T0 > T1; T2"),
    ],
)
def test_a_chunk_of_several_sections_has_the_headings_of_all(
    marks: list[str], heading: str
) -> None:
    text = "".join(f"{mark} T{number}\n\nShort.\n\n" for number, mark in enumerate(marks))
    (chunk,) = split(text)
    assert chunk.metadata["heading"] == heading


@settings(deadline=None, max_examples=draws(13))
@given(
    st.lists(st.tuples(st.sampled_from(["#", "##", "###"]), st.integers(0, 30)), max_size=12),
    sizes,
)
def test_headings_are_those_above_and_in_a_chunks_own_text(
    sections: list[tuple[str, int]], size: tuple[int, int]
) -> None:
    text = "".join(
        f"{mark} Title {number}\n\n{prose(words)}\n\n"
        for number, (mark, words) in enumerate(sections)
    )
    covered = 0
    for chunk in split(text, *size):
        own = covered + len(text[covered:]) - len(text[covered:].lstrip())
        covered = span(chunk)[1]
        # With what follows a mark on its line.
        above, until = text.index("\n", own), text.index("\n", covered - 1)
        headings = list(re.finditer(r"^#+ (Title \d+)$", text[:until], re.M))
        *before, last = [found for found in headings if found.start() < above]
        within = [found[1] for found in headings if found.start() >= above]
        named = re.split("; | > ", str(chunk.metadata["heading"]))
        assert named[len(named) - len(within) - 1 :] == [last[1], *within]
        assert set(named) <= {*(found[1] for found in before), last[1], *within}


@settings(deadline=None, max_examples=draws(13))
@given(
    st.lists(
        st.sampled_from(
            [
                "机器人每天工作。",
                "它会停吗？",
                "ロボットは毎日、工場で動く。",
                "「止まらない！」",
                "部品は３．５個｡",
            ]
        ),
        min_size=40,
        max_size=80,
    ),
    st.sampled_from(["", "\n\n"]),
)
def test_chunks_without_spaces_repeat_and_end_with_whole_sentences(
    sentences: list[str], gap: str
) -> None:
    text = "".join(sentences[:20]) + gap + "".join(sentences[20:])
    starts = {0}
    for sentence in sentences:
        starts.add(max(starts) + len(sentence))
    starts = {
        start + (len(gap) if start >= len("".join(sentences[:20])) else 0) for start in starts
    }
    chunks = split(text, 64, 24)
    assert len(chunks) > 3
    for before, after in itertools.pairwise(chunks):
        assert span(after)[0] in starts
        assert span(before)[1] in starts | {start - len(gap) for start in starts}
        assert span(after)[0] < span(before)[1]


@pytest.mark.parametrize(
    ("sentence", "end"),
    [
        ("यह अनुबंध तीन वर्ष तक मान्य रहेगा। ", "।"),
        ("هل يسري هذا العقد لمدة ثلاث سنوات؟ ", "؟"),
        ("یہ معاہدہ تین سال تک رہے گا۔ ", "۔"),
        ("ይህ ውል ለሦስት ዓመታት ይቆያል። ", "።"),
        ("កិច្ចសន្យានេះមានរយៈពេលបីឆ្នាំ។", "។"),
        ("本合同有效期为三年。", "。"),
        ("本契約の有効期間は三年とする。", "。"),
    ],
)
def test_chunks_end_at_the_sentence_ends_of_their_script(sentence: str, end: str) -> None:
    chunks = split(sentence * 40, 256, 100)
    assert len(chunks) > 1
    for before, after in itertools.pairwise(chunks):
        assert before.text.endswith(end)
        assert after.text.startswith(sentence.strip())
        assert span(after)[0] < span(before)[1]


def test_long_clauses_without_spaces_are_cut_at_commas_and_between_characters() -> None:
    clauses = split("在这个很长的句子里面没有句号，" * 60, 64, 24)
    assert len(clauses) > 10
    assert all(chunk.text.endswith("，") for chunk in clauses)
    assert all(span(b)[0] < span(a)[1] for a, b in itertools.pairwise(clauses))
    bare = split("这个很长的句子里面没有任何标点符号" * 60, 64, 24)
    assert len(bare) > 10
    assert all(span(b)[0] < span(a)[1] for a, b in itertools.pairwise(bare))


def test_no_character_is_cut_from_its_marks() -> None:
    for character in ("e\u0301\u0323", "👩\u200d🔧", "กิ่"):
        for size in range(16, 32):
            chunks = split(character * 100, size, 0)
            assert len(chunks) > 5
            assert all(chunk.text.startswith(character[0]) for chunk in chunks)


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
    (chunk,) = split(text)
    assert chunk.text == text.strip()
    assert "heading" not in chunk.metadata


def test_chunks_end_at_paragraphs_and_sentences_where_they_can() -> None:
    paragraph = prose(7)
    chunks = split("\n\n".join([paragraph] * 20), 128, 0)
    assert [chunk.text for chunk in chunks] == ["\n\n".join([paragraph] * 2)] * 10
    chunks = split(prose(200), 100, 20)
    assert len(chunks) > 15
    assert all(chunk.text.startswith("Sentence") for chunk in chunks)
    assert all(chunk.text.endswith("tells about the arm.") for chunk in chunks)


def test_rows_of_a_table_are_not_torn_apart() -> None:
    rows = "\n".join(f"| row {number} | some value | another value |" for number in range(200))
    text = f"| a | b | c |\n| --- | --- | --- |\n{rows}"
    chunks = split(text, 128, 0)
    assert len(chunks) > 15
    assert [line for chunk in chunks for line in chunk.text.split("\n")] == text.split("\n")


def test_metadata_of_the_document_is_on_every_chunk() -> None:
    chunks = split(prose(300))
    assert len(chunks) > 3
    assert all(chunk.metadata["title"] == "T" for chunk in chunks)
    assert all(chunk.object_id == "file:1" for chunk in chunks)


def test_a_chunk_has_the_tables_that_are_in_it_as_html_and_no_others() -> None:
    places = f"# Places\n\n{prose(20)}\n\n| City |\n| --- |\n| Oslo |\n\n"
    rules = f"# Rules\n\n{prose(20)}"
    whole = SourceDocument(places + rules, {"object_id": "file:1", "tables_html": "<table/>"})
    chunker = Chunker(512, 0)
    html = "<table><tr><th>City</th></tr><tr><td>Oslo</td></tr></table>"
    for chunks in (
        chunker.split(whole),
        chunker.from_splits(
            whole,
            [SplitPiece(places, {}, 0), SplitPiece(rules, {"tables_html": "<table/>"})],
        ),
    ):
        assert [chunk.metadata.get("tables_html") for chunk in chunks] == [html, None]
    assert "tables_html" not in split(places)[0].metadata, "nor any that the document has not"


@pytest.mark.parametrize("text", ["", " \n\t\f "])
def test_a_text_of_white_space_has_no_chunks(text: str) -> None:
    assert split(text) == []


def test_halves_of_surrogate_pairs_do_no_harm() -> None:
    text = "before \ud83d after " * 50
    chunks = split(text, 32, 4)
    assert len(chunks) > 5
    for chunk in chunks:
        start, end = span(chunk)
        assert storable(text)[start:end] == chunk.text


@pytest.mark.parametrize(("size", "overlap"), [(0, 0), (-1, 0), (8, 8), (8, 9), (8, -1)])
def test_sizes_that_make_no_sense_are_refused(size: int, overlap: int) -> None:
    with pytest.raises(ConfigurationError, match="chunk_"):
        Chunker(size, overlap)


@pytest.mark.parametrize(
    "text",
    [
        "\n\n".join(prose(8) for _ in range(4_000)),
        "x" * 300_000,
        "机器人每天工作。" * 40_000,
        "ab\n" * 100_000,
        "# a\n" * 20_000,
        ")" * 300_000,
        "」" * 300_000,
    ],
    ids=["prose", "one word", "no spaces", "lines", "headings", "brackets", "quotes"],
)
def test_large_texts_take_seconds(text: str) -> None:
    assert_ends(lambda: split(text))
