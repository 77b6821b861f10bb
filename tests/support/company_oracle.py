"""Who may read what, computed straight from a company's folder.

A second opinion for tests: it shares no code with the server, keeps no graph and no database, and
works out each answer by walking from a path up to the root. Names:

    files:/Finance/Budget.xlsx   a file (or, from ``allowed_folders``, a folder)
    contacts:c-001               a record; likewise deals:… and tickets:…
"""

from __future__ import annotations

import json
import unicodedata
from collections.abc import Iterator
from pathlib import Path, PurePosixPath
from typing import Any

import yaml

# A role and all the roles that imply it.
IMPLIED_BY = {
    "viewer": {"viewer", "editor", "owner"},
    "editor": {"editor", "owner"},
    "owner": {"owner"},
}
RECORDS = {"contact": "contacts", "deal": "deals", "ticket": "tickets"}


class Oracle:
    """An oracle that knows which objects each user of a company may read."""

    def __init__(self, company_folder: Path) -> None:
        self._folder = company_folder
        text = (company_folder / "permissions.yaml").read_text(encoding="utf-8")
        permissions: dict[str, Any] = yaml.safe_load(text) or {}
        self._users = {user.lower() for user in permissions.get("users") or []}
        self._groups: dict[str, list[str]] = permissions.get("groups") or {}
        self._entries: dict[str, dict[str, Any]] = {
            kind: {
                unicodedata.normalize("NFC", path): entry or {}
                for path, entry in (permissions.get(kind) or {}).items()
            }
            for kind in ("files", *RECORDS.values())
        }

    def everything(self) -> set[str]:
        """All files and records, whoever may read them; no folders."""
        references = {f"files:{path}" for path in self._paths(folders=False)}
        for kind in RECORDS.values():
            references |= {f"{kind}:{record_id}" for record_id in self._record_ids(kind)}
        return references

    def allowed(self, user: str, relation: str = "viewer") -> set[str]:
        """The files and records to which a user has a relation; nothing for an unknown user."""
        return {
            reference
            for reference in self.everything()
            if user.lower() in self._holders(reference, relation)
        }

    def allowed_folders(self, user: str, relation: str = "viewer") -> set[str]:
        """The folders to which a user has a relation, the root folder ``files:/`` among them."""
        folders = {"files:/", *(f"files:{path}" for path in self._paths(folders=True))}
        return {name for name in folders if user.lower() in self._holders(name, relation)}

    def _paths(self, *, folders: bool) -> Iterator[str]:
        root = self._folder / "files"
        for path in root.rglob("*"):
            if path.is_dir() == folders:
                yield unicodedata.normalize("NFC", f"/{path.relative_to(root).as_posix()}")

    def _record_ids(self, kind: str) -> Iterator[str]:
        path = self._folder / f"{kind}.jsonl"
        if path.exists():
            for line in path.read_text(encoding="utf-8").split("\n"):
                if line.strip():
                    yield str(json.loads(line)["id"])

    def _holders(self, reference: str, relation: str) -> set[str]:
        kind, _, name = reference.partition(":")
        entries = self._entries[kind]
        place = PurePosixPath(name if kind == "files" else f"/{name}")
        holders: set[str] = set()
        for step in [place, *place.parents]:
            entry = entries.get(str(step), {})
            for role in IMPLIED_BY[relation] & entry.keys():
                holders |= self._members(entry[role])
            if entry.get("inherit") is False:
                break
        return holders & self._users

    def _members(self, principals: list[str]) -> set[str]:
        members: set[str] = set()
        seen: set[str] = set()
        waiting = list(principals)
        while waiting:
            principal = waiting.pop()
            if principal in seen:
                continue
            seen.add(principal)
            if principal == "organization":
                members |= self._users
            elif principal.startswith("group:"):
                waiting += self._groups.get(principal.removeprefix("group:")) or []
            else:
                members.add(principal.lower())
        return members


def reference_of(answer_in: str) -> str:
    """A question's ``answer_in`` as the oracle names it: ``deal:d-001`` is ``deals:d-001``."""
    if answer_in.startswith("/"):
        return f"files:{answer_in}"
    kind, _, record_id = answer_in.partition(":")
    return f"{RECORDS[kind]}:{record_id}"
