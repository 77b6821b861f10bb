"""Names of objects on the command line: from a path to an object id, and back."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import cache

from managed_sync.cli.workspace import PipelineRef
from managed_sync.client import ManagedSyncClient
from managed_sync.documents.loading.record_metadata import object_id
from managed_sync.errors import ConfigurationError, NotFoundError
from managed_sync.identifiers import OBJECT_TYPES, ObjectId, object_type_for

__all__ = ["object_names", "resolve_object"]


def resolve_object(
    client: ManagedSyncClient, pipelines: Sequence[PipelineRef], reference: str
) -> str:
    """Returns the object id for an object id or a source id, such as a path.

    Raises:
        ConfigurationError: No record has this source id, or several have it; or the type of the
            object id is unknown.
    """
    if not reference:
        raise ConfigurationError("An object must be a path or an object id, got an empty text.")
    # A folder may be written with a final slash.
    wanted = reference.rstrip("/") or reference
    found = [
        object_id(record)
        for pipeline in pipelines
        for record in client.iter_records(*pipeline)
        if wanted in {record.source_id, record.source_id.removeprefix("/")}
    ]
    if len(found) > 1:
        raise ConfigurationError(
            f"{reference!r} matches {', '.join(found)}; pass one of these object ids."
        )
    if found:
        return found[0]
    if ":" in reference:
        named_type = ObjectId.parse(reference).type
        types = {*OBJECT_TYPES, *(object_type_for(pipeline.sync_type) for pipeline in pipelines)}
        if named_type not in types:
            raise ConfigurationError(
                f"{reference!r} has the unknown type {named_type!r}; the type must be "
                f"one of {', '.join(sorted(types))}. If it is a path, no record has it."
            )
        return reference
    raise ConfigurationError(
        f"No record of {', '.join(map(str, pipelines)) or 'an enabled pipeline'} is called "
        f"{reference!r}; use a path such as '/Folder/file.pdf', a record's id in its source, or an "
        f"object id such as 'file:…'. `managed-sync pull` lists them."
    )


def object_names(client: ManagedSyncClient) -> Callable[[str], str]:
    """Returns a function that names objects by their source id, if they have a record."""

    @cache
    def name(known_as: str) -> str:
        kind, _, record_id = known_as.partition(":")
        if kind in {"user", "group"} or not record_id:
            return known_as
        try:
            return f"{kind} {client.get_record(record_id).source_id}"
        except NotFoundError:
            return known_as

    return name
