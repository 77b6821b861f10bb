"""The vocabulary that all rooms of the server share: scopes, pipelines, tuples and contents.

It is a leaf: it imports no other module of the server (docs/decisions/0036-import-directions.md).
"""

from __future__ import annotations

import json
import unicodedata
from collections.abc import Sequence
from typing import BinaryIO, NamedTuple
from uuid import UUID, uuid5

__all__ = [
    "PUBLIC",
    "ROLES",
    "InvalidParameterError",
    "KnownContent",
    "OpenFile",
    "PipelineName",
    "RelationChanges",
    "RelationTuple",
    "Scope",
    "container_id",
    "is_version",
    "record_id",
    "source_id_at",
    "sync_id",
    "type_of",
]

_NAMESPACE = UUID("5b0a3d0e-6d0f-5c53-9a43-0d3c7c2f9f10")

ROLES = ("owner", "editor", "viewer")
"""The roles that a subject can be granted, the strongest first; each implies those after it."""

PUBLIC = "user:*"
"""The subject that stands for everybody."""


class InvalidParameterError(ValueError):
    """A parameter of a request cannot be used; the message names a value that would work."""


class Scope(NamedTuple):
    """A connected user of a project: the owner of pipelines, records and permission graph."""

    project_id: str
    user_id: str


class PipelineName(NamedTuple):
    """The name of a pipeline, unique among those of one connected user."""

    integration: str
    sync_type: str

    def __str__(self) -> str:
        return f"{self.integration}/{self.sync_type}"


class RelationTuple(NamedTuple):
    """One edge of the permission graph."""

    object: str
    relation: str
    subject: str


class RelationChanges(NamedTuple):
    """The changes that a transaction makes to the tuples of a scope."""

    removed: Sequence[RelationTuple]
    added: Sequence[RelationTuple]


class KnownContent(NamedTuple):
    """The version and digest of a content that an earlier sync read."""

    version: str
    digest: str


class OpenFile(NamedTuple):
    """A file that is open for reading; its version changes whenever its content may have."""

    stream: BinaryIO
    size: int
    version: str


def record_id(scope: Scope, pipeline: PipelineName, source_id: str) -> str:
    """Returns the id of a record, which is the same after every sync and restart."""
    return _identifier(*scope, *pipeline, source_id)


def container_id(scope: Scope, pipeline: PipelineName) -> str:
    """Returns the id of the container that holds the records of a pipeline without folders."""
    return _identifier(*scope, *pipeline, "/", "container")


def sync_id(scope: Scope, pipeline: PipelineName) -> str:
    """Returns the id that the hosted paths use for a pipeline."""
    return _identifier(*scope, *pipeline)


def type_of(name: str) -> str:
    """Returns the type of an object or subject; everybody is a type of its own.

    Examples:
        >>> type_of("group:sales"), type_of("organization"), type_of("user:*")
        ('group', 'organization', 'user:*')
    """
    return PUBLIC if name == PUBLIC else name.partition(":")[0]


def source_id_at(location: str) -> str:
    """Returns the source id of the item at a location."""
    return unicodedata.normalize("NFC", f"/{location}")


def is_version(now: str, known: str) -> bool:
    """Returns whether a content still has a known version; earlier releases stored shorter ones."""
    return f"{now}-".startswith(f"{known}-")


def _identifier(*parts: str) -> str:
    # JSON keeps the parts apart, whatever characters they contain.
    return str(uuid5(_NAMESPACE, json.dumps(parts)))
