"""Published records existed at one moment, and nothing opens by accident."""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest

from managed_sync.errors import PermissionsFileError, SourceError
from managed_sync.server.domain import PipelineName, Scope, record_id
from managed_sync.server.graph.schema import GraphQuery
from managed_sync.server.graph.sql import SqlEngine
from managed_sync.server.sources import file_tree
from managed_sync.server.sources.descent import TreePath
from managed_sync.server.sources.folder import FolderSource
from managed_sync.server.storage.database import Database
from managed_sync.server.storage.pipelines import enable_pipeline, find_pipeline
from managed_sync.server.storage.records import known_items
from managed_sync.server.sync.pipeline_sync import synchronize
from managed_sync.server.sync.runner import Pipelines
from tests.server.company import Company

SCOPE = Scope("demo", "acme")
FILES = PipelineName("googleDrive", "files")
CONTACTS = PipelineName("salesforce", "contacts")
STAFF = ["ada@x.example", "ben@x.example", "cleo@x.example", "hr@x.example"]
BEN = "ben@x.example"

PERMISSIONS = """\
users: [ada@x.example, ben@x.example, cleo@x.example, hr@x.example]
groups:
  hr: [hr@x.example]
files:
  /: {viewer: [organization]}
  /HR: {inherit: false, viewer: [group:hr]}
contacts:
  /: {viewer: [organization]}
  /c-1: {inherit: false, viewer: [group:hr]}
"""


class Folder:
    """A company whose syncs a test interrupts."""

    def __init__(self, company: Company, database: Database) -> None:
        self.company = company
        self.files = company.files
        self.database = database
        self.engine = SqlEngine(database)
        self.source = FolderSource(company.folder)
        self.waited: list[float] = []
        self.on_wait: Callable[[], object] = lambda: None

    def sync(self, name: PipelineName = FILES) -> tuple[str, ...]:
        """Syncs, and returns the warnings."""
        with self.database.writing() as connection:
            pipeline = enable_pipeline(connection, SCOPE, name)
        synchronize(
            self.database,
            self.engine,
            self.source,
            pipeline,
            keep_going=lambda: None,
            progress=lambda _read: None,
            wait=self._wait,
        )
        with self.database.reading() as connection:
            found = find_pipeline(connection, SCOPE, name)
        assert found is not None
        return found.warnings

    def published(self, name: PipelineName = FILES) -> set[str]:
        with self.database.reading() as connection:
            pipeline = find_pipeline(connection, SCOPE, name)
            assert pipeline is not None
            return set(known_items(connection, pipeline))

    def readers(
        self, path: str, name: PipelineName = FILES, users: Sequence[str] = STAFF
    ) -> list[str]:
        kind = name.sync_type.removesuffix("s")
        questions = [
            GraphQuery(f"user:{user}", "viewer", f"{kind}:{record_id(SCOPE, name, path)}")
            for user in users
        ]
        with self.engine.graph(SCOPE) as graph:
            answers = graph.check(questions)
        return [user for user, allowed in zip(users, answers, strict=True) if allowed]

    def edit(self, old: str, new: str) -> None:
        self.company.replace_in_permissions(old, new)

    def rename(self, old: str, new: str) -> None:
        (self.files / old).rename(self.files / new)

    def _wait(self, seconds: float) -> None:
        self.waited.append(seconds)
        self.on_wait()


@pytest.fixture
def folder(tmp_path: Path) -> Iterator[Folder]:
    company = Company(tmp_path / "company")
    company.write_permissions(PERMISSIONS)
    for path in ("HR/pay.md", "lunch.md", "Plans/plan.md", "zz/last.md"):
        company.write_file(path, path)
    company.write_lines("contacts", *({"id": f"c-{number}"} for number in range(4)))
    database = Database(tmp_path / "server.db")
    yield Folder(company, database)
    database.close()


@pytest.fixture
def after_reading(monkeypatch: pytest.MonkeyPatch) -> Callable[..., None]:
    """Does something once, when a sync has read the folder with this name."""
    entries = file_tree._entries
    awaited: dict[str, Callable[[], object]] = {}

    def read(folder: TreePath) -> Any:
        found = entries(folder)
        if action := awaited.pop(folder.name, None):
            action()
        return found

    def plan(name: str, *actions: Callable[[], object]) -> None:
        awaited[name] = lambda: [action() for action in actions]

    monkeypatch.setattr(file_tree, "_entries", read)
    return plan


class TestOneMoment:
    def test_a_folder_renamed_with_its_entry_during_a_sync_stays_closed(
        self, folder: Folder, after_reading: Callable[..., None]
    ) -> None:
        folder.sync()
        after_reading(
            "HR",
            lambda: folder.rename("HR", "People"),
            lambda: folder.edit("/HR:", "/People:"),
        )
        folder.sync()
        assert "/HR/pay.md" not in folder.published()
        assert folder.readers("/HR/pay.md") == []
        assert folder.readers("/People/pay.md") == ["hr@x.example"]

    @pytest.mark.parametrize("steps", [("rename", "edit"), ("edit", "rename")])
    def test_in_either_order_with_a_sync_between_it_stays_closed(
        self, folder: Folder, steps: tuple[str, str]
    ) -> None:
        actions: dict[str, Callable[[], None]] = {
            "rename": lambda: folder.rename("HR", "People"),
            "edit": lambda: folder.edit("/HR:", "/People:"),
        }
        folder.sync()
        actions[steps[0]]()
        with pytest.raises(PermissionsFileError, match=r"permissions.yaml, line 6: .*correct the"):
            folder.sync()
        folder.sync(CONTACTS) if steps[0] == "rename" else None
        assert folder.readers("/HR/pay.md") == ["hr@x.example"]
        assert folder.readers("/People/pay.md") == []
        actions[steps[1]]()
        folder.sync()
        assert folder.readers("/HR/pay.md") == []
        assert folder.readers("/People/pay.md") == ["hr@x.example"]

    def test_files_and_permissions_that_change_together_are_published_together(
        self, folder: Folder, after_reading: Callable[..., None]
    ) -> None:
        folder.sync()
        after_reading(
            "files",
            lambda: folder.company.write_file("Plans/secret.md"),
            lambda: folder.edit("files:\n", "files:\n  /Plans: {inherit: false}\n"),
        )
        folder.sync()
        assert "/Plans/secret.md" in folder.published()
        assert folder.readers("/Plans/secret.md") == []

    def test_a_file_moved_while_it_is_listed_does_not_vanish(
        self, folder: Folder, after_reading: Callable[..., None]
    ) -> None:
        folder.sync()
        after_reading("Plans", lambda: folder.rename("zz/last.md", "Plans/last.md"))
        folder.sync()
        assert folder.published() >= {"/Plans/last.md"}
        assert "/zz/last.md" not in folder.published()

    def test_a_folder_that_never_rests_is_published_unless_something_is_moved(
        self, folder: Folder, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        folder.sync()
        entries, numbers = file_tree._entries, iter(range(1_000))

        def read(path: TreePath) -> Any:
            found = entries(path)
            folder.company.write_file(f"log-{next(numbers)}.txt")
            return found

        with monkeypatch.context() as patch:
            patch.setattr(file_tree, "_entries", read)
            folder.sync()
        assert "/log-0.txt" in folder.published()
        assert len(folder.waited) == 6

        def move(path: TreePath) -> Any:
            found = entries(path)
            here = next(folder.files.rglob("last.md"))
            here.rename(folder.files / ("Plans" if here.parent.name == "zz" else "zz") / here.name)
            return found

        before = folder.published()
        with monkeypatch.context() as patch:
            patch.setattr(file_tree, "_entries", move)
            with pytest.raises(SourceError, match="quieter"):
                folder.sync()
        assert folder.published() == before

    def test_while_the_folder_is_locked_nothing_is_published(self, folder: Folder) -> None:
        folder.sync()
        lock = folder.company.folder / "permissions.yaml.lock"
        lock.touch()
        # A swap, which no single sync could tell from two folders that were meant to be so.
        for old, new in (("HR", "X"), ("Plans", "HR"), ("X", "Plans")):
            folder.rename(old, new)
        with pytest.raises(SourceError, match="Remove the lock when"):
            folder.sync()
        assert folder.readers("/HR/pay.md") == ["hr@x.example"]
        folder.edit("/HR:", "/Plans:")
        folder.on_wait = lambda: lock.unlink(missing_ok=True)
        folder.sync()
        assert folder.readers("/Plans/pay.md") == ["hr@x.example"]
        assert folder.readers("/HR/plan.md") == STAFF


class TestSharedGroups:
    def test_the_sync_of_one_pipeline_publishes_the_permissions_of_all(
        self, folder: Folder
    ) -> None:
        folder.sync()
        folder.sync(CONTACTS)
        # The group gets a member, who is kept from the contact by name.
        folder.edit("hr: [hr@x.example]", "hr: [hr@x.example, ben@x.example]")
        folder.edit(
            "/c-1: {inherit: false, viewer: [group:hr]}",
            "/c-1: {inherit: false, viewer: [hr@x.example]}",
        )
        folder.sync()
        assert folder.readers("/HR/pay.md") == [BEN, "hr@x.example"]
        assert folder.readers("c-1", CONTACTS) == ["hr@x.example"]

    def test_a_pipeline_that_cannot_be_listed_opens_to_nobody_new(self, folder: Folder) -> None:
        folder.sync()
        folder.sync(CONTACTS)
        (folder.company.folder / "contacts.jsonl").unlink()
        folder.edit("hr: [hr@x.example]", "hr: [hr@x.example, ben@x.example]")
        folder.edit("/c-1: {inherit: false, viewer: [group:hr]}", "/c-1: {inherit: false}")
        warnings = folder.sync()
        assert any("salesforce/contacts cannot be listed" in warning for warning in warnings)
        assert folder.readers("/HR/pay.md") == [BEN, "hr@x.example"]
        assert folder.readers("c-1", CONTACTS) == []
        assert folder.readers("c-2", CONTACTS) == STAFF

    def test_a_disabled_pipeline_keeps_its_records_under_the_permissions_of_today(
        self, folder: Folder
    ) -> None:
        folder.sync()
        folder.sync(CONTACTS)
        work = Pipelines(folder.database, folder.engine, folder.source, "demo")
        with folder.database.reading() as connection:
            contacts = find_pipeline(connection, SCOPE, CONTACTS)
        assert contacts is not None
        work.disable(contacts)
        work.stop()
        folder.company.write_lines("contacts", {"id": "c-1"}, {"id": "c-9"})
        folder.edit("hr: [hr@x.example]", "hr: [hr@x.example, ben@x.example]")
        folder.edit(
            "contacts:\n  /: {viewer: [organization]}", "contacts:\n  /: {viewer: [group:hr]}"
        )
        folder.sync()
        assert folder.published(CONTACTS) == {"c-0", "c-1", "c-2", "c-3"}
        assert folder.readers("c-1", CONTACTS) == [BEN, "hr@x.example"]
        assert folder.readers("c-2", CONTACTS) == []
        assert folder.readers("c-9", CONTACTS) == []

    def test_an_entry_that_protects_nothing_holds_back_all_pipelines(self, folder: Folder) -> None:
        folder.sync()
        folder.sync(CONTACTS)
        folder.edit("/HR:", "/Hr:")
        folder.edit("contacts:\n  /: {viewer: [organization]}", "contacts:\n  /: {}")
        with pytest.raises(PermissionsFileError, match="but /HR is"):
            folder.sync(CONTACTS)
        assert folder.readers("c-2", CONTACTS) == STAFF


class TestProtection:
    @pytest.mark.parametrize(
        ("written", "says"),
        [
            ("/hr:", "but /HR is"),
            ("/HR /:", "is not there"),
            ("/HR/pay.md/:", "is a file, not a folder"),
            ("/Gone/HR:", "is not there"),
        ],
    )
    def test_a_protected_path_that_is_not_there_stops_even_the_first_sync(
        self, folder: Folder, written: str, says: str
    ) -> None:
        folder.edit("/HR:", written)
        with pytest.raises(PermissionsFileError, match=says):
            folder.sync()
        assert folder.published() == set()

    def test_either_unicode_form_of_a_path_and_a_slash_at_its_end_protect(
        self, folder: Folder
    ) -> None:
        folder.rename("HR", "Bu\u0308ro")
        folder.edit("/HR:", "/B\u00fcro/:")
        folder.sync()
        assert folder.readers("/B\u00fcro/pay.md") == ["hr@x.example"]

    def test_an_entry_that_only_grants_may_name_nothing(self, folder: Folder) -> None:
        folder.edit("files:\n", "files:\n  /Gone: {viewer: [group:hr]}\n")
        (warning,) = folder.sync()
        assert "/Gone" in warning
        assert folder.readers("/HR/pay.md") == ["hr@x.example"]

    def test_a_protected_folder_that_is_renamed_and_made_anew_stays_closed(
        self, folder: Folder
    ) -> None:
        folder.sync()
        folder.rename("HR", "People")
        folder.company.write_file("HR/new.md")
        with pytest.raises(PermissionsFileError, match="at /People now"):
            folder.sync()
        assert folder.readers("/People/pay.md") == []
        folder.edit("files:\n", "files:\n  /People: {inherit: false, viewer: [group:hr]}\n")
        folder.sync()
        assert folder.readers("/People/pay.md") == ["hr@x.example"]
        assert folder.readers("/HR/new.md") == ["hr@x.example"]

    def test_a_protected_folder_that_reappears_is_protected(
        self, folder: Folder, tmp_path: Path
    ) -> None:
        folder.sync()
        (folder.files / "HR").rename(tmp_path / "trash")
        with pytest.raises(PermissionsFileError, match="remove the entry"):
            folder.sync()
        (tmp_path / "trash").rename(folder.files / "HR")
        folder.sync()
        assert folder.readers("/HR/pay.md") == ["hr@x.example"]

    def test_what_is_moved_into_a_protected_folder_is_closed(self, folder: Folder) -> None:
        folder.sync()
        folder.rename("lunch.md", "HR/lunch.md")
        folder.sync()
        assert folder.readers("/lunch.md") == []
        assert folder.readers("/HR/lunch.md") == ["hr@x.example"]

    def test_a_protected_folder_inside_one_that_cannot_be_read_stops_the_sync(
        self, folder: Folder, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        folder.company.write_file("Plans/Board/votes.md")
        folder.edit("files:\n", "files:\n  /Plans/Board: {inherit: false}\n")
        folder.sync()
        entries = file_tree._entries

        def refuse(path: TreePath) -> Any:
            if path.name == "Plans":
                raise PermissionError(13, "Permission denied")
            return entries(path)

        monkeypatch.setattr(file_tree, "_entries", refuse)
        with pytest.raises(PermissionsFileError, match="because /Plans cannot be read"):
            folder.sync()

    def test_records_that_are_new_stay_closed_while_a_protected_one_is_missing(
        self, folder: Folder
    ) -> None:
        folder.sync(CONTACTS)
        folder.company.write_lines("contacts", {"id": "c-0"}, {"id": "C-1"})
        for _ in range(2):
            (warning,) = folder.sync(CONTACTS)
            assert "but C-1 is" in warning
            assert folder.readers("c-0", CONTACTS) == STAFF
            assert folder.readers("C-1", CONTACTS) == []
        folder.edit("/c-1:", "/C-1:")
        assert folder.sync(CONTACTS) == ()
        assert folder.readers("C-1", CONTACTS) == ["hr@x.example"]

    def test_a_record_keeps_its_protection_while_another_path_is_misspelled(
        self, folder: Folder
    ) -> None:
        folder.sync(CONTACTS)
        folder.edit("/c-1:", "/c-l:")
        folder.sync(CONTACTS)
        assert folder.readers("c-1", CONTACTS) == []


class TestLinks:
    def test_a_link_is_for_those_who_may_read_what_it_leads_to(self, folder: Folder) -> None:
        folder.edit("files:\n", "files:\n  /Plans: {viewer: [public]}\n")
        (folder.files / "Plans/pay.md").symlink_to(folder.files / "HR/pay.md")
        (folder.files / "HR/lunch.md").symlink_to(folder.files / "lunch.md")
        (folder.files / "lunch-too.md").symlink_to(folder.files / "lunch.md")
        (warning,) = folder.sync()
        assert "/Plans/pay.md is a link to /HR/pay.md" in warning
        assert folder.readers("/Plans/pay.md") == []
        assert folder.readers("/HR/lunch.md") == ["hr@x.example"]
        assert folder.readers("/lunch-too.md") == STAFF
        folder.edit("viewer: [group:hr]}\ncontacts", "viewer: [organization, public]}\ncontacts")
        folder.sync()
        assert folder.readers("/Plans/pay.md") == STAFF

    @pytest.mark.parametrize("place", ["Plans", "pay.md"])
    def test_a_link_that_cannot_be_read_any_more_is_as_closed_as_before(
        self, folder: Folder, monkeypatch: pytest.MonkeyPatch, place: str
    ) -> None:
        link = folder.files / "Plans/pay.md"
        link.symlink_to(folder.files / "HR/pay.md")
        folder.sync()
        entries, digest = file_tree._entries, file_tree._digest

        def refuse(read: Callable[..., Any]) -> Callable[..., Any]:
            def refused(path: TreePath, *arguments: Any) -> Any:
                if path.location in {"Plans", "Plans/pay.md"} and path.name == place:
                    raise PermissionError(13, "Permission denied")
                return read(path, *arguments)

            return refused

        monkeypatch.setattr(file_tree, "_entries", refuse(entries))
        monkeypatch.setattr(file_tree, "_digest", refuse(digest))
        link.unlink()
        link.write_text("nobody may read this")
        for _ in range(2):
            assert any("/Plans/pay.md is a link to /HR/pay.md" in one for one in folder.sync())
            assert "/Plans/pay.md" in folder.published()
            assert folder.readers("/Plans/pay.md") == []

    def test_a_link_to_itself_in_place_of_a_link_opens_nothing(self, folder: Folder) -> None:
        link = folder.files / "Plans/pay.md"
        link.symlink_to(folder.files / "HR/pay.md")
        folder.sync()
        link.unlink()
        link.symlink_to(link)
        assert any("leads nowhere" in one for one in folder.sync())
        assert "/Plans/pay.md" not in folder.published()


class TestOpening:
    def _fill(self, folder: Folder) -> None:
        for number in range(12):
            folder.company.write_file(f"HR/{number}.md", str(number))
        folder.sync()

    def test_many_records_are_opened_only_when_it_is_confirmed(self, folder: Folder) -> None:
        self._fill(folder)
        folder.edit("  /HR: {inherit: false, viewer: [group:hr]}\n", "")
        with pytest.raises(SourceError, match="13 records") as raised:
            folder.sync()
        assert "/HR/0.md" in str(raised.value)
        assert folder.readers("/HR/pay.md") == ["hr@x.example"]
        line = str(raised.value).split("the line '")[1].split("' to")[0]
        folder.edit("users:", f"{line}\nusers:")
        folder.company.write_file("HR/one-more.md")
        folder.sync()
        assert folder.readers("/HR/pay.md") == STAFF

    def test_a_confirmation_holds_for_one_opening_only(self, folder: Folder) -> None:
        self._fill(folder)
        for number in range(12):
            folder.company.write_file(f"Board/{number}.md", str(number))
        folder.edit("files:\n", "files:\n  /Board: {inherit: false}\n")
        folder.sync()
        folder.edit("  /HR: {inherit: false, viewer: [group:hr]}\n", "")
        with pytest.raises(SourceError) as raised:
            folder.sync()
        line = str(raised.value).split("the line '")[1].split("' to")[0]
        folder.edit("users:", f"{line}\nusers:")
        folder.edit("  /Board: {inherit: false}\n", "")
        with pytest.raises(SourceError, match="25 records"):
            folder.sync()

    @pytest.mark.parametrize("way", ["touched", "copied"])
    def test_moved_files_are_known_again_by_their_content(self, folder: Folder, way: str) -> None:
        self._fill(folder)
        files = folder.files
        for number in range(12):
            old, new = files / f"HR/{number}.md", files / f"Open{number}.md"
            if way == "copied":
                new.write_bytes(old.read_bytes())
                old.unlink()
            else:
                old.rename(new)
                os.utime(new, (1, 1))
        with pytest.raises(SourceError, match="12 records"):
            folder.sync()

    def test_a_protected_file_that_was_moved_and_touched_while_another_took_its_place(
        self, folder: Folder
    ) -> None:
        files = folder.files
        folder.company.write_file("pay.md", "the pay of last year")
        folder.edit("files:\n", "files:\n  /pay.md: {inherit: false, viewer: [group:hr]}\n")
        folder.sync()
        (files / "pay.md").rename(files / "pay-old.md")
        os.utime(files / "pay-old.md", (1, 1))
        folder.company.write_file("pay.md", "the pay of this year")
        with pytest.raises(PermissionsFileError, match=r"is at /pay-old\.md now"):
            folder.sync()

    def test_many_files_moved_out_of_a_closed_folder_are_an_opening(self, folder: Folder) -> None:
        folder.company.write_file("HR/Old/x.md")
        for number in range(12):
            folder.company.write_file(f"HR/Old/{number}.md", str(number))
        folder.sync()
        folder.rename("HR/Old", "Old")
        with pytest.raises(SourceError, match="13 records"):
            folder.sync()
        assert folder.readers("/Old/x.md") == []

    def test_one_more_reader_or_a_new_colleague_is_no_mass_opening(self, folder: Folder) -> None:
        self._fill(folder)
        folder.edit("hr: [hr@x.example]", "hr: [hr@x.example, ben@x.example]")
        folder.edit("users: [", "users: [new@x.example, ")
        folder.sync()
        assert folder.readers("/HR/pay.md") == [BEN, "hr@x.example"]

    def test_a_half_written_permissions_file_opens_nothing(self, folder: Folder) -> None:
        folder.sync()
        whole = (folder.company.folder / "permissions.yaml").read_text()
        # Still YAML: everything from the entry of /HR on is missing.
        folder.company.write_permissions(whole[: whole.index("  /HR")])
        folder.on_wait = lambda: folder.company.write_permissions(whole)
        folder.sync()
        assert folder.waited[0] > 0
        assert folder.readers("/HR/pay.md") == ["hr@x.example"]

    def test_a_half_written_permissions_file_opens_nothing_to_a_new_colleague(
        self, folder: Folder
    ) -> None:
        folder.sync()
        path = folder.company.folder / "permissions.yaml"
        # Everybody else may read /HR already, so that nothing but the new colleague is new.
        folder.edit("viewer: [group:hr]", "viewer: [group:hr, ada@x.example, ben@x.example]")
        folder.edit("/HR: {inherit: false, ", "/HR: {inherit: false, editor: [cleo@x.example], ")
        folder.sync()
        whole = path.read_text().replace("users: [", "users: [new@x.example, ")
        folder.company.write_permissions(whole[: whole.index("  /HR")])

        def go_on_writing() -> None:
            folder.on_wait = lambda: None
            folder.company.write_permissions(whole)

        folder.on_wait = go_on_writing
        folder.sync()
        assert folder.readers("/HR/pay.md", users=["new@x.example"]) == []

    def test_a_last_line_without_an_end_opens_nothing(self, folder: Folder) -> None:
        folder.sync()
        text = (folder.company.folder / "permissions.yaml").read_text()
        folder.company.write_permissions(text[: text.index("\n  /HR")])
        with pytest.raises(PermissionsFileError, match="half written"):
            folder.sync()
        assert folder.readers("/HR/pay.md") == ["hr@x.example"]


class TestLines:
    def test_a_file_that_ends_in_the_middle_of_a_line_changes_nothing(self, folder: Folder) -> None:
        folder.sync(CONTACTS)
        path = folder.company.folder / "contacts.jsonl"
        path.write_text(path.read_text()[:-8])
        with pytest.raises(SourceError, match="half written"):
            folder.sync(CONTACTS)
        assert folder.published(CONTACTS) == {"c-0", "c-1", "c-2", "c-3"}

    def test_an_empty_file_where_records_were_changes_nothing(self, folder: Folder) -> None:
        folder.sync(CONTACTS)
        path = folder.company.folder / "contacts.jsonl"
        path.write_text("")
        with pytest.raises(SourceError, match="is empty"):
            folder.sync(CONTACTS)
        assert len(folder.published(CONTACTS)) == 4
        # An empty line says that it is meant.
        path.write_text("\n")
        folder.edit("  /c-1: {inherit: false, viewer: [group:hr]}\n", "")
        folder.sync(CONTACTS)
        assert folder.published(CONTACTS) == set()

    def test_a_file_that_is_written_while_it_is_read_is_read_again(
        self, folder: Folder, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        look_again = FolderSource.look_again
        rows = [json.dumps({"id": f"c-{number}"}) for number in range(1, 3)]

        def write_first(source: FolderSource, *arguments: Any) -> Any:
            if rows:
                folder.company.write_lines("contacts", *rows)
                rows.clear()
            return look_again(source, *arguments)

        monkeypatch.setattr(FolderSource, "look_again", write_first)
        folder.sync(CONTACTS)
        assert folder.published(CONTACTS) == {"c-1", "c-2"}


class TestGoneMount:
    def test_an_empty_folder_where_a_mount_was_changes_nothing(
        self, folder: Folder, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
    ) -> None:
        with monkeypatch.context() as patch:
            patch.setattr(file_tree, "_is_mount", lambda path: path.name == "zz")
            folder.sync()
        (folder.files / "zz").rename(tmp_path / "zz")
        (folder.files / "zz").mkdir()
        with pytest.raises(SourceError, match="/zz is empty and no longer a mount point"):
            folder.sync()
        assert "/zz/last.md" in folder.published()
        (folder.files / "zz").rmdir()
        folder.sync()
        assert "/zz/last.md" not in folder.published()

    def test_an_empty_folder_in_place_of_the_files_changes_nothing(
        self, folder: Folder, tmp_path: Path
    ) -> None:
        folder.edit("  /HR: {inherit: false, viewer: [group:hr]}\n", "")
        folder.sync()
        folder.files.rename(tmp_path / "elsewhere")
        folder.files.mkdir()
        with pytest.raises(SourceError, match="mount"):
            folder.sync()
        assert "/lunch.md" in folder.published()
