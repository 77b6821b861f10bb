"""An answer made of the passages' own sentences: to the point, or none."""

from __future__ import annotations

import pytest

from examples.shared.answers import NOTHING_FOUND, Passage, citations, extractive_answer

DISCOUNT = "What hardware margin do we keep on the Nordfracht deal after the discount?"
MARGIN = "At 14 percent discount our hardware margin on this deal is 27.5 percent."


def passage(text: str, title: str = "A file") -> Passage:
    return text, {"object_id": "file:1", "title": title, "url": "https://x.example/1"}


def test_it_quotes_the_sentence_that_answers_with_the_number_of_its_passage() -> None:
    passages = [
        passage("Holiday lapses in March. Ask your manager."),
        passage(f"Nordfracht wants a discount. {MARGIN} Greta told them."),
    ]
    answer = extractive_answer(DISCOUNT, passages)
    assert f"{MARGIN} [2]" in answer
    assert "[1]" not in answer
    assert [cited.number for cited in citations(answer, passages)] == [2]


@pytest.mark.parametrize(
    "text",
    [
        "Customer names other than Nordfracht do not appear in the manual.",
        "The discount for spare parts is decided by the sales team of the region.",
        "We keep the hardware in the store of the test hall.",
    ],
)
def test_a_passage_that_shares_a_word_with_the_question_is_no_answer(text: str) -> None:
    assert extractive_answer(DISCOUNT, [passage(text)]).endswith(NOTHING_FOUND)


def test_the_title_and_the_heading_say_what_a_passage_is_about() -> None:
    question = "When does the contract of Nordfracht Bremerhaven end?"
    text = "The contract ends on 31 December 2027."
    assert extractive_answer(question, [passage(text)]).endswith(NOTHING_FOUND)
    assert f"{text} [1]" in extractive_answer(question, [passage(text, "Nordfracht, Bremerhaven")])


def test_endings_of_words_do_not_matter() -> None:
    text = "Contractors travelling by train are refunded the ticket."
    assert "[1]" in extractive_answer(
        "Is a contractor refunded for train tickets?", [passage(text)]
    )


def test_a_question_in_a_language_without_spaces_finds_its_answer() -> None:
    text = "横浜港への導入は十月に始まります。"
    assert "[1]" in extractive_answer("横浜港への導入はいつ始まりますか", [passage(text)])


@pytest.mark.parametrize("passages", [[], [passage("")], [passage("# Only a heading")]])
def test_without_sentences_there_is_no_answer(passages: list[Passage]) -> None:
    assert extractive_answer(DISCOUNT, passages).endswith(NOTHING_FOUND)
