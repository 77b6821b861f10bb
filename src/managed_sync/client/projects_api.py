"""The wire format of the Managed Sync specification: paths below ``/projects/{projectId}``."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from email.message import Message
from email.utils import collapse_rfc2231_value
from typing import Any, TypeVar
from urllib.parse import quote

from pydantic import BaseModel, StrictBool, ValidationError

from managed_sync.client.operations import Answer, Operation, Request, parse_json, parse_model
from managed_sync.errors import AccessCheckError, InvalidIdentifierError, ResponseFormatError
from managed_sync.models import (
    AccessCheck,
    RecordPage,
    RelationshipNode,
    SyncedRecord,
    SyncStatus,
)

__all__ = ["ProjectsApi", "content_kind"]

T = TypeVar("T")
Model = TypeVar("Model", bound=BaseModel)


class _Decision(BaseModel):
    # Strict: a string such as "false" must never be read as a decision.
    allowed: StrictBool


class _Decisions(BaseModel):
    results: list[_Decision]


class ProjectsApi:
    """Builds the ten operations of the specification for one project."""

    def __init__(self, project_id: str) -> None:
        self._root = f"/projects/{path_segment(project_id, 'project id')}"

    def enable_sync(
        self, integration: str, sync_type: str, frequency: str | None
    ) -> Operation[SyncStatus]:
        """``enableSync``."""
        body = {"integration": integration, "syncType": sync_type}
        if frequency is not None:
            body["frequency"] = frequency
        request = Request("POST", f"{self._root}/sync/enable", body=body, is_repeatable=False)
        return Operation(request, lambda answer: _model(SyncStatus, answer))

    def get_sync_status(self, integration: str, sync_type: str) -> Operation[SyncStatus]:
        """``getSyncStatus``."""
        params = {"integration": integration, "syncType": sync_type}
        request = Request("GET", f"{self._root}/sync/status", params)
        return Operation(request, lambda answer: _model(SyncStatus, answer))

    def list_records(
        self, integration: str, sync_type: str, cursor: str | None
    ) -> Operation[RecordPage]:
        """``pullSyncedRecords``."""
        params = {"integration": integration, "syncType": sync_type}
        if cursor is not None:
            params["cursor"] = cursor
        request = Request("GET", f"{self._root}/sync/records", params)
        return Operation(request, _record_page)

    def get_record(self, record_id: str) -> Operation[SyncedRecord]:
        """``getSyncedRecord``."""
        request = Request("GET", self._record_path(record_id))
        return Operation(request, lambda answer: _model(SyncedRecord, answer))

    def download_content(self, record_id: str) -> Request:
        """``downloadContent``: only the request, since its answer is streamed."""
        return Request("GET", f"{self._record_path(record_id)}/content")

    def check_access(self, check: AccessCheck) -> Operation[bool]:
        """``checkAccess``."""
        return self._post(
            "/permissions/check-access",
            check.model_dump(by_alias=True),
            lambda answer: _model(_Decision, answer).allowed,
        )

    def batch_check_access(self, checks: Sequence[AccessCheck]) -> Operation[list[bool]]:
        """``batchCheckAccess``; the answer is read only if it decides each check."""

        def parse(answer: Answer) -> list[bool]:
            decisions = [decision.allowed for decision in _model(_Decisions, answer).results]
            if len(decisions) != len(checks):
                raise AccessCheckError(
                    f"The API answered {len(decisions)} decisions to {len(checks)} checks; "
                    f"none of them can be trusted.",
                    undecided=[check.object for check in checks],
                )
            return decisions

        body = {"checks": [check.model_dump(by_alias=True) for check in checks]}
        return self._post("/permissions/batch-check-access", body, parse)

    def list_users(self, object_id: str, relation: str) -> Operation[list[str]]:
        """``listUsers``."""
        return self._post(
            "/permissions/list-users",
            {"object": object_id, "relation": relation},
            lambda answer: _names(answer, ("subjects", "users"), ("id", "subject", "user")),
        )

    def list_objects(
        self, subject: str, relation: str, object_type: str | None
    ) -> Operation[list[str]]:
        """``listObjects``; the specification has no object type, so the answer is filtered too."""
        body = {"subject": subject, "relation": relation}
        if object_type is not None:
            body["objectType"] = object_type

        def parse(answer: Answer) -> list[str]:
            names = _names(answer, ("objects",), ("id", "object"))
            if object_type is None:
                return names
            return [name for name in names if name.startswith(f"{object_type}:")]

        return self._post("/permissions/list-objects", body, parse)

    def expand(self, check: AccessCheck) -> Operation[RelationshipNode]:
        """``expandRelationships``; without a body, nothing is said to be granted."""

        def parse(answer: Answer) -> RelationshipNode:
            if _says_nothing(answer):
                return RelationshipNode(object=check.object, relation=check.relation)
            return _model(RelationshipNode, answer)

        return self._post("/permissions/expand", check.model_dump(by_alias=True), parse)

    def _record_path(self, record_id: str) -> str:
        return f"{self._root}/sync/records/{path_segment(record_id, 'record id')}"

    def _post(self, path: str, body: dict[str, Any], parse: Callable[[Answer], T]) -> Operation[T]:
        return Operation(Request("POST", f"{self._root}{path}", body=body), parse)


def path_segment(value: str, what: str) -> str:
    """A value as one segment of a path.

    Raises:
        InvalidIdentifierError: It is empty, or would name another path.
    """
    if not value or value in {".", ".."}:
        raise InvalidIdentifierError(f"{value!r} cannot be used as a {what}.")
    return quote(value, safe="")


def content_kind(headers: Mapping[str, str]) -> tuple[str, str | None]:
    """The media type and the name of a file from headers, whose names are in lower case."""
    # The standard library's e-mail parser reads parameters, quoting and RFC 2231 names.
    message = Message()
    message["content-type"] = headers.get("content-type", "application/octet-stream")
    message["content-disposition"] = headers.get("content-disposition", "attachment")
    return message.get_content_type(), _filename(message)


def _filename(message: Message) -> str | None:
    try:
        parameters = message.get_params([], header="content-disposition")
    except (TypeError, ValueError):
        # The parser fails at names in parts that do not fit together; the content is good.
        return None
    names = [value for name, value in parameters if name == "filename"]
    # A name with an encoding is parsed into a tuple; it is preferred to the plain one beside it.
    names.sort(key=lambda value: isinstance(value, tuple), reverse=True)
    return collapse_rfc2231_value(names[0]) if names else None


def _record_page(answer: Answer) -> RecordPage:
    # In one step, twice as fast as in two; where that fails, the two steps say what is wrong, or
    # read the encodings that it does not know.
    try:
        return RecordPage.model_validate_json(answer.content)
    except ValidationError:
        return _model(RecordPage, answer)


def _model(model: type[Model], answer: Answer) -> Model:
    return parse_model(model, parse_json(answer))


def _names(answer: Answer, list_keys: Sequence[str], item_keys: Sequence[str]) -> list[str]:
    """Reads a list of identifiers.

    The specification leaves these bodies open. A bare list is read, or one under a usual key, of
    strings or of objects that carry the identifier under a usual key. It allows for no body at all
    too, which names nobody and nothing.
    """
    if _says_nothing(answer):
        return []
    document = parse_json(answer)
    items = document
    if isinstance(document, dict):
        items = next((document[key] for key in list_keys if key in document), None)
    if not isinstance(items, list):
        found = sorted(document) if isinstance(document, dict) else type(document).__name__
        raise ResponseFormatError(
            f"The API answered {found} where a list under one of {list(list_keys)} belongs."
        )
    return [_name(item, item_keys) for item in items]


def _says_nothing(answer: Answer) -> bool:
    """Whether there is no body, and none was meant to be there."""
    return not answer.content and "json" not in answer.headers.get("content-type", "")


def _name(item: Any, keys: Sequence[str]) -> str:
    if isinstance(item, dict):
        item = next((item[key] for key in keys if key in item), item)
    if isinstance(item, str) and item:
        return item
    found = sorted(item) if isinstance(item, dict) else type(item).__name__
    raise ResponseFormatError(f"The API listed {found} where an identifier belongs.")
