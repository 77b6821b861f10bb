"""Versions of records.

A version is a digest of everything in a record that its document depends on. Permissions are not
part of it: they are checked at each question. Neither are links that a source generates for each
listing, since they would make every record look changed at every run.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Callable, Collection, Mapping
from typing import Any, TypeAlias
from urllib.parse import urlsplit, urlunsplit

from managed_sync.documents.loading.record_metadata import has_content
from managed_sync.errors import ConfigurationError
from managed_sync.models import SyncedRecord

__all__ = ["Version", "may_differ_unseen", "record_version", "version_of"]

Version: TypeAlias = Callable[[SyncedRecord], str]

_FIELDS = {"id", "integration", "sync_type", "source_id", "data", "updated_at"}
# Under these names sources state a digest of a file's content.
_DIGESTS = ("digest", "contentHash", "md5Checksum", "sha256", "sha1", "hash", "etag", "eTag")
_LINK_NAME = re.compile(r"(?i)(url|uri|link|href)s?$")
# Parameters that sign a link: of Amazon, Google, Azure, CloudFront, SharePoint and others. Where
# there is one, those of the second kind belong to it; elsewhere they may mean anything.
_SIGNATURE = re.compile(
    r"(?i)(x-(amz|goog|oss|cos)-signature|sig|signature|hmac|token|tempauth|access_?token)$"
)
_BESIDE_A_SIGNATURE = re.compile(
    r"(?i)(x-(amz|goog|oss|cos)-.*|awsaccesskeyid|googleaccessid|key-pair-id|policy|hash|nonce"
    r"|expires?|expiry|exp|e|t|ts|timestamp|s[eptvrk]|spr|ske|sks|skt|skv|skoid|sktid)$"
)


def version_of(choice: Version | Collection[str] | None) -> Version:
    """Returns the function that gives a record's version.

    Args:
        choice: Such a function; or the names of fields of ``data`` that do not count, besides those
            that never do.

    Raises:
        ConfigurationError: It is a single string.
    """
    if callable(choice):
        return choice
    if isinstance(choice, str):
        raise ConfigurationError(
            f"version must be a function or a collection of names such as [{choice!r}], got the "
            f"string {choice!r}."
        )
    ignored = frozenset(choice or ())
    return lambda record: record_version(record, ignored)


def record_version(record: SyncedRecord, ignored: Collection[str] = ()) -> str:
    """Returns a digest of what a record's document depends on.

    Args:
        record: The record.
        ignored: Names of fields of its data that do not count.
    """
    parts = record.model_dump(mode="json", include=_FIELDS)
    is_file = has_content(record)
    parts["data"] = {
        name: _lasting(value, is_file=is_file)
        for name, value in parts["data"].items()
        if name not in ignored
        and not (is_file and _is_link(name, value) and not _counts(name, value))
    }
    return hashlib.sha256(json.dumps(parts, sort_keys=True).encode()).hexdigest()


def may_differ_unseen(record: SyncedRecord) -> bool:
    """Returns whether a record can stay as it is while its content changes."""
    return (
        record.updated_at is None
        and has_content(record)
        and not any(record.data.get(name) for name in _DIGESTS)
    )


def _counts(name: str, value: str) -> bool:
    """Returns whether a file's own link counts: a lasting ``url``, which its metadata has."""
    return name == "url" and _without_signature(value) == value


def _is_link(name: str, value: Any) -> bool:
    """Returns whether a value is one of a file's own links, such as one to a thumbnail."""
    return _LINK_NAME.search(name) is not None and isinstance(value, str) and _is_url(value)


def _lasting(value: Any, *, is_file: bool) -> Any:
    """Returns a value without the parts that a source generates for each listing."""
    if isinstance(value, str):
        return _without_signature(value) if _is_url(value) else value
    if isinstance(value, Mapping):
        return {
            name: _lasting(each, is_file=is_file)
            for name, each in value.items()
            if not (is_file and _is_link(name, each))
        }
    if isinstance(value, list):
        return [_lasting(each, is_file=is_file) for each in value]
    return value


def _is_url(value: str) -> bool:
    return value.startswith(("https://", "http://"))


def _without_signature(url: str) -> str:
    try:
        parts = urlsplit(url)
    except ValueError:
        return url
    named = {each: each.partition("=")[0] for each in parts.query.split("&")}
    if not any(_SIGNATURE.match(name) for name in named.values()):
        return url
    kept = [
        each
        for each, name in named.items()
        if not (_SIGNATURE.match(name) or _BESIDE_A_SIGNATURE.match(name))
    ]
    return urlunsplit(parts._replace(query="&".join(kept)))
