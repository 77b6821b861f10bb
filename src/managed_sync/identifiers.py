"""Object ids, record ids and subjects: the only place that builds or takes apart any of them.

An object id is ``"<type>:<record id>"``, such as ``file:3f2a``; a subject is a user's e-mail
address, or another typed name such as ``group:finance``. A record id is what the API calls the
record; of the hosted service's, which are looked up below a sync, it names the sync too.
"""

from __future__ import annotations

import string
import unicodedata
from itertools import groupby
from typing import NamedTuple

from managed_sync.errors import InvalidIdentifierError

__all__ = [
    "ObjectId",
    "RecordOfSync",
    "address_key",
    "lower_ascii",
    "normalize_subject",
    "object_id_for",
    "object_type_for",
]

_ASCII_LOWER = str.maketrans(string.ascii_uppercase, string.ascii_lowercase)
_OBJECT_TYPES = {
    "files": "file",
    "contacts": "contact",
    "companies": "company",
    "deals": "deal",
    "tickets": "ticket",
}


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
        """Takes an object id apart.

        Raises:
            InvalidIdentifierError: There is no colon, or nothing on one side of it.
        """
        object_type, colon, identifier = value.partition(":")
        if not (colon and object_type and identifier):
            raise InvalidIdentifierError(
                f"{value!r} is not an object id; it should look like 'file:abc123'."
            )
        return cls(object_type, identifier)

    def __str__(self) -> str:
        return f"{self.type}:{self.id}"


class RecordOfSync(NamedTuple):
    """The two parts of a record id of the hosted service, ``"<sync id>/<record's own id>"``.

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
        """Takes a record id apart.

        Raises:
            InvalidIdentifierError: It does not have just these two parts.
        """
        sync, _, identifier = value.partition("/")
        if not sync or not identifier or "/" in identifier:
            raise InvalidIdentifierError(
                f"{value!r} is not a record id of the hosted API, which looks like "
                f"'<sync id>/<record id>'. Use ids as this client gave them out; what was indexed "
                f"through another API has other ids and is to be indexed again."
            )
        return cls(sync, identifier)

    def __str__(self) -> str:
        return f"{self.sync}/{self.id}"


def object_type_for(sync_type: str) -> str:
    """The object type of a pipeline's records: ``files`` gives ``file``.

    A sync type that is not known loses its plural "s", which is how the API names the others.
    """
    return _OBJECT_TYPES.get(sync_type, sync_type.removesuffix("s") or sync_type)


def object_id_for(sync_type: str, record_id: str) -> str:
    """The object id under which the Permissions API knows a record.

    Examples:
        >>> object_id_for("files", "3f2a")
        'file:3f2a'

    Raises:
        InvalidIdentifierError: Either part is empty.
    """
    if not sync_type or not record_id:
        raise InvalidIdentifierError(
            f"A record needs a sync type and an id to have an object id, "
            f"not {sync_type!r} and {record_id!r}."
        )
    return str(ObjectId(object_type_for(sync_type), record_id))


def normalize_subject(value: object) -> str:
    """A subject as it is sent to the Permissions API, without surrounding blanks.

    Raises:
        InvalidIdentifierError: It is not a string, is blank, or holds control characters.
    """
    if not isinstance(value, str):
        raise InvalidIdentifierError(f"A subject is a string, not {type(value).__name__}.")
    subject = value.strip()
    if not subject or not all(c.isprintable() and not c.isspace() for c in subject):
        raise InvalidIdentifierError(
            f"{value!r} is not a subject; it should look like 'alice@example.com' or 'group:sales'."
        )
    return subject


def lower_ascii(text: str) -> str:
    """Returns a text with the letters A to Z in lower case, and no other one changed.

    ``str.lower`` and ``str.casefold`` join letters that are different: KELVIN SIGN with k, and
    ``casefold`` also ß with ss.
    """
    return text.translate(_ASCII_LOWER)


def address_key(address: str) -> str:
    """Returns what two spellings of one e-mail address have in common.

    As mail systems do, it takes A to Z and a to z for the same letters, before and after the ``@``,
    and a letter with an accent for the same as the letter and its accent (NFC). Everything else
    tells two addresses apart: other letters' case, tags such as ``+news``, dots, and the two
    spellings of an international domain.

    Examples:
        >>> address_key("Ann@Example.COM")
        'ann@example.com'
        >>> address_key("straße@example.com") == address_key("strasse@example.com")
        False
    """
    if address.isascii():
        return address.lower()
    # Characters that are another one's double, as KELVIN SIGN is of K, would become that one.
    pieces = (
        "".join(letters) if is_double else unicodedata.normalize("NFC", "".join(letters))
        for is_double, letters in groupby(address, key=_is_double)
    )
    return lower_ascii("".join(pieces))


def _is_double(letter: str) -> bool:
    canonical = unicodedata.decomposition(letter)
    return bool(canonical) and " " not in canonical
