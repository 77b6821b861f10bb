"""Which spellings are one address, and which are two."""

from __future__ import annotations

import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from managed_sync.identifiers import address_key, lower_ascii
from managed_sync.server.graph.schema import subject_key, user_key

# Each of them has a double that str.casefold, str.lower or NFKC takes for the same letter.
DIFFERENT = [
    ("kim@x.example", "\u212aim@x.example"),  # KELVIN SIGN
    ("strasse@x.example", "straße@x.example"),
    ("sam@x.example", "\u017fam@x.example"),  # LATIN SMALL LETTER LONG S
    ("åsa@x.example", "\u212bsa@x.example"),  # ANGSTROM SIGN
    ("ωmega@x.example", "\u2126mega@x.example"),  # OHM SIGN
    ("fi@x.example", "\ufb01@x.example"),  # LATIN SMALL LIGATURE FI
    ("ann@x.example", "\uff41nn@x.example"),  # FULLWIDTH LATIN SMALL LETTER A
    ("ann2@x.example", "ann²@x.example"),
    ("ann@x.example", "ann@x\u3002example"),  # IDEOGRAPHIC FULL STOP
    ("i@x.example", "\u0130@x.example"),  # LATIN CAPITAL LETTER I WITH DOT ABOVE
    ("i@x.example", "ı@x.example"),
    ("σ@x.example", "ς@x.example"),
    ("émile@x.example", "Émile@x.example"),
    ("ann@bücher.example", "ann@xn--bcher-kva.example"),
    ("ann@x.example", "ann+news@x.example"),
    ("ann.b@x.example", "annb@x.example"),
    ("ann@x.example", "аnn@x.example"),
]
EQUAL = [
    ("Ann@X.Example", "ann@x.example"),
    ("jos\u00e9@x.example", "jose\u0301@X.example"),
    (" ann@x.example ", "ann@x.example"),
    ("user:Ann@x.example", "ann@x.example"),
]


@pytest.mark.parametrize(("one", "other"), DIFFERENT)
def test_addresses_that_mail_systems_tell_apart_are_two_users(one: str, other: str) -> None:
    assert address_key(one) != address_key(other)
    assert user_key(one) != user_key(other)
    assert subject_key(one) != subject_key(f"user:{other}")


@pytest.mark.parametrize(("one", "other"), EQUAL)
def test_addresses_that_mail_systems_join_are_one_user(one: str, other: str) -> None:
    assert subject_key(one) == subject_key(other)


@given(st.text(st.characters(exclude_categories=["Cs"])))
def test_a_key_is_its_own_key_and_changes_nothing_but_a_to_z_and_accents(text: str) -> None:
    key = address_key(text)

    assert address_key(key) == key
    assert unicodedata.normalize("NFC", lower_ascii(unicodedata.normalize("NFD", text))) == (
        unicodedata.normalize("NFC", lower_ascii(unicodedata.normalize("NFD", key)))
    )


def test_only_a_to_z_are_put_in_lower_case() -> None:
    assert lower_ascii("GoogleDRIVE \u212a ß É") == "googledrive \u212a ß É"
