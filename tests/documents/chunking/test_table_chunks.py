"""Chunks of tables: cut between rows, each with the names of its columns."""

from __future__ import annotations

import re
from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from managed_sync.documents import Chunk, Chunker, SourceDocument
from managed_sync.documents.chunking.tokens import Tokenizer
from managed_sync.documents.parsing import markdown_writer as markdown
from tests.documents.growth import assert_ends
from tests.support.draws import draws

TOKENS = Tokenizer("cl100k_base")
HEADER = "| No. | Item | Unit |"
DELIMITER = "| --- | --- | --- |"

cells = st.sampled_from(
    [
        "",
        "1.2.",
        "Cable Ltd. type 3",
        "机器人每天工作。会停吗？",
        "a | b",
        "pcs.",
        "x" * 60,
        "no end. " * 12,
    ]
)
tables = (
    st.integers(1, 5)
    .flatmap(
        lambda width: st.lists(
            st.lists(cells, min_size=width, max_size=width), min_size=2, max_size=30
        )
    )
    .map(markdown.table)
)
documents = st.lists(
    tables
    | st.sampled_from(["# Part", "Prose. It ends here.", "\f", "- item", "```\n| code |\n```"]),
    min_size=1,
    max_size=6,
).map("\n\n".join)
sizes = st.sampled_from([(24, 0), (48, 12), (96, 95), (512, 64)])


def split(text: str, size: int, overlap: int, **metadata: str) -> list[Chunk]:
    document = SourceDocument(text, {"object_id": "file:1", **metadata})
    chunks = Chunker(size, overlap).split(document)
    # Most tests say what holds for every chunk, which no chunks at all would satisfy.
    assert bool(chunks) == bool(text.strip())
    return chunks


def priced(rows: int, name: str = "Cable tray Ltd.") -> str:
    """A table of short rows with full stops in them."""
    lines = [f"| 1.{number}. | {name} type {number} | pcs. |" for number in range(rows)]
    return "\n".join([HEADER, DELIMITER, *lines])


def span(chunk: Chunk) -> tuple[int, int]:
    return int(chunk.metadata["start_char"]), int(chunk.metadata["end_char"])


def rows_of(text: str) -> list[tuple[int, int]]:
    """The rows of a text as this module makes them, outside of code."""
    found = [match.span() for match in re.finditer(r"^\|.*\|$", text.replace("\f", "\n"), re.M)]
    code = [match.span() for match in re.finditer(r"```\n.*?\n```", text, re.S)]
    return [row for row in found if not any(low <= row[0] < high for low, high in code)]


@settings(deadline=None, max_examples=draws(10))
@given(documents, sizes)
def test_a_row_that_fits_is_never_cut_and_overlap_begins_with_a_row(
    text: str, size: tuple[int, int]
) -> None:
    rows, before = rows_of(text), 0
    for chunk in split(text, *size):
        start, end = span(chunk)
        for first, last in rows:
            if first < start < last or first < end < last:
                assert TOKENS.count(text[first:last]) > size[0]
            assert not first < start < min(last, before)
        before = end


@settings(deadline=None, max_examples=draws(10))
@given(documents, sizes)
def test_a_chunk_with_its_header_fits_and_the_header_is_that_of_its_table(
    text: str, size: tuple[int, int]
) -> None:
    rows = rows_of(text)
    for chunk in split(text, *size):
        start, end = span(chunk)
        assert text[start:end] == chunk.text
        header = chunk.metadata.get("table_header")
        inside = [row for row in rows if row[0] <= start < row[1]]
        if not inside:
            assert header is None
        if header is None:
            continue
        assert TOKENS.count(f"{header}\n{chunk.text}") <= size[0]
        if start == inside[0][0]:
            # Up from the first row of the chunk to the first of its table.
            first = start
            while any(row[1] == first - 1 for row in rows):
                first = next(row[0] for row in rows if row[1] == first - 1)
            names = re.split(r"(?<!\\)\|", text[first : text.index("\n", first)])
            given_names = re.split(r"(?<!\\)\|", str(header))
            assert first < start
            for name, shown in zip(names, given_names[:-1], strict=False):
                assert name.strip().startswith(shown.strip().rstrip("…").strip())


@pytest.mark.parametrize("overlap", [0, 24, 60])
@pytest.mark.parametrize("before", ["", "# Prices\n\n", "Prose. More of it.\n\n", "Page\n\n\f"])
def test_every_chunk_of_a_table_has_the_names_of_its_columns(before: str, overlap: int) -> None:
    chunks = split(f"{before}{priced(120)}\n\nThe end.", 128, overlap)
    assert len(chunks) > 15
    first = next(number for number, chunk in enumerate(chunks) if HEADER in chunk.text)
    assert all("table_header" not in chunk.metadata for chunk in chunks[: first + 1])
    for chunk in chunks[first + 1 :]:
        assert chunk.metadata["table_header"] == HEADER
        assert HEADER not in chunk.text
        line = chunk.text.partition("\n")[0]
        assert re.fullmatch(r"\| 1\.\d+\. \| Cable tray Ltd\. type \d+ \| pcs\. \|", line)
    overlapping = sum(span(after)[0] < span(one)[1] for one, after in pairwise(chunks))
    assert overlapping == (len(chunks) - 1 - first if overlap else 0)


def test_overlap_does_not_begin_in_a_row_that_is_longer_than_it() -> None:
    row = "| " + "It says one thing. " * 12  # as in drawings: without a last bar
    text = f"{HEADER}\n{DELIMITER}\n{row}\n{row}\nProse right below the table. " + "More. " * 90
    chunks = split(text, 96, 24)
    assert [chunk.text.split()[1] for chunk in chunks] == ["No.", "It", "right", "More.", "More."]
    assert chunks[1].text.startswith("| It")
    assert all(len(chunk.text) > 100 for chunk in chunks)


def test_a_table_without_names_gives_no_header() -> None:
    text = "\n".join(f"| row {number} | some value |" for number in range(100))
    chunks = split(text, 64, 8)
    assert len(chunks) > 10
    assert all("table_header" not in chunk.metadata for chunk in chunks)


def test_the_chunk_after_a_table_has_no_header() -> None:
    chunks = split(f"{priced(30)}\n\n" + "A sentence after the table. " * 40, 96, 12)
    assert "table_header" in chunks[1].metadata
    for chunk in chunks:
        assert ("table_header" in chunk.metadata) == chunk.text.startswith("| 1.")


def test_a_row_that_is_too_long_is_cut_between_cells_with_the_names_of_these() -> None:
    names = [f"name {number}" for number in range(40)]
    values = [f"value {number} of the row" for number in range(40)]
    text = markdown.table([names, values, values])
    chunks = split(text, 96, 16)
    pieces = [
        chunk
        for chunk in chunks
        if chunk.text.startswith("| value") and "| value 0 " not in chunk.text
    ]
    assert len(pieces) > 6
    for chunk in pieces:
        columns = re.findall(r"value (\d+)", chunk.text)
        assert re.findall(r"name (\d+)", str(chunk.metadata["table_header"])) == columns
    assert all(re.fullmatch(r"(\| (value|name) .*|\| ---.*)", c.text, re.S) for c in chunks)


def test_a_cell_that_is_too_long_is_cut_as_text() -> None:
    text = markdown.table([["No.", "Text"], ["1", "It says one thing. " * 60], ["2", "short"]])
    first, *chunks = split(text, 64, 8)
    assert first.text.startswith("| No. | Text |")
    assert chunks[0].text.startswith("| 1 | It says")
    assert chunks[0].metadata["table_header"] == "| No. | Text |"
    for chunk in chunks[1:-1]:
        assert chunk.text.startswith("It says")
        assert chunk.text.endswith((".", "|"))
        assert chunk.metadata["table_header"] == "| Text |"
    assert chunks[-1].text == "| 2 | short |"
    assert chunks[-1].metadata["table_header"] == "| No. | Text |"


def test_a_long_header_is_shortened_to_half_a_chunk() -> None:
    names = [f"{'a long name ' * 8}{number}" for number in range(30)]
    text = markdown.table([names, *[["1"] * 30] * 40])
    rows = [chunk for chunk in split(text, 256, 0) if chunk.text.startswith("| 1")]
    assert len(rows) > 10
    for chunk in rows:
        header = str(chunk.metadata["table_header"])
        assert 64 < TOKENS.count(header) <= 128
        assert header.startswith("| a long name a long name")
        assert "…" in header


def test_no_row_is_cut_for_its_header() -> None:
    row = f"| {'word ' * 50}| 2 |"
    text = "\n".join(["| Many | Names |", "| --- | --- |", *[row] * 4])
    chunks = split(text, TOKENS.count(row) + 4, 0)
    assert [chunk.text for chunk in chunks[1:]] == [row] * 4
    for chunk in chunks[1:]:
        assert str(chunk.metadata.get("table_header", "")) in {"", "| Many |"}


def test_the_ids_of_rows_do_not_depend_on_the_header() -> None:
    renamed = priced(100).replace("Unit", "Unity")
    before, after = split(priced(100), 128, 16), split(renamed, 128, 16)
    assert [chunk.chunk_id for chunk in before[1:]] == [chunk.chunk_id for chunk in after[1:]]
    assert {chunk.metadata["table_header"] for chunk in after[1:]} == {"| No. | Item | Unity |"}


def test_tables_as_html_have_their_header_in_every_chunk() -> None:
    chunks = split(priced(60), 128, 16, tables_html="<table/>")
    assert len(chunks) > 5
    for chunk in chunks:
        html = str(chunk.metadata["tables_html"])
        assert html.startswith("<table><tr><th>No.</th><th>Item</th><th>Unit</th></tr><tr><td>1.")
        assert html.count("<tr>") == 1 + chunk.text.count("| 1.")


def test_chunks_that_are_split_again_do_not_keep_the_header() -> None:
    chunk = split(priced(60), 128, 16)[1]
    again = Chunker().split(SourceDocument("Other text.", chunk.metadata))
    assert "table_header" not in again[0].metadata


@pytest.mark.parametrize(
    "text",
    [
        priced(10_000),
        "|" * 300_000,
        f"{HEADER}\n{DELIMITER}\n| " + "cell | " * 100_000,
        f"| {'name | ' * 20_000}\n|{' --- |' * 20_000}\n" + "| a | b |\n" * 20_000,
        f"{HEADER}\n{DELIMITER}\n" + ("| " + "some words. " * 400 + "|\n") * 50,
    ],
    ids=["rows", "bars", "one row", "a long header", "long cells"],
)
def test_tables_of_any_shape_take_linear_time(text: str) -> None:
    assert_ends(lambda: split(text, 512, 64))
