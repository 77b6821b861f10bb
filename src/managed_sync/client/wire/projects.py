"""The wire format of the Managed Sync specification: paths below ``/projects/{projectId}``."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import Any, TypeVar

from pydantic import BaseModel, ValidationError

from managed_sync.client.settings import DEFAULT_BASE_URLS
from managed_sync.client.wire.base import Caller, Operation
from managed_sync.client.wire.batch_results import read_decision, read_decisions
from managed_sync.client.wire.entity_lists import (
    EntityList,
    EntityPage,
    parse_objects,
    parse_subjects,
)
from managed_sync.client.wire.expand_trees import parse_tree
from managed_sync.client.wire.pagination import PageWalk
from managed_sync.client.wire.records import parse_each, parse_page, parse_record
from managed_sync.client.wire.request import Request, path_segment
from managed_sync.client.wire.response import Response, parse_json, parse_model
from managed_sync.effects import Program
from managed_sync.errors import InvalidIdentifierError, ResponseFormatError
from managed_sync.identifiers import ObjectId
from managed_sync.logs import get_logger
from managed_sync.models import (
    AccessCheck,
    RecordPage,
    RelationshipNode,
    SyncedRecord,
    SyncStatus,
)

__all__ = ["ProjectsApi"]

T = TypeVar("T")

_logger = get_logger("managed_sync.client")
Model = TypeVar("Model", bound=BaseModel)


class ProjectsApi:
    """The ten operations of the specification, for one project."""

    default_base_url = DEFAULT_BASE_URLS["projects"]
    # The specification has no limit, but servers have one that they do not declare.
    list_limit = 1000
    # All checks of a project may share a batch.
    batch_of = None

    def __init__(self, project_id: str, caller: Caller) -> None:
        self._caller = caller
        self._root = f"/projects/{path_segment(project_id, 'project id')}"

    def enable_sync(
        self, integration: str, sync_type: str, frequency: str | None
    ) -> Program[SyncStatus]:
        """Calls ``enableSync``."""
        body = {"integration": integration, "syncType": sync_type}
        if frequency is not None:
            body["frequency"] = frequency
        request = Request("POST", f"{self._root}/sync/enable", body=body, is_repeatable=False)
        return self._caller.call(Operation(request, lambda response: _model(SyncStatus, response)))

    def get_sync_status(self, integration: str, sync_type: str) -> Program[SyncStatus]:
        """Calls ``getSyncStatus``."""
        params = {"integration": integration, "syncType": sync_type}
        request = Request("GET", f"{self._root}/sync/status", params)
        return self._caller.call(Operation(request, lambda response: _model(SyncStatus, response)))

    def list_records(
        self, integration: str, sync_type: str, cursor: str | None
    ) -> Program[RecordPage]:
        """Calls ``pullSyncedRecords``."""
        params = {"integration": integration, "syncType": sync_type}
        if cursor is not None:
            params["cursor"] = cursor
        request = Request("GET", f"{self._root}/sync/records", params)
        return self._caller.call(Operation(request, _record_page))

    def get_record(self, record_id: str) -> Program[SyncedRecord]:
        """Calls ``getSyncedRecord``."""
        request = Request("GET", self._record_path(record_id))
        operation = Operation(request, lambda response: parse_record(parse_json(response)))
        return self._caller.call(operation)

    def download_content(self, record_id: str) -> Request:
        """Returns the request of ``downloadContent`` alone, since its response is streamed."""
        return Request("GET", f"{self._record_path(record_id)}/content")

    def check_access(self, check: AccessCheck) -> Program[bool]:
        """Calls ``checkAccess``."""
        asked = check.model_dump(by_alias=True)
        parse = partial(read_decision, field="allowed", asked=asked, key_of=_key_of)
        return self._caller.call(self._post("/permissions/check-access", asked, parse))

    def batch_check_access(self, checks: Sequence[AccessCheck]) -> Operation[list[bool]]:
        """Builds ``batchCheckAccess``, whose response must decide each check."""
        parse = partial(
            read_decisions,
            field="results",
            objects=[check.object for check in checks],
            keys=[(check.subject, check.relation, check.object) for check in checks],
            key_of=_key_of,
            must_echo=False,
        )
        body = {"checks": [check.model_dump(by_alias=True) for check in checks]}
        request = Request("POST", f"{self._root}/permissions/batch-check-access", body=body)
        return Operation(request, parse)

    def list_users(self, object_id: str, relation: str) -> Program[list[str]]:
        """Calls ``listUsers``."""
        body = {"object": object_id, "relation": relation}
        return self._listed("subjects", "/permissions/list-users", body, parse_subjects)

    def list_objects(
        self, subject: str, relation: str, object_type: str | None
    ) -> Program[list[str]]:
        """Calls ``listObjects``, and filters the list too: the specification has no object type."""
        body = {"subject": subject, "relation": relation}
        if object_type is not None:
            body["objectType"] = object_type
        names = yield from self._listed("objects", "/permissions/list-objects", body, parse_objects)
        objects = [_object(name) for name in names]
        wanted = (str(each) for each in objects if object_type in {None, each.type})
        return EntityList(wanted, is_whole=names.is_whole)

    def expand(self, check: AccessCheck) -> Program[RelationshipNode]:
        """Calls ``expandRelationships``; without a body, a check must decide the root."""

        def parse(response: Response) -> RelationshipNode:
            if _has_no_body(response):
                return RelationshipNode(object=check.object, relation=check.relation, granted=None)
            return parse_tree(response, check)

        operation = self._post("/permissions/expand", check.model_dump(by_alias=True), parse)
        return self._caller.call(operation)

    def _listed(
        self,
        listing: str,
        path: str,
        body: Mapping[str, str],
        parse: Callable[[Response], EntityPage],
    ) -> Program[EntityList]:
        """Fetches a list with all its pages.

        The specification has no pages. If an API has them, its cursor is sent back to it; an API
        that ignores the cursor returns it again, which raises. The specification also allows for a
        response without a body: it lists nothing, and does not prove that there is nothing.
        """

        def read(response: Response) -> EntityPage:
            if not _has_no_body(response):
                return parse(response)
            # Something between the API and the client may have dropped the body.
            _logger.warning("The list of %s has no body; it is taken for empty.", listing)
            return EntityPage([], is_cut=True)

        walk = PageWalk(listing)
        names: list[str] = []
        more = True
        continuation: dict[str, str] = {}
        while more:
            with walk.naming_the_page():
                page = yield from self._caller.call(
                    self._post(path, {**body, **continuation}, read)
                )
            names += page.names
            more = walk.follow(page.next_cursor, items=page.names)
            continuation = {page.cursor_field: page.next_cursor} if page.next_cursor else {}
        return EntityList(names, is_whole=page.is_end_of(names))

    def _record_path(self, record_id: str) -> str:
        return f"{self._root}/sync/records/{path_segment(record_id, 'record id')}"

    def _post(
        self, path: str, body: dict[str, Any], parse: Callable[[Response], T]
    ) -> Operation[T]:
        return Operation(Request("POST", f"{self._root}{path}", body=body), parse)


def _has_no_body(response: Response) -> bool:
    """Returns whether there is no body, and none was announced."""
    return not response.content and "json" not in response.headers.get("content-type", "")


def _record_page(response: Response) -> RecordPage:
    # One step is twice as fast as two. If it fails, the two steps find what is wrong with which
    # record, or read the encodings that the one step does not know.
    try:
        return RecordPage.model_validate_json(response.content)
    except ValidationError:
        document = parse_page(response, "records")
    listed = document.get("records") if isinstance(document, dict) else None
    if not isinstance(listed, list):
        return parse_model(RecordPage, document)
    read, malformed = parse_each(listed, parse_record)
    page = parse_model(RecordPage, {**document, "records": ()})
    return page.model_copy(update={"records": read, "malformed": malformed})


def _model(model: type[Model], response: Response) -> Model:
    return parse_model(model, parse_json(response))


def _key_of(request: Mapping[str, Any]) -> tuple[str, str, str]:
    return str(request.get("subject")), str(request.get("relation")), str(request.get("object"))


def _object(name: str) -> ObjectId:
    try:
        return ObjectId.parse(name)
    except InvalidIdentifierError:
        raise ResponseFormatError(
            "Expected object ids such as 'file:abc123' in the API's list, got one without a type."
        ) from None
