"""An excerpt shows the sentence that answers, wherever in the passage it is."""

from __future__ import annotations

import pytest

from managed_sync.cli.excerpts import answering_excerpt

PASSAGE = """# Hotel limits

The company books trains first. Flights need a reason.

| City | Limit |
| --- | --- |
| Hamburg | EUR 155 |
| Lyon | EUR 140 |

Breakfast is not part of the limit. Guests are invited by managers."""


@pytest.mark.parametrize(
    ("question", "excerpt"),
    [
        ("What is the limit in Hamburg?", "… | Hamburg | EUR 155 | …"),
        ("Who invites guests?", "… Guests are invited by managers."),
        ("What are the hotel limits?", None),
    ],
)
def test_the_sentence_that_answers_is_shown(question: str, excerpt: str | None) -> None:
    shown = answering_excerpt(question, PASSAGE, 40)
    assert len(shown) <= 40
    assert shown == excerpt or (excerpt is None and "#" not in shown)


def test_sentences_around_it_fill_the_space() -> None:
    shown = answering_excerpt("Who invites guests?", PASSAGE, 400)
    assert shown.startswith("Hotel limits The company books")
    assert shown.endswith("Guests are invited by managers.")
    assert "---" not in shown


@pytest.mark.parametrize("text", ["", "\n#\n", "| --- |"])
def test_a_passage_without_words_has_an_empty_excerpt(text: str) -> None:
    assert answering_excerpt("Who?", text, 40) == ""
