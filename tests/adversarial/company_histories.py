"""A company folder that is reorganized while it is synced, and everything it committed to.

A ``Writer`` plans changes of files and permissions and carries them out step by step, each step one
call of the file system. A change counts as committed when its last step is done. The tests decide
between which readings of a sync the next step comes.
"""

from __future__ import annotations

import json
import os
import random
import shutil
from collections import deque
from collections.abc import Callable, Iterable
from copy import deepcopy
from dataclasses import dataclass, field
from pathlib import Path

USERS = [f"u{number}@x.example" for number in range(4)]
GROUPS = ["g0", "g1"]

Step = Callable[[], object]


@dataclass
class Entry:
    viewers: list[str] = field(default_factory=list)
    inherit: bool = True


@dataclass
class State:
    """Files and contacts that there are, and who may read them."""

    files: set[str] = field(default_factory=set)
    folders: set[str] = field(default_factory=set)
    contacts: set[str] = field(default_factory=set)
    users: list[str] = field(default_factory=lambda: list(USERS))
    groups: dict[str, list[str]] = field(default_factory=dict)
    entries: dict[str, dict[str, Entry]] = field(
        default_factory=lambda: {"files": {}, "contacts": {}}
    )

    def may_read(self, user: str, sync_type: str, path: str) -> bool:
        """From the path up to the first entry that does not inherit."""
        if path not in (self.files if sync_type == "files" else self.contacts):
            return False
        steps = path.split("/")
        for depth in range(len(steps), 0, -1):
            entry = self.entries[sync_type].get("/".join(steps[:depth]) or "/")
            if entry is None:
                continue
            if any(self._stands_for(viewer, user, frozenset()) for viewer in entry.viewers):
                return True
            if not entry.inherit:
                return False
        return False

    def _stands_for(self, principal: str, user: str, seen: frozenset[str]) -> bool:
        if user not in self.users or principal in seen:
            return False
        if principal == "organization":
            return True
        if principal.startswith("group:"):
            members = self.groups.get(principal.removeprefix("group:"), [])
            return any(self._stands_for(one, user, seen | {principal}) for one in members)
        return principal == user

    def closed(self) -> list[str]:
        return [path for path, entry in self.entries["files"].items() if not entry.inherit]

    def permissions(self) -> str:
        lines = [f"users: {json.dumps(self.users)}", "groups:"]
        lines += [f"  {name}: {json.dumps(members)}" for name, members in self.groups.items()]
        for sync_type, entries in self.entries.items():
            lines.append(f"{sync_type}:")
            for path, entry in entries.items():
                protection = "" if entry.inherit else "inherit: false, "
                lines.append(
                    f"  {json.dumps(path)}: {{{protection}viewer: {json.dumps(entry.viewers)}}}"
                )
        return "\n".join(lines) + "\n"

    def move(self, old: str, new: str, *, with_entries: bool) -> None:
        self.files = {_moved(path, old, new) for path in self.files}
        self.folders = {_moved(path, old, new) for path in self.folders}
        if with_entries:
            self.entries["files"] = {
                _moved(path, old, new): entry for path, entry in self.entries["files"].items()
            }


def _moved(path: str, old: str, new: str) -> str:
    return new + path[len(old) :] if path == old or path.startswith(f"{old}/") else path


class Writer:
    """Reorganizes a company folder.

    Args:
        folder: The company folder; made here.
        draw: Decides what happens.
        half_writes: Whether files are also written in place, so that halves of them can be read.
    """

    def __init__(self, folder: Path, draw: random.Random, *, half_writes: bool) -> None:
        self.folder = folder
        self.committed: list[State] = []
        self.is_half_written = False
        self._draw = draw
        self._half_writes = half_writes
        self._now = State(
            files={"/r", "/A/a", "/A/b", "/HR/pay", "/B/c", "/B/S/s"},
            folders={"/A", "/HR", "/B", "/B/S"},
            contacts={"/c0", "/c1", "/c2"},
            groups={"g0": [USERS[0]], "g1": ["group:g0", USERS[1]]},
        )
        self._now.entries = {
            "files": {
                "/": Entry(["organization"]),
                "/HR": Entry(["group:g0"], inherit=False),
                "/B/S": Entry([USERS[1]], inherit=False),
            },
            "contacts": {"/": Entry(["group:g1"]), "/c1": Entry([USERS[3]], inherit=False)},
        }
        self._steps = deque[Step]()
        self._numbers = iter(range(1, 1_000))
        self._tick = 1_700_000_000_000_000_000
        folder.mkdir()
        (folder / "files").mkdir()
        for path in sorted(self._now.folders):
            self._path(path).mkdir(parents=True, exist_ok=True)
        for path in self._now.files:
            self._write(self._path(path), path)
        self._write_permissions(self._now.permissions())()
        self._write_contacts(self._now)()
        self._commit(self._now)()

    def step(self) -> None:
        """Takes the next step of a change that has begun, or begins another."""
        if not self._steps:
            self._steps.extend(self._change())
        self._steps.popleft()()
        if len(self._steps) == 1:
            # A change is committed with its last step.
            self._steps.popleft()()

    def finish(self) -> None:
        """Brings the change that has begun to its end."""
        while self._steps:
            self.step()

    def allow_opening(self, line: str) -> None:
        """Confirms an opening, as the error of a sync said."""
        self._write_permissions(f"{self._now.permissions()}{line}\n")()

    def give_entry(self, path: str) -> None:
        """Says about a folder that nothing is special about it."""
        self._now.entries["files"][path] = Entry()
        self._write_permissions(self._now.permissions())()
        self._commit(self._now)()

    def paths(self, sync_type: str) -> list[str]:
        """All places that ever held something."""
        states = (
            state.files if sync_type == "files" else state.contacts for state in self.committed
        )
        return sorted(set[str]().union(*states))

    def _change(self) -> list[Step]:
        changes = [
            *[self._add_file, self._remove_file, self._move_file, self._set_permissions] * 2,
            *[self._move_folder] * 4,
            self._remove_folder,
            self._change_contacts,
            *[self._swap_folders, self._several] * 2,
        ]
        before = deepcopy(self._now)
        steps = self._draw.choice(changes)()
        if not steps:
            self._now = before
            return self._change()
        return [*steps, self._commit(self._now)]

    def _commit(self, state: State) -> Step:
        kept = deepcopy(state)
        return lambda: self.committed.append(kept)

    def _add_file(self) -> list[Step]:
        if len(self._now.files) > 9:
            return []
        folder = self._draw.choice(["", *sorted(self._now.folders)])
        path = f"{folder}/n{next(self._numbers)}"
        self._now.files.add(path)
        return [lambda: self._write(self._path(path), path)]

    def _remove_file(self) -> list[Step]:
        if len(self._now.files) < 4:
            return []
        path = self._draw.choice(sorted(self._now.files))
        self._now.files.remove(path)
        return [lambda: self._path(path).unlink()]

    def _move_file(self) -> list[Step]:
        if not self._now.files:
            return []
        old = self._draw.choice(sorted(self._now.files))
        new = f"{self._draw.choice(['', *sorted(self._now.folders)])}/m{next(self._numbers)}"
        self._now.files = {_moved(path, old, new) for path in self._now.files}
        return [lambda: self._rename(old, new)]

    def _move_folder(self) -> list[Step]:
        if not self._now.folders:
            return []
        old = self._draw.choice(sorted(self._now.folders))
        above = [
            folder
            for folder in ["", *sorted(self._now.folders)]
            if folder != old and not folder.startswith(f"{old}/")
        ]
        new = f"{self._draw.choice(above)}/F{next(self._numbers)}"
        is_protected = any(path == old or path.startswith(f"{old}/") for path in self._now.closed())
        self._now.move(old, new, with_entries=is_protected)
        rename: Step = lambda: self._rename(old, new)  # noqa: E731
        if not is_protected:
            return [rename]
        steps = [rename, *self._edited()]
        return steps if self._draw.random() < 0.5 else [*steps[1:], rename]

    def _remove_folder(self) -> list[Step]:
        if len(self._now.folders) < 3:
            return []
        gone = self._draw.choice(sorted(self._now.folders))
        inside = [
            path
            for path in self._now.folders | self._now.files | self._now.entries["files"].keys()
            if path == gone or path.startswith(f"{gone}/")
        ]
        self._now.folders -= set(inside)
        self._now.files -= set(inside)
        # Away at once, as into a trash.
        trash = self.folder / f".trash{next(self._numbers)}"
        steps: list[Step] = [lambda: self._path(gone).rename(trash)]
        if any(path in self._now.entries["files"] for path in inside):
            is_protected = any(path in inside for path in self._now.closed())
            for path in inside:
                self._now.entries["files"].pop(path, None)
            # The entry goes last: without it the folder would lie open.
            steps += self._edited()
            # Only a protecting entry holds the sync back by itself.
            return steps if is_protected else self._locked(steps)
        return steps

    def _set_permissions(self) -> list[Step]:
        draw, now = self._draw, self._now
        kind = draw.randrange(5)
        if kind == 0:
            now.groups[draw.choice(GROUPS)] = draw.sample([*USERS, "group:g0"], draw.randrange(3))
        elif kind == 1:
            now.users = sorted(draw.sample(USERS, draw.randrange(2, 5)))
        elif kind == 2:
            place = draw.choice(["/", *sorted(now.folders | now.files)])
            now.entries["files"][place] = self._entry()
        elif kind == 3:
            place = draw.choice(["/", *sorted(now.contacts)])
            now.entries["contacts"][place] = self._entry()
        elif len(now.entries["files"]) > 1:
            place = draw.choice(sorted(now.entries["files"].keys() - {"/"}))
            del now.entries["files"][place]
        # A file may be removed or moved while it has an entry; a protecting one must be there.
        for path in now.closed():
            if path not in now.folders:
                now.entries["files"][path].inherit = True
        return self._edited()

    def _change_contacts(self) -> list[Step]:
        now = self._now
        if self._draw.random() < 0.5 or not now.contacts:
            now.contacts.add(f"/c{next(self._numbers)}")
            return self._contacts_written()
        gone = self._draw.choice(sorted(now.contacts))
        now.contacts.remove(gone)
        steps = self._contacts_written()
        if now.entries["contacts"].pop(gone, None):
            return self._locked([*steps, *self._edited()])
        return steps

    def _swap_folders(self) -> list[Step]:
        folders = sorted(self._now.folders)
        pairs = [
            (one, other)
            for one in folders
            for other in folders
            if one < other and not other.startswith(f"{one}/")
        ]
        if not pairs:
            return []
        one, other = self._draw.choice(pairs)
        between = f"/X{next(self._numbers)}"
        moves = [(one, between), (other, one), (between, other)]
        for old, new in moves:
            self._now.move(old, new, with_entries=True)
        steps: list[Step] = [lambda pair=pair: self._rename(*pair) for pair in moves]  # type: ignore[misc]
        edits = self._edited()
        return self._locked([*steps, *edits] if self._draw.random() < 0.5 else [*edits, *steps])

    def _several(self) -> list[Step]:
        changes = [self._add_file, self._move_file, self._move_folder, self._set_permissions]
        steps = [step for _ in range(3) for step in self._draw.choice(changes)()]
        return self._locked(steps)

    def _locked(self, steps: list[Step]) -> list[Step]:
        lock = self.folder / "permissions.yaml.lock"
        return [lock.touch, *steps, lock.unlink]

    def _entry(self) -> Entry:
        principals = [*USERS, *(f"group:{name}" for name in GROUPS), "organization"]
        viewers = self._draw.sample(principals, self._draw.randrange(3))
        return Entry(viewers, inherit=self._draw.random() < 0.6)

    def _edited(self) -> list[Step]:
        text = self._now.permissions()
        if not self._half_writes or self._draw.random() < 0.5:
            return [self._write_permissions(text)]
        lines = text.splitlines(keepends=True)
        half = "".join(lines[: self._draw.randrange(len(lines))])
        if self._draw.random() < 0.3:
            half = text[: self._draw.randrange(len(text))]
        return self._in_halves(self.folder / "permissions.yaml", half, text)

    def _contacts_written(self) -> list[Step]:
        now = deepcopy(self._now)
        if not self._half_writes:
            return [self._write_contacts(now)]
        text = _lines(now.contacts)
        half = text[: self._draw.randrange(len(text) or 1)]
        return self._in_halves(self.folder / "contacts.jsonl", half, text)

    def _in_halves(self, path: Path, half: str, whole: str) -> list[Step]:
        def begin() -> None:
            self.is_half_written = True
            self._write(path, half)

        def end() -> None:
            self._write(path, whole)
            self.is_half_written = False

        return [begin, end]

    def _write_permissions(self, text: str) -> Step:
        return lambda: self._replace(self.folder / "permissions.yaml", text)

    def _write_contacts(self, state: State) -> Step:
        text = _lines(state.contacts)
        return lambda: self._replace(self.folder / "contacts.jsonl", text)

    def _replace(self, path: Path, text: str) -> None:
        draft = self.folder / f".draft{next(self._numbers)}"
        self._write(draft, text)
        draft.replace(path)

    def _write(self, path: Path, text: str) -> None:
        path.write_text(text)
        # A clock that is fine enough for every write.
        self._tick += 1
        os.utime(path, ns=(self._tick, self._tick))

    def _rename(self, old: str, new: str) -> None:
        self._path(old).rename(self._path(new))

    def _path(self, path: str) -> Path:
        return self.folder / "files" / path.removeprefix("/")

    def remove(self) -> None:
        """Takes the folder away."""
        shutil.rmtree(self.folder)


def _lines(contacts: Iterable[str]) -> str:
    return "".join(json.dumps({"id": path.removeprefix("/")}) + "\n" for path in sorted(contacts))
