"""Object ids, record ids and subjects: the only module that builds them or takes them apart.

An object id is ``"<type>:<record id>"``, such as ``file:3f2a``. A subject is a user's e-mail
address, or a typed name such as ``group:finance``. A record id is the API's name for a record. The
hosted service looks records up below a sync, so its record ids contain the sync's id.
"""

from __future__ import annotations

import string
import unicodedata
from itertools import groupby
from typing import NamedTuple

from managed_sync.errors import InvalidIdentifierError

__all__ = [
    "EVERYBODY",
    "OBJECT_TYPES",
    "ObjectId",
    "RecordOfSync",
    "address_key",
    "bare_user",
    "folder_id",
    "lower_ascii",
    "normalize_subject",
    "object_id_for",
    "object_type_for",
]

EVERYBODY = "user:*"

_USER = "user:"
_FOLDER = "folder"
_ASCII_LOWER = str.maketrans(string.ascii_uppercase, string.ascii_lowercase)
_OBJECT_TYPES = {
    "files": "file",
    "contacts": "contact",
    "companies": "company",
    "deals": "deal",
    "tickets": "ticket",
}
OBJECT_TYPES = (*_OBJECT_TYPES.values(), _FOLDER, "group")
"""The types of objects that every API knows; other sync types have types of their own."""


class ObjectId(NamedTuple):
    """The two parts of an object id.

    Examples:
        >>> ObjectId.parse("file:3f2a")
        ObjectId(type='file', id='3f2a')
        >>> str(ObjectId("deal", "d1"))
        'deal:d1'
    """

    type: str
    id: str

    @classmethod
    def parse(cls, value: str) -> ObjectId:
        """Splits an object id into its parts.

        Raises:
            InvalidIdentifierError: The colon, or the text on one side of it, is missing.
        """
        if not cls.is_one(value):
            raise InvalidIdentifierError(
                f"An object id must look like 'file:abc123', got {value!r}."
            )
        object_type, _, identifier = value.partition(":")
        return cls(object_type, identifier)

    @staticmethod
    def is_one(value: str) -> bool:
        """Returns whether ``parse`` can split a text."""
        object_type, _, identifier = value.partition(":")
        return bool(object_type and identifier)

    def __str__(self) -> str:
        return f"{self.type}:{self.id}"


class RecordOfSync(NamedTuple):
    """The two parts of a hosted service's record id, ``"<sync id>/<record's own id>"``.

    Examples:
        >>> RecordOfSync.parse("9c1e/3f2a")
        RecordOfSync(sync='9c1e', id='3f2a')
        >>> str(RecordOfSync("9c1e", "3f2a"))
        '9c1e/3f2a'
    """

    sync: str
    id: str

    @classmethod
    def parse(cls, value: str) -> RecordOfSync:
        """Splits a record id into its parts.

        Raises:
            InvalidIdentifierError: The record id does not have exactly these two parts.
        """
        sync, _, identifier = value.partition("/")
        if not sync or not identifier or "/" in identifier:
            raise InvalidIdentifierError(
                f"A record id of the hosted API must look like '<sync id>/<record id>', got "
                f"{value!r}. Use ids that this client returned. Records indexed through another "
                f"API have other ids: index them again."
            )
        return cls(sync, identifier)

    def __str__(self) -> str:
        return f"{self.sync}/{self.id}"


def object_type_for(sync_type: str) -> str:
    """Returns the object type of a pipeline's records: ``file`` for ``files``.

    An unknown sync type loses its plural "s", as the API's own names do.
    """
    return _OBJECT_TYPES.get(sync_type, sync_type.removesuffix("s") or sync_type)


def object_id_for(sync_type: str, record_id: str, *, is_folder: bool = False) -> str:
    """Returns the object id of a record in the Permissions API.

    Args:
        sync_type: The pipeline's sync type, such as ``"files"``.
        record_id: The record's id.
        is_folder: The record is a folder among files.

    Examples:
        >>> object_id_for("files", "3f2a")
        'file:3f2a'
        >>> object_id_for("files", "9c1e", is_folder=True)
        'folder:9c1e'

    Raises:
        InvalidIdentifierError: Either id is empty.
    """
    if not sync_type or not record_id:
        raise InvalidIdentifierError(
            f"An object id needs a sync type and a record id, got {sync_type!r} and {record_id!r}."
        )
    return str(ObjectId(_FOLDER if is_folder else object_type_for(sync_type), record_id))


def folder_id(record_id: str) -> str:
    """Returns the object id of a folder, such as the one that a record lies in."""
    return str(ObjectId(_FOLDER, record_id))


def normalize_subject(value: object) -> str:
    """Returns a subject without surrounding white space, as the Permissions API expects it.

    Raises:
        InvalidIdentifierError: The subject is not a string, is blank, or contains white space or
            control characters.
    """
    if not isinstance(value, str):
        raise InvalidIdentifierError(f"A subject must be a string, got {type(value).__name__}.")
    subject = value.strip()
    if not subject or not all(c.isprintable() and not c.isspace() for c in subject):
        raise InvalidIdentifierError(
            f"A subject must look like 'alice@example.com' or 'group:sales', got {value!r}."
        )
    return subject


def bare_user(subject: str) -> str:
    """Returns a user's address without its type, and any other subject unchanged.

    Examples:
        >>> bare_user("user:alice@example.com"), bare_user("group:sales"), bare_user("user:*")
        ('alice@example.com', 'group:sales', 'user:*')
    """
    return subject if subject == EVERYBODY else subject.removeprefix(_USER)


def lower_ascii(text: str) -> str:
    """Returns a text with only the letters A to Z in lower case.

    ``str.lower`` and ``str.casefold`` merge different letters: KELVIN SIGN with k, and ``casefold``
    also ß with ss.
    """
    return text.translate(_ASCII_LOWER)


def address_key(address: str) -> str:
    """Returns a key that is equal for all spellings of one e-mail address.

    As in mail systems, A to Z equal a to z before and after the ``@``, and an accented letter
    equals the letter followed by its accent (NFC). Everything else distinguishes two addresses: the
    case of other letters, tags such as ``+news``, dots, and the two spellings of an international
    domain.

    Examples:
        >>> address_key("Ann@Example.COM")
        'ann@example.com'
        >>> address_key("straße@example.com") == address_key("strasse@example.com")
        False
    """
    if address.isascii():
        return address.lower()
    # NFC would replace a character that duplicates another one, as KELVIN SIGN duplicates K.
    pieces = (
        "".join(letters) if is_double else unicodedata.normalize("NFC", "".join(letters))
        for is_double, letters in groupby(address, key=_is_double)
    )
    return lower_ascii("".join(pieces))


def _is_double(letter: str) -> bool:
    canonical = unicodedata.decomposition(letter)
    return bool(canonical) and " " not in canonical
