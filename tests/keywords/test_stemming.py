"""Words lose their endings as in SQLite's stemmer, which is another implementation of Porter's."""

from __future__ import annotations

import re
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from managed_sync.keywords.stemming import stem

_ENDINGS = "ational ing ed eed ness fulness y sses ement sion tion ion ll e izer logi bli er s"


def test_stems_are_those_of_another_implementation() -> None:
    readme = Path(__file__).parents[2] / "README.md"
    words = sorted(set(re.findall("[a-z]{2,}", readme.read_text("utf-8").lower())))
    words += [f"{word}{ending}" for word in words[::7] for ending in _ENDINGS.split()]
    with closing(sqlite3.connect(":memory:")) as connection:
        try:
            connection.execute("CREATE VIRTUAL TABLE words USING fts5(word, tokenize = 'porter')")
        except sqlite3.OperationalError:
            pytest.skip("SQLite was built without full-text search")
        connection.execute("CREATE VIRTUAL TABLE stems USING fts5vocab(words, 'instance')")
        connection.executemany("INSERT INTO words VALUES (?)", ((word,) for word in words))
        stems = [term for (term,) in connection.execute("SELECT term FROM stems ORDER BY doc")]

    assert len(stems) == len(words) > 1000
    assert [stem(word) for word in words] == stems


@pytest.mark.parametrize("word", ["", "s", "ed", "ing", "ies", "sses", "yying", "612", "ł", "猫"])
def test_a_word_that_is_hardly_more_than_an_ending_keeps_some_of_it(word: str) -> None:
    assert bool(stem(word)) == bool(word)


def test_a_very_long_word_is_its_beginning() -> None:
    assert stem("a" * 300) == stem("a" * 301) == "a" * 200
