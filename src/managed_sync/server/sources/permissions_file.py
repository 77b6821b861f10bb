"""``permissions.yaml``: who may read what.

Guarantees:

- A part that cannot be understood is an error that names the file, the line and the allowed
  values. It is never skipped, since skipping could widen access.
- A key that is written twice is an error: YAML would silently use the second one.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import NoReturn

import yaml
from yaml.nodes import MappingNode, Node, ScalarNode, SequenceNode

from managed_sync.errors import InvalidIdentifierError, PermissionsFileError
from managed_sync.identifiers import normalize_subject
from managed_sync.server.domain import ROLES

__all__ = ["DEFAULT_INTEGRATIONS", "Entry", "Permissions", "parse_permissions"]

DEFAULT_INTEGRATIONS: Mapping[str, str] = {
    "files": "googleDrive",
    "contacts": "salesforce",
    "companies": "salesforce",
    "deals": "salesforce",
    "tickets": "zendesk",
}

_TOP_KEYS = (
    "organization",
    "url_prefix",
    "allow_opening",
    "integrations",
    "users",
    "groups",
    *DEFAULT_INTEGRATIONS,
)
_ENTRY_KEYS = (*ROLES, "inherit")
_BOOLEANS = {"true": True, "yes": True, "on": True, "false": False, "no": False, "off": False}


@dataclass(frozen=True)
class Entry:
    """The grants at one path.

    Attributes:
        path: The path.
        line: The line of the entry in the file.
        inherit: Whether grants on containers apply here, too.
        grants: The principals of each role, as written.
        of_folder: Whether the path was written with a final ``/``, which only a folder has.
    """

    path: str
    line: int
    inherit: bool = True
    grants: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    of_folder: bool = False

    def as_written(self) -> dict[str, object]:
        """Returns the entry as the records of the API show it."""
        shown: dict[str, object] = {role: list(names) for role, names in self.grants.items()}
        return shown if self.inherit else {"inherit": False, **shown}


@dataclass(frozen=True)
class Permissions:
    """The content of the file.

    Attributes:
        allow_opening: The code that confirms an opening of many records; see ``openings``.
        entries: The entries of each sync type, by path.
    """

    organization: str = ""
    url_prefix: str | None = None
    allow_opening: str | None = None
    integrations: Mapping[str, str] = field(default_factory=lambda: dict(DEFAULT_INTEGRATIONS))
    users: tuple[str, ...] = ()
    groups: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    entries: Mapping[str, Mapping[str, Entry]] = field(default_factory=dict)


def parse_permissions(content: bytes, path: Path) -> Permissions:
    """Reads a permissions file.

    Args:
        content: The bytes of the file.
        path: Its path, for messages.

    Raises:
        PermissionsFileError: The file is not YAML, or a part of it cannot be understood.
    """
    try:
        root = yaml.compose(content, Loader=getattr(yaml, "CSafeLoader", yaml.SafeLoader))
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark
        location = f"{path}, line {mark.line + 1}" if mark else str(path)
        problem = error.problem or error.context or "cannot be read"
        raise PermissionsFileError(f"{location}: this is not YAML: {problem}.") from None
    except (yaml.YAMLError, UnicodeError, RecursionError) as error:
        reason = str(error).splitlines()[0]
        raise PermissionsFileError(f"{path}: this is not YAML: {reason}.") from None
    if root is None:
        raise PermissionsFileError(
            f"{path} is empty; start with 'users: [you@example.com]' and "
            "'files: {/: {viewer: [organization]}}'."
        )
    return _Parser(path).permissions(root)


class _Parser:
    """Walks the nodes, not the values, since only nodes have line numbers."""

    def __init__(self, path: Path) -> None:
        self._path = path

    def permissions(self, root: Node) -> Permissions:
        top = dict(self._mapping(root, "the file", allowed=_TOP_KEYS))
        integrations = dict(DEFAULT_INTEGRATIONS)
        for sync_type, node in self._optional(
            top, "integrations", allowed=(*DEFAULT_INTEGRATIONS,)
        ):
            integrations[sync_type] = self._text(node, f"integrations: {sync_type}")
        return Permissions(
            organization=self._text(top["organization"], "organization")
            if "organization" in top
            else "",
            url_prefix=self._url_prefix(top["url_prefix"]) if "url_prefix" in top else None,
            allow_opening=self._text(top["allow_opening"], "allow_opening")
            if "allow_opening" in top
            else None,
            integrations=integrations,
            users=self._users(top["users"]) if "users" in top else (),
            groups={
                self._group_name(name, node): self._texts(node, f"groups: {name}")
                for name, node in self._optional(top, "groups")
            },
            entries={
                sync_type: self._entries(top, sync_type) for sync_type in DEFAULT_INTEGRATIONS
            },
        )

    def _entries(self, top: Mapping[str, Node], sync_type: str) -> dict[str, Entry]:
        entries: dict[str, Entry] = {}
        for written, node in self._optional(top, sync_type):
            section = f"{sync_type}: {written}"
            if not written.startswith("/"):
                self._fail(node, f"{section}: a path starts with '/'")
            path = written
            if sync_type == "files":
                path = unicodedata.normalize("NFC", written.rstrip("/")) or "/"
            if path in entries:
                self._fail(node, f"{section}: this path has an entry already; merge the two")
            of_folder = sync_type == "files" and written.endswith("/")
            entries[path] = self._entry(path, node, section, of_folder=of_folder)
        return entries

    def _entry(self, path: str, node: Node, section: str, *, of_folder: bool) -> Entry:
        inherit = True
        grants: dict[str, tuple[str, ...]] = {}
        for key, value in self._mapping(node, section, allowed=_ENTRY_KEYS):
            if key == "inherit":
                inherit = self._boolean(value, f"{section}: inherit")
            else:
                grants[key] = self._texts(value, f"{section}: {key}")
        return Entry(path, node.start_mark.line + 1, inherit, grants, of_folder)

    def _users(self, node: Node) -> tuple[str, ...]:
        users = self._texts(node, "users")
        for user in users:
            try:
                good = "@" in normalize_subject(user) and ":" not in user
            except InvalidIdentifierError:
                good = False
            if not good:
                self._fail(node, f"users: {user!r} is not an e-mail address")
        return users

    def _group_name(self, name: str, node: Node) -> str:
        if not name or not name.isprintable() or any(letter.isspace() for letter in name):
            self._fail(node, f"groups: {name!r} is not a name; write letters, digits, '-' and '_'")
        return name

    def _url_prefix(self, node: Node) -> str:
        prefix = self._text(node, "url_prefix")
        if not prefix.startswith(("https://", "http://")):
            self._fail(node, f"url_prefix: {prefix!r} is not a web address; start with https://")
        return prefix.rstrip("/")

    def _optional(
        self, top: Mapping[str, Node], key: str, *, allowed: tuple[str, ...] | None = None
    ) -> Iterator[tuple[str, Node]]:
        if key in top:
            yield from self._mapping(top[key], key, allowed=allowed)

    def _mapping(
        self, node: Node, section: str, *, allowed: tuple[str, ...] | None = None
    ) -> Iterator[tuple[str, Node]]:
        if _is_null(node):
            return
        if not isinstance(node, MappingNode):
            self._fail(node, f"{section}: expected 'key: value' pairs")
        seen = set()
        for key_node, value in node.value:
            if not isinstance(key_node, ScalarNode):
                self._fail(key_node, f"{section}: a key is plain text")
            key: str = key_node.value
            if allowed is not None and key not in allowed:
                self._fail(
                    key_node, f"{section}: {key!r} is not known; allowed are {', '.join(allowed)}"
                )
            if key in seen:
                self._fail(key_node, f"{section}: {key!r} is there twice; merge the two")
            seen.add(key)
            yield key, value

    def _texts(self, node: Node, section: str) -> tuple[str, ...]:
        if _is_null(node):
            return ()
        if not isinstance(node, SequenceNode):
            self._fail(node, f"{section}: expected a list, such as [organization]")
        return tuple(self._text(item, section) for item in node.value)

    def _text(self, node: Node, section: str) -> str:
        if not isinstance(node, ScalarNode) or _is_null(node) or not node.value.strip():
            self._fail(node, f"{section}: expected text")
        text: str = node.value.strip()
        if not text.isprintable():
            self._fail(node, f"{section}: expected text without control characters")
        return text

    def _boolean(self, node: Node, section: str) -> bool:
        value = _BOOLEANS.get(node.value.lower()) if isinstance(node, ScalarNode) else None
        if value is None:
            self._fail(node, f"{section}: expected true or false")
        return value

    def _fail(self, node: Node, problem: str) -> NoReturn:
        raise PermissionsFileError(f"{self._path}, line {node.start_mark.line + 1}: {problem}.")


def _is_null(node: Node) -> bool:
    return bool(node.tag == "tag:yaml.org,2002:null")
