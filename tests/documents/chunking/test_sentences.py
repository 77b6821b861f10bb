"""Sentence ends of many scripts, and places to cut at in scripts without spaces."""

from __future__ import annotations

import itertools

import pytest
import regex

from managed_sync.documents.chunking import sentences as sentences_module
from managed_sync.documents.chunking.sentences import (
    character_start,
    clause_starts,
    sentence_starts,
    whole_character,
)


def sentences(text: str) -> list[str]:
    starts = [0, *sentence_starts(text, 1, len(text), len(text)), len(text)]
    return [text[start:end] for start, end in itertools.pairwise(starts)]


@pytest.mark.parametrize(
    "parts",
    [
        ["It moves. ", "It stops!  ", 'He said "now." ', "Then?\n", "End"],
        ["यह चलता है। ", "यह रुकता है।"],
        ["هل يعمل؟ ", "نعم يعمل. ", "انتهى"],
        ["یہ چلتا ہے۔ ", "یہ رکتا ہے۔"],
        ["机器人每天工作。", "它会停吗？", "不会！", "结束"],
        ["「動く。」", "「止まる？」", "終わり"],
        ["すごい！？", "本当です｡", "はい"],
        ["ሮቦቱ ይሠራል። ", "ይቆማል።"],
        ["Ռոբոտը շարժվում է։ ", "Կանգնում է։"],
        ["មនុស្សយន្តដើរ។", "វាឈប់។"],
        ["စက်ရုပ်လှုပ်သည်။", "ရပ်သည်။"],
        ["Déjà vu… ", "Et puis « voilà. » ", "Fin."],
    ],
    ids=[
        *["english", "hindi", "arabic", "urdu", "chinese", "japanese", "half width"],
        *["amharic", "armenian", "khmer", "burmese", "french"],
    ],
)
def test_a_sentence_ends_as_its_script_ends_it(parts: list[str]) -> None:
    assert sentences("".join(parts)) == parts


@pytest.mark.parametrize(
    "text",
    [
        "version 3.5 of https://example.com/?q=a!b",
        "e.g. this and i.e. that",
        "圆周率是３．１４",
        "「すごい！」、と言った",
        "注意‼️も同じ",
        "...?!",
        "第一，第二；第三：好",
    ],
)
def test_other_marks_end_no_sentence(text: str) -> None:
    assert sentences(text) == [text]


def test_every_mark_of_unicode_but_those_of_addresses_ends_a_sentence_without_a_space() -> None:
    marks = regex.findall(r"\p{Sentence_Terminal}", "".join(map(chr, range(0x20000))))
    assert len(marks) > 150
    for mark in marks:
        expected = [f"a{mark}", "B"] if mark not in ".!?․﹒．" else [f"a{mark}B"]
        assert sentences(f"a{mark}B") == expected, hex(ord(mark))


def test_only_starts_in_the_range_are_returned() -> None:
    text = "一。二。三。四"
    assert sentence_starts(text, 2, 6, len(text)) == [2, 4]
    assert sentence_starts(text, 3, 4, len(text)) == []
    assert sentence_starts("A. B. C", 3, 6, 6) == [3]


def test_clauses_begin_after_the_commas_of_scripts_without_spaces() -> None:
    assert clause_starts("第一，第二；第三", 1, 8) == [3, 6]
    assert clause_starts("第一，「第二」", 1, 7) == []
    assert clause_starts("one, two; three", 1, 10) == []


def test_ideographs_and_syllables_can_be_separated_and_words_cannot() -> None:
    assert character_start("機械は", 1, 3) == 1
    assert character_start("機械は", 1, 3, last=True) == 2
    # A long vowel mark and a small syllable belong to what is before them.
    assert character_start("データッ", 1, 4) == 2
    for text in ("robot", "หุ่นยนต์", "роб", "로봇이"):
        assert character_start(text, 1, len(text)) is None


def test_a_character_stays_together_with_its_marks() -> None:
    assert whole_character("ae\u0301\u0316", 0, 3) == 1
    assert whole_character("a👩\u200d🔧b", 0, 3) == 1
    assert whole_character("ab", 0, 1) == 1
    assert whole_character("a" + "\u0301" * 100, 0, 90) == 90


def test_the_quick_rules_end_sentences_as_those_for_every_script_do() -> None:
    slow = sentences_module._patterns().sentence_end
    quick = [
        mark for mark in map(chr, range(32, 0x10000)) if sentences_module._is_quick(mark, 0, 1)
    ]
    assert len(quick) > 1000
    for mark in quick:
        for text in (f"a{mark} B", f"a.{mark} B", f"a{mark}B", f"a.{mark}B", f"a.){mark}) B"):
            ends = [end.end() for end in sentences_module._ASCII_END.finditer(text)]
            assert ends == [end.end() for end in slow.finditer(text)], text
