"""Tests which spellings are one address, and which are two."""

from __future__ import annotations

import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st

from managed_sync.errors import InvalidIdentifierError
from managed_sync.identifiers import (
    ObjectId,
    address_key,
    folder_id,
    lower_ascii,
    normalize_subject,
    object_id_for,
)
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


def test_a_record_has_an_object_id_of_its_type_and_a_folder_among_files_one_of_its_own() -> None:
    assert object_id_for("files", "r1") == "file:r1"
    assert object_id_for("invoices", "r1") == "invoice:r1"
    assert object_id_for("files", "r1", is_folder=True) == folder_id("r1") == "folder:r1"


@pytest.mark.parametrize(("sync_type", "record_id"), [("", "r1"), ("files", "")])
@pytest.mark.parametrize("is_folder", [False, True])
def test_a_record_without_an_id_or_a_type_has_no_object_id(
    sync_type: str, record_id: str, is_folder: bool
) -> None:
    with pytest.raises(InvalidIdentifierError, match="An object id needs a sync type and a record"):
        object_id_for(sync_type, record_id, is_folder=is_folder)


@pytest.mark.parametrize("value", ["", "file", ":r1", "file:"])
def test_what_has_not_both_parts_is_no_object_id(value: str) -> None:
    with pytest.raises(InvalidIdentifierError) as caught:
        ObjectId.parse(value)

    assert str(caught.value) == f"An object id must look like 'file:abc123', got {value!r}."


@pytest.mark.parametrize("value", [7, None, "", " ", "a b", "a\x00b"])
def test_what_is_blank_or_no_text_is_no_subject(value: object) -> None:
    with pytest.raises(InvalidIdentifierError, match="A subject must "):
        normalize_subject(value)
