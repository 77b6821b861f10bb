"""Names of objects on the command line: from a path to an object id, and back."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from functools import cache

from managed_sync.cli.workspace import PipelineRef
from managed_sync.client import ManagedSyncClient
from managed_sync.documents.loading.record_metadata import object_id
from managed_sync.errors import ConfigurationError, NotFoundError
from managed_sync.identifiers import OBJECT_TYPES, ObjectId, object_type_for

__all__ = ["object_names", "resolve_object", "resolve_objects"]


def resolve_object(
    client: ManagedSyncClient, pipelines: Sequence[PipelineRef], reference: str
) -> str:
    """Returns the object id for an object id or a source id, such as a path.

    Raises:
        ConfigurationError: No record has this source id, or several have it; or the type of the
            object id is unknown.
    """
    return resolve_objects(client, pipelines, [reference])[reference]


def resolve_objects(
    client: ManagedSyncClient, pipelines: Sequence[PipelineRef], references: Iterable[str]
) -> dict[str, str]:
    """Returns the object id for each object id, source id, or kind and source id.

    Raises:
        ConfigurationError: No record has one of these source ids, or several have it.
    """
    # A folder may be written with a final slash.
    wanted = {reference: reference.rstrip("/") or reference for reference in references}
    if not all(wanted):
        raise ConfigurationError("An object must be a path or an object id, got an empty text.")
    found: dict[str, list[str]] = {name: [] for name in wanted.values()}
    for pipeline in pipelines:
        for record in client.iter_records(*pipeline):
            known_as = object_id(record)
            source_id, kind = record.source_id, known_as.partition(":")[0]
            for name in {source_id, source_id.removeprefix("/"), f"{kind}:{source_id}"}:
                if name in found:
                    found[name].append(known_as)
    return {
        reference: _single(pipelines, reference, found[name]) for reference, name in wanted.items()
    }


def _single(pipelines: Sequence[PipelineRef], reference: str, found: Sequence[str]) -> str:
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
