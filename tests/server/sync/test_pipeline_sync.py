from __future__ import annotations

import os
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from managed_sync.server import EmbeddedServer
from managed_sync.server.sources import file_tree
from managed_sync.server.sources.descent import TreePath
from managed_sync.server.sync.staging import Staging
from tests.server.company import CONTACTS, DEALS, FILES, PERMISSIONS, Caller, Company
from tests.support.draws import draws

MARIA = "maria@harbor.example"
CAROL = "carol@harbor.example"

Connect = Callable[..., Caller]


def _everything(caller: Caller) -> Any:
    """Returns the API's files and their readers."""
    records = caller.records(FILES)
    users = {
        source_id: caller.post(
            "permissions/list-users",
            {"object": caller.object_id(FILES, source_id), "relation": "viewer"},
        ).json()
        for source_id in records
    }
    return records, users


class TestWhatChanged:
    def test_an_added_file_is_there_after_the_next_sync(
        self, caller: Caller, company: Company
    ) -> None:
        caller.enable(FILES)
        company.write_file("Sales/Q3/plan.md", "the plan")
        assert "/Sales/Q3/plan.md" not in caller.records(FILES)
        assert caller.enable(FILES)["recordCount"] == 9
        assert "/Sales/Q3/plan.md" in caller.records(FILES)
        assert caller.allowed(MARIA, caller.object_id(FILES, "/Sales/Q3/plan.md"))

    def test_a_changed_file_has_a_new_digest_and_the_same_id(
        self, caller: Caller, company: Company
    ) -> None:
        caller.enable(FILES)
        before = caller.records(FILES)["/handbook.md"]
        company.write_file("handbook.md", "# Handbook\n\nBe kinder.\n")
        caller.enable(FILES)
        after = caller.records(FILES)["/handbook.md"]
        assert after["id"] == before["id"]
        assert after["data"]["digest"] != before["data"]["digest"]
        assert after["data"]["size"] == before["data"]["size"] + 2

    def test_a_removed_file_is_gone_after_the_next_sync(
        self, caller: Caller, company: Company
    ) -> None:
        caller.enable(FILES)
        record = caller.records(FILES)["/handbook.md"]
        (company.files / "handbook.md").unlink()
        caller.enable(FILES)
        assert "/handbook.md" not in caller.records(FILES)
        assert caller.get(f"sync/records/{record['id']}").status_code == 404
        assert not caller.allowed(MARIA, f"file:{record['id']}")

    def test_a_renamed_folder_is_another_one(self, caller: Caller, company: Company) -> None:
        company.write_file("Sales/plan.md")
        caller.enable(FILES)
        old = caller.object_id(FILES, "/Sales/plan.md")
        (company.files / "Sales").rename(company.files / "Vertrieb")
        caller.enable(FILES)
        new = caller.object_id(FILES, "/Vertrieb/plan.md")
        assert "/Sales" not in caller.records(FILES)
        assert not caller.allowed(MARIA, old)
        assert caller.allowed(MARIA, new)

    def test_a_file_moved_out_of_a_closed_folder_gets_the_grants_of_its_new_place(
        self, caller: Caller, company: Company
    ) -> None:
        caller.enable(FILES)
        (company.files / "Finance/budget.txt").rename(company.files / "budget.txt")
        caller.enable(FILES)
        assert caller.allowed(MARIA, caller.object_id(FILES, "/budget.txt"))

    def test_a_revoked_grant_is_gone_after_the_next_sync(
        self, caller: Caller, company: Company
    ) -> None:
        caller.enable(FILES)
        payroll = caller.object_id(FILES, "/Finance/Payroll/2026.csv")
        assert caller.allowed("dan@harbor.example", payroll)
        company.replace_in_permissions("{editor: [dan@harbor.example]}", "{}")
        caller.enable(FILES)
        assert not caller.allowed("dan@harbor.example", payroll)
        assert caller.records(FILES)["/Finance/Payroll/2026.csv"]["permissions"] == {}

    def test_a_folder_that_is_closed_stops_inheriting(
        self, caller: Caller, company: Company
    ) -> None:
        company.write_file("Sales/plan.md")
        caller.enable(FILES)
        plan = caller.object_id(FILES, "/Sales/plan.md")
        assert caller.allowed(MARIA, plan)
        company.replace_in_permissions("files:\n", "files:\n  /Sales: {inherit: false}\n")
        caller.enable(FILES)
        assert not caller.allowed(MARIA, plan)
        company.replace_in_permissions("  /Sales: {inherit: false}\n", "")
        caller.enable(FILES)
        assert caller.allowed(MARIA, plan)

    def test_a_change_of_groups_holds_for_all_pipelines_after_any_sync(
        self, caller: Caller, company: Company
    ) -> None:
        caller.enable(FILES)
        caller.enable(CONTACTS)
        contact = caller.object_id(CONTACTS, "c-1")
        assert caller.allowed(MARIA, contact)
        company.replace_in_permissions("sales-emea: [maria@harbor.example]", "sales-emea: []")
        caller.enable(FILES)
        assert not caller.allowed(MARIA, contact)

    def test_one_pipeline_leaves_the_grants_of_another_alone(self, caller: Caller) -> None:
        caller.enable(CONTACTS)
        caller.enable(FILES)
        caller.enable(FILES)
        assert caller.allowed(MARIA, caller.object_id(CONTACTS, "c-1"))

    def test_the_status_counts_anew(self, caller: Caller, company: Company) -> None:
        assert caller.enable(CONTACTS)["recordCount"] == 2
        company.write_lines("contacts", {"id": "c-9"})
        assert caller.enable(CONTACTS)["recordCount"] == 1
        assert set(caller.records(CONTACTS)) == {"c-9"}

    def test_ids_survive_a_restart(self, company: Company, state: Path, connect: Connect) -> None:
        with EmbeddedServer(company.folder, state) as first:
            caller = connect(first)
            caller.enable(FILES)
            before = caller.records(FILES)
        with EmbeddedServer(company.folder, state) as second:
            caller = connect(second)
            assert caller.records(FILES) == before
            caller.enable(FILES)
            assert caller.records(FILES) == before

    def test_an_unchanged_file_is_not_read_again(
        self, caller: Caller, company: Company, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        read = []
        digest = file_tree._digest

        def spy(path: TreePath, listing: Any) -> Any:
            read.append(path.name)
            return digest(path, listing)

        monkeypatch.setattr(file_tree, "_digest", spy)
        caller.enable(FILES)
        assert sorted(read) == ["2026.csv", "budget.txt", "handbook.md"]
        read.clear()
        caller.enable(FILES)
        assert read == []
        budget = company.files / "Finance/budget.txt"
        os.utime(budget, ns=(0, budget.stat().st_mtime_ns + 1))
        caller.enable(FILES)
        assert read == ["budget.txt"]


class TestBadInput:
    @pytest.mark.parametrize(
        ("change", "says"),
        [
            (("{viewer: [organization]}", "{viewers: [organization]}"), "'viewers'"),
            (("{viewer: [organization]}", "{viewer: organization}"), "expected a list"),
            (("users: [", "users: [[["), "not YAML"),
        ],
    )
    def test_permissions_that_cannot_be_understood_fail_the_sync_and_change_nothing(
        self, caller: Caller, company: Company, change: tuple[str, str], says: str
    ) -> None:
        good = caller.enable(FILES)
        before = _everything(caller)
        company.write_file("new.txt")
        company.replace_in_permissions(*change)
        status = caller.enable(FILES)
        assert status["status"] == "ERROR"
        assert "permissions.yaml, line" in status["error"]
        assert says in status["error"]
        assert status["lastSyncedAt"] == good["lastSyncedAt"]
        assert _everything(caller) == before
        company.write_permissions(PERMISSIONS)
        repaired = caller.enable(FILES)
        assert (repaired["status"], repaired.get("error")) == ("IDLE", None)
        assert "/new.txt" in caller.records(FILES)

    def test_permissions_that_vanish_fail_the_sync_and_change_nothing(
        self, caller: Caller, company: Company
    ) -> None:
        caller.enable(FILES)
        before = _everything(caller)
        (company.folder / "permissions.yaml").unlink()
        status = caller.enable(FILES)
        assert status["status"] == "ERROR"
        assert "permissions.yaml" in status["error"]
        assert _everything(caller) == before

    @pytest.mark.parametrize("what", ["files", ""])
    def test_a_folder_that_vanishes_deletes_nothing(
        self, caller: Caller, company: Company, tmp_path: Path, what: str
    ) -> None:
        caller.enable(FILES)
        before = _everything(caller)
        (company.folder / what).rename(tmp_path / "elsewhere")
        status = caller.enable(FILES)
        assert status["status"] == "ERROR"
        assert str(company.folder) in status["error"]
        assert _everything(caller) == before

    def test_what_cannot_be_read_now_is_kept_and_named(
        self, caller: Caller, company: Company, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        caller.enable(FILES)
        before = _everything(caller)
        entries = file_tree._entries

        def refuse(folder: TreePath) -> Any:
            if folder.name == "Finance":
                raise PermissionError(13, "Permission denied")
            return entries(folder)

        monkeypatch.setattr(file_tree, "_entries", refuse)
        company.write_file("new.txt")
        status = caller.enable(FILES)
        assert status["status"] == "IDLE"
        assert "/Finance cannot be read (Permission denied)" in status["warnings"][0]
        records, users = _everything(caller)
        assert records.keys() - before[0].keys() == {"/new.txt"}
        assert not before[0].keys() - records.keys()
        for source_id in ("/Finance", "/Finance/budget.txt", "/Finance/Payroll/2026.csv"):
            assert users[source_id] == before[1][source_id]
        # Kept is what was synced, not who may read it.
        company.replace_in_permissions("{editor: [dan@harbor.example]}", "{}")
        caller.enable(FILES)
        payroll = caller.object_id(FILES, "/Finance/Payroll/2026.csv")
        assert not caller.allowed("dan@harbor.example", payroll)

    def test_a_lines_file_that_vanishes_deletes_nothing(
        self, caller: Caller, company: Company
    ) -> None:
        caller.enable(CONTACTS)
        (company.folder / "contacts.jsonl").unlink()
        status = caller.enable(CONTACTS)
        assert status["status"] == "ERROR"
        assert "contacts.jsonl" in status["error"]
        assert set(caller.records(CONTACTS)) == {"c-1", "c-2"}

    def test_an_unknown_user_or_group_gets_nothing_and_is_named(
        self, caller: Caller, company: Company
    ) -> None:
        company.replace_in_permissions(
            "viewer: [group:finance]}",
            "viewer: [group:finance, mia@harbor.example, group:fin, Finance]}",
        )
        company.replace_in_permissions("sales: [", "sales: [zoe@harbor.example, ")
        status = caller.enable(FILES)
        assert status["status"] == "IDLE"
        assert len(status["warnings"]) == 4
        for name in ("mia@harbor.example", "group:fin", "Finance", "zoe@harbor.example"):
            (warning,) = (text for text in status["warnings"] if f"'{name}'" in text)
            assert warning.startswith("permissions.yaml: ")
            assert "correct" in warning
        budget = caller.object_id(FILES, "/Finance/budget.txt")
        assert not caller.allowed("mia@harbor.example", budget)
        assert not caller.allowed("group:fin", budget)
        assert caller.allowed(CAROL, budget)

    def test_a_path_that_does_not_exist_is_named(self, caller: Caller, company: Company) -> None:
        company.replace_in_permissions("files:\n", "files:\n  /x.md: {owner: [organization]}\n")
        (warning,) = caller.enable(FILES)["warnings"]
        assert "/x.md" in warning
        assert "grants are ignored" in warning

    def test_a_protected_path_that_does_not_exist_fails_the_sync_and_changes_nothing(
        self, caller: Caller, company: Company
    ) -> None:
        caller.enable(FILES)
        before = _everything(caller)
        (company.files / "Finance").rename(company.files / "Money")
        status = caller.enable(FILES)
        assert status["status"] == "ERROR"
        for part in (
            "permissions.yaml, line 10",
            "/Finance",
            "correct the path",
            "remove the entry",
        ):
            assert part in status["error"]
        assert _everything(caller) == before
        company.replace_in_permissions("/Finance:", "/Money:")
        company.replace_in_permissions("/Finance/", "/Money/")
        assert caller.enable(FILES)["status"] == "IDLE"
        assert caller.allowed(CAROL, caller.object_id(FILES, "/Money/budget.txt"))
        assert not caller.allowed(MARIA, caller.object_id(FILES, "/Money/budget.txt"))

    def test_a_record_that_does_not_exist_is_named(self, caller: Caller, company: Company) -> None:
        company.replace_in_permissions("/c-2:", "/c-99:")
        (warning,) = caller.enable(CONTACTS)["warnings"]
        assert "/c-99" in warning

    def test_bad_lines_are_named_and_the_rest_goes_on(
        self, caller: Caller, company: Company
    ) -> None:
        company.write_lines(
            "deals", '{"id": "d-1"}', "{broken", "", '{"id": "d-1"}', '{"id":"d-2"}'
        )
        status = caller.enable(DEALS)
        assert status["status"] == "IDLE"
        first, second = status["warnings"]
        assert first.startswith("deals.jsonl, line 2 ")
        assert second.startswith("deals.jsonl, line 4 ")
        assert set(caller.records(DEALS)) == {"d-1", "d-2"}

    def test_nothing_is_readable_without_a_grant(self, caller: Caller, company: Company) -> None:
        company.write_lines("deals", {"id": "d-1"})
        caller.enable(DEALS)
        for user in (MARIA, CAROL):
            assert not caller.allowed(user, caller.object_id(DEALS, "d-1"))

    def test_very_many_warnings_are_counted(self, caller: Caller, company: Company) -> None:
        company.write_lines("deals", *["{"] * 250)
        warnings = caller.enable(DEALS)["warnings"]
        assert len(warnings) == 101
        assert "150 more" in warnings[-1]

    def test_an_integration_that_is_renamed_fails_its_old_pipeline(
        self, caller: Caller, company: Company
    ) -> None:
        caller.enable(FILES)
        company.write_permissions(PERMISSIONS + "integrations: {files: dropbox}\n")
        status = caller.enable(FILES)
        assert status["status"] == "ERROR"
        assert "googleDrive" in status["error"]
        renamed = caller.enable({"integration": "dropbox", "syncType": "files"})
        assert renamed["recordCount"] == 6


@pytest.mark.parametrize("server", ["sqlite", "postgresql"], indirect=True)
class TestAtomicity:
    @pytest.mark.sampled(3)
    @pytest.mark.parametrize(
        "step", ["add_records", "add_relations", "add_parents", "publish_relations"]
    )
    def test_a_failure_anywhere_leaves_everything_as_it_was(
        self, caller: Caller, company: Company, monkeypatch: pytest.MonkeyPatch, step: str
    ) -> None:
        caller.enable(FILES)
        before = _everything(caller)
        company.write_file("new.txt")
        (company.files / "handbook.md").unlink()
        company.replace_in_permissions("{viewer: [organization]}", "{viewer: [group:sales]}")

        def fail(*_arguments: object, **_keywords: object) -> None:
            raise RuntimeError("the disk is gone")

        with monkeypatch.context() as patch:
            patch.setattr(Staging, step, fail)
            status = caller.enable(FILES)
        assert status["status"] == "ERROR"
        assert "RuntimeError" in status["error"]
        assert "the disk is gone" not in status["error"]
        assert _everything(caller) == before
        assert caller.enable(FILES)["status"] == "IDLE"
        assert _everything(caller) != before

    def test_checks_during_syncs_never_fail_and_see_whole_states_only(
        self, caller: Caller, company: Company
    ) -> None:
        # In one state only Maria may read both files, in the other only Carol; never a mixture.
        states = ["maria@harbor.example", "carol@harbor.example"]
        company.write_file("a.txt")
        company.write_file("z.txt")

        def write(user: str) -> None:
            company.write_permissions(
                f"users: {states}\nfiles:\n  /a.txt: {{viewer: [{user}]}}\n"
                f"  /z.txt: {{viewer: [{user}]}}\n"
            )

        write(states[0])
        caller.enable(FILES)
        a, z = (caller.object_id(FILES, name) for name in ("/a.txt", "/z.txt"))
        checks = [
            {"subject": user, "relation": "viewer", "object": object_id}
            for object_id in (a, z)
            for user in states
        ]
        done = threading.Event()
        failures: list[str] = []

        def sync_all_the_while() -> None:
            try:
                for round_number in range(draws(5)):
                    write(states[round_number % 2])
                    if caller.enable(FILES)["status"] != "IDLE":
                        failures.append("a sync failed")
            finally:
                done.set()

        syncing = threading.Thread(target=sync_all_the_while)
        syncing.start()
        seen = set()
        while not done.is_set():
            response = caller.post("permissions/batch-check-access", {"checks": checks})
            assert response.status_code == 200, response.text
            seen.add(tuple(result["allowed"] for result in response.json()["results"]))
        syncing.join()
        assert failures == []
        assert seen <= {(True, False, True, False), (False, True, False, True)}
        assert seen
