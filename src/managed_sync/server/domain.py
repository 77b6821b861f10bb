"""Whose data it is, and the ids that follow from it."""

from __future__ import annotations

import json
from typing import NamedTuple
from uuid import UUID, uuid5

__all__ = ["PipelineName", "Scope", "container_id", "record_id", "sync_id"]

_NAMESPACE = UUID("5b0a3d0e-6d0f-5c53-9a43-0d3c7c2f9f10")


class Scope(NamedTuple):
    """A connected user of a project: the owner of pipelines, records and permission graph."""

    project_id: str
    user_id: str


class PipelineName(NamedTuple):
    """What tells one pipeline of a connected user from the others."""

    integration: str
    sync_type: str

    def __str__(self) -> str:
        return f"{self.integration}/{self.sync_type}"


def record_id(scope: Scope, pipeline: PipelineName, source_id: str) -> str:
    """The id of a record; the same one after every sync and every restart."""
    return _identifier(*scope, *pipeline, source_id)


def container_id(scope: Scope, pipeline: PipelineName) -> str:
    """The id of the container of all records of a pipeline that has no folders of its own."""
    return _identifier(*scope, *pipeline, "/", "container")


def sync_id(scope: Scope, pipeline: PipelineName) -> str:
    """The id by which the hosted paths name a pipeline."""
    return _identifier(*scope, *pipeline)


def _identifier(*parts: str) -> str:
    # JSON keeps the parts apart, whatever characters they hold.
    return str(uuid5(_NAMESPACE, json.dumps(parts)))
