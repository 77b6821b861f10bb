"""Title and headings go into the vector with the text, once and in a bounded number of tokens."""

from __future__ import annotations

import pytest

from managed_sync.documents import Chunk
from managed_sync.documents.chunking.encodings import load_encoding
from managed_sync.errors import ConfigurationError
from managed_sync.indexing.targets.embedded_text import MAX_CONTEXT_TOKENS, EmbeddedText

PATH = "Travel > Hotels > Germany"


def chunk(text: str, **metadata: str | int) -> Chunk:
    return Chunk(text, {"object_id": "file:1", "chunk_id": "1", **metadata})


def tokens(text: str) -> int:
    return len(load_encoding("cl100k_base").encode_ordinary(text))


@pytest.mark.parametrize(
    ("embeds", "embedded"),
    [
        (("title", "headings"), "Rules 2026\nTravel > Hotels > Germany\n\nAt most EUR 140."),
        (("headings", "title"), "Rules 2026\nTravel > Hotels > Germany\n\nAt most EUR 140."),
        (["title"], "Rules 2026\n\nAt most EUR 140."),
        (("headings",), "Travel > Hotels > Germany\n\nAt most EUR 140."),
        ((), "At most EUR 140."),
    ],
)
def test_what_is_embedded_is_chosen(embeds: tuple[str, ...], embedded: str) -> None:
    part = chunk("At most EUR 140.", title="Rules 2026.docx", heading=PATH)

    assert EmbeddedText(embeds)(part) == embedded


def test_rows_keep_their_header_above_them() -> None:
    rows = chunk("| Berlin | 140 |", title="Rules", table_header="| City | EUR |")

    assert EmbeddedText()(rows) == "Rules\n\n| City | EUR |\n| Berlin | 140 |"


@pytest.mark.parametrize(
    ("text", "context"),
    [
        ("# Travel\n\n## Hotels\n\n### Germany\n\nAt most EUR 140.", ""),
        ("### Germany\n\nAt most EUR 140.", "travel\nHotels"),
        ("TRAVEL: all you need", "Hotels > Germany"),
        ("It is cold.\n\n## Hotels\n\nAt most EUR 140.", "travel\nGermany"),
        ("Traveling is expensive.", "Travel\nHotels > Germany"),
    ],
)
def test_a_name_that_the_text_begins_with_is_not_repeated(text: str, context: str) -> None:
    part = chunk(text, title="travel.pdf", heading=PATH)

    found = EmbeddedText()(part)

    assert found.removesuffix(text).strip().casefold() == context.casefold()


def test_of_several_headings_those_that_are_not_in_the_text_are_embedded() -> None:
    both = chunk("Ask first.\n\n## Meals\n\nEUR 40 a day.", heading="Travel > Hotels; Meals")

    assert EmbeddedText()(both) == f"Travel > Hotels\n\n{both.text}"


def test_long_names_are_cut_and_the_text_never_is() -> None:
    text = "At most EUR 140. " * 100
    deep = " > ".join(f"Section {number} of the rules" for number in range(40))
    embedded = EmbeddedText()

    for title in ("word " * 200, "語" * 2_000, "x" * 50_000, "Plan.docx"):
        for heading in (deep, "heading " * 300, "📎" * 500, ""):
            found = embedded(chunk(text, title=title, heading=heading))
            assert found.endswith(f"\n\n{text}")
            assert 0 < tokens(found) - tokens(text) <= MAX_CONTEXT_TOKENS
    assert "Section 39 of the rules\n\nAt" in embedded(chunk(text, title="Plan", heading=deep))


@pytest.mark.parametrize(("count", "most"), [(100, 64), (480, 32), (500, 0), (512, 0), (800, 64)])
def test_a_chunk_that_fits_a_common_model_still_does_with_its_names(count: int, most: int) -> None:
    long = chunk("Text.", title="word " * 90, heading="heading " * 90, token_count=count)

    context = EmbeddedText()(long).removesuffix("Text.")

    assert tokens(context) <= most
    assert bool(context) == bool(most)


def test_only_names_change_it() -> None:
    embedded = EmbeddedText()
    before = embedded(chunk("Text.", title="Plan", url="https://a", page=1, part="a"))

    assert embedded(chunk("Text.", title="Plan", url="https://b", page=2, part="b")) == before
    assert embedded(chunk("Text.", title="Plans", url="https://a", page=1, part="a")) != before


@pytest.mark.parametrize("wrong", ["title", ("title", "url"), ["heading"]])
def test_other_metadata_is_refused(wrong: object) -> None:
    with pytest.raises(ConfigurationError, match="embeds must be a tuple of 'title' and"):
        EmbeddedText(wrong)  # type: ignore[arg-type]
