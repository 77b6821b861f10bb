"""The commands as a person types them, on the demo's workspace.

Those that serve, are stopped or read the environment run in a process of their own.
"""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from tests.cli.commands.in_process import run

PROGRAM = Path(sys.executable).parent / "managed-sync"
CAROL, SAM = "carol@harbor.example", "sam@harbor.example"
TERM_SHEET = "/Legal/Kingfisher/Kingfisher term sheet.docx"


def run_process(
    folder: Path, *arguments: str, **environment: str
) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [PROGRAM, *arguments],
        cwd=folder,
        env={**os.environ, "COLUMNS": "200", "NO_COLOR": "1", **environment},
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("work with blanks – ü")


@pytest.fixture(scope="module")
def demo(folder: Path) -> subprocess.CompletedProcess[str]:
    """The demo, which leaves the workspace for all tests of this module."""
    return run_process(folder, "demo")


def test_the_demo_runs_the_whole_job(demo: subprocess.CompletedProcess[str]) -> None:
    assert demo.returncode == 0, demo.stderr
    assert "googleDrive files" in demo.stderr
    asked, revoked = demo.stdout.split("5. Revoke")
    for person in ("elena", "carol", "maria", "sam"):
        assert person in asked
    assert "withheld" in asked
    assert "Compensation proposal" in asked
    before, after = (revoked.find(text) for text in ("Compensation proposal", "6. Done"))
    assert 0 < before < after
    assert revoked.count("Compensation proposal") == 1
    assert "search --as" in revoked


@pytest.mark.slow
def test_running_the_demo_again_embeds_nothing_anew(
    demo: subprocess.CompletedProcess[str], folder: Path
) -> None:
    again = run(folder, "demo")

    assert again.returncode == 0, again.stderr
    row = next(line for line in again.stdout.splitlines() if line.startswith("googleDrive files"))
    assert row.split()[2:] == ["0", "0", "91", "0", "0", "0"]


@pytest.mark.usefixtures("demo")
class TestOnTheDemosWorkspace:
    def test_search_shows_each_user_what_they_may_read(self, folder: Path) -> None:
        question = "How large is the exposure of Gripwell in the patent claim of Palletronix?"
        carol = run(folder, "search", "--as", CAROL, question)
        sam = run(folder, "search", question, "--as", SAM, "-k", "3")

        assert (carol.returncode, sam.returncode) == (0, 0)
        assert "Kingfisher due diligence findings.pdf" in carol.stdout
        assert "Kingfisher" not in sam.stdout.replace(question, "")
        assert f"3 passages for {SAM}, by vectors and keywords" in sam.stdout
        assert "withheld" in sam.stdout

    def test_search_without_a_user_says_what_is_missing(self, folder: Path) -> None:
        for arguments in (["search", "q"], ["search", "q", "--as", ""]):
            result = run(folder, *arguments)

            assert result.returncode != 0
            assert "--as" in result.stderr
            assert "Traceback" not in result.stderr

    def test_an_unknown_user_is_told_to_check_the_address(self, folder: Path) -> None:
        result = run(folder, "search", "--as", "stranger@elsewhere.example", "budget")

        assert result.returncode == 0
        assert "may read nothing" in result.stdout

    def test_check_answers_each_object_and_by_its_status(self, folder: Path) -> None:
        allowed = run(folder, "check", "--as", CAROL, TERM_SHEET)
        mixed = run(folder, "check", "--as", SAM, TERM_SHEET, "c-032")

        assert (allowed.returncode, allowed.stdout.split()[0]) == (0, "allowed")
        assert mixed.returncode == 1
        assert [line.split("  ")[0] for line in mixed.stdout.splitlines()] == [
            "not allowed",
            "allowed",
        ]

    @pytest.mark.parametrize("command", ["check", "explain"])
    def test_an_unknown_relation_is_refused_by_name(self, folder: Path, command: str) -> None:
        result = run(folder, command, "--as", CAROL, "--relation", "raeder", TERM_SHEET)

        assert result.returncode == 2
        assert "raeder" in result.stderr
        for known in ("viewer", "editor", "owner", "member"):
            assert known in result.stderr
        assert "Traceback" not in result.stderr

    @pytest.mark.slow
    def test_searches_at_the_same_time_wait_for_each_other(self, folder: Path) -> None:
        with ThreadPoolExecutor(2) as threads:
            searches = [
                threads.submit(run_process, folder, "search", "--as", SAM, "-k", "1", "holidays")
                for _ in range(2)
            ]
            results = [search.result() for search in searches]

        assert [result.returncode for result in results] == [0, 0], results
        assert len({result.stdout.rpartition(" in ")[0] for result in results}) == 1

    def test_a_search_for_nothing_is_refused(self, folder: Path) -> None:
        result = run(folder, "search", "--as", SAM, "  ")

        assert result.returncode == 1
        assert "a few words to search for" in result.stderr

    def test_explain_tells_the_way_in_words(self, folder: Path) -> None:
        allowed = run(folder, "explain", "--as", CAROL, TERM_SHEET).stdout
        denied = run(folder, "explain", "--as", SAM, TERM_SHEET).stdout

        assert "inherits from folder /Legal/Kingfisher" in " ".join(allowed.split())
        assert f"{CAROL} is a member of group:executives" in allowed
        assert f"{SAM} is not a viewer" in denied
        assert "lukas@harbor.example" in denied

    def test_status_shows_every_pipeline(self, folder: Path) -> None:
        shown = run(folder, "status").stdout

        assert shown.count("IDLE") == 4
        assert "zendesk tickets" in shown

    def test_pull_lists_records_for_people_and_for_programs(self, folder: Path) -> None:
        plain = run(folder, "pull", "zendesk", "tickets", "--limit", "2")
        machine = run(folder, "pull", "zendesk", "tickets", "--json")

        assert [line.split()[1] for line in plain.stdout.splitlines()] == ["t-001", "t-002"]
        records = [json.loads(line) for line in machine.stdout.splitlines()]
        assert len(records) == 42
        assert records[0]["syncType"] == "tickets"

    def test_a_file_that_changes_is_found_by_its_new_text_after_enable_and_index(
        self, folder: Path
    ) -> None:
        handbook = folder / ".managed-sync/company/files/Company/Handbook"
        (handbook / "Καφές – machine.md").write_text(
            "# Espresso machine\n\nThe zanzibarine valve is descaled on Fridays.", encoding="utf-8"
        )
        (handbook / "empty.txt").touch()
        (handbook / "broken.pdf").write_bytes(b"%PDF-1.7 this is not one")

        enabled = run(folder, "enable", "googleDrive", "files")
        indexed = run(folder, "index", "googleDrive", "files")
        found = run(folder, "search", "--as", SAM, "When is the zanzibarine valve descaled?")
        listed = run(folder, "status")

        assert enabled.returncode == 0, enabled.stderr
        assert indexed.returncode == 3, "some records could not be read"
        for shown in (indexed.stdout, listed.stdout):
            assert "broken.pdf" in shown
            # Skipped, for there is nothing to read in it.
            assert "empty.txt" not in shown
        assert "Καφές – machine.md" in found.stdout.splitlines()[1]

        for name in ("Καφές – machine.md", "empty.txt", "broken.pdf"):
            (handbook / name).unlink()
        run(folder, "enable", "googleDrive", "files")
        assert run(folder, "index").returncode == 0
        gone = run(folder, "search", "--as", SAM, "When is the zanzibarine valve descaled?")
        assert "Καφές" not in gone.stdout

    def test_a_malformed_permissions_file_is_named_and_the_old_permissions_stay(
        self, folder: Path
    ) -> None:
        permissions = folder / ".managed-sync/company/permissions.yaml"
        good = permissions.read_text(encoding="utf-8")
        permissions.write_text(good.replace("viewer:", "viewers:", 1), encoding="utf-8")
        try:
            enabled = run(folder, "enable", "googleDrive", "files")
            allowed = run(folder, "check", "--as", CAROL, TERM_SHEET)
        finally:
            permissions.write_text(good, encoding="utf-8")
            run(folder, "enable", "googleDrive", "files")

        assert enabled.returncode == 1
        assert "permissions.yaml" in enabled.stderr
        assert "viewers" in enabled.stderr
        assert allowed.returncode == 0

    def test_serve_is_found_by_other_commands_and_stops_on_ctrl_c(self, folder: Path) -> None:
        port = free_port()
        server = subprocess.Popen(
            [PROGRAM, "serve", "--port", str(port)],
            cwd=folder,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        try:
            announced = folder / ".managed-sync/server.json"
            wait_until(announced.exists)
            assert str(port) in announced.read_text()
            status = run(folder, "status")
            occupied = run(folder, "serve", "--port", str(port))
            second = run(folder, "serve", "--port", "0")
        finally:
            server.send_signal(signal.SIGINT)
            output, errors = server.communicate(timeout=30)

        assert status.returncode == 0, status.stderr
        assert occupied.returncode == 1
        assert f"Port {port} is in use" in occupied.stderr
        assert second.returncode == 1
        assert f"in use by a server in process {server.pid}" in second.stderr
        assert "MANAGED_SYNC_BASE_URL" in output
        assert output.count(f":{port}\n") == 2, "the line that says it serves, and the variable"
        assert f":{port}" not in errors
        assert "PRIVATE KEY" not in output
        assert "Traceback" not in errors
        assert not announced.exists()

    def test_a_server_that_was_killed_is_not_waited_for(self, folder: Path) -> None:
        announced = folder / ".managed-sync/server.json"
        announced.write_text(json.dumps({"base_url": f"http://127.0.0.1:{free_port()}"}))

        assert run(folder, "check", "--as", CAROL, TERM_SHEET).returncode == 0
        announced.unlink()

    def test_a_wrong_token_says_which_setting_to_look_at(self, folder: Path) -> None:
        with socket.socket() as listener:
            listener.bind(("127.0.0.1", 0))
            nobody = f"http://127.0.0.1:{listener.getsockname()[1]}"
        result = run_process(
            folder,
            "pull",
            "googleDrive",
            "files",
            MANAGED_SYNC_PROJECT_ID="p1",
            MANAGED_SYNC_TOKEN="t",
            MANAGED_SYNC_BASE_URL=nobody,
        )

        assert result.returncode == 1
        assert "MANAGED_SYNC_BASE_URL" in result.stderr


class TestWithoutAWorkspace:
    def test_a_folder_that_cannot_be_served_is_not_remembered(self, tmp_path: Path) -> None:
        (tmp_path / "nothing").mkdir()
        refused = run(tmp_path, "serve", "--folder", "nothing", "--port", "0")
        after = run(tmp_path, "enable", "googleDrive", "files")

        assert (refused.returncode, after.returncode) == (1, 1)
        assert "permissions.yaml" in refused.stderr
        assert "There is no Managed Sync API to connect to" in after.stderr

    def test_serve_without_a_company_says_what_to_pass(self, tmp_path: Path) -> None:
        refused = run(tmp_path, "serve", "--port", "0")

        assert refused.returncode == 1
        assert (
            f"no company to serve in the workspace {tmp_path / '.managed-sync'}" in refused.stderr
        )
        assert "Pass --folder" in refused.stderr

    def test_the_package_can_be_run_as_a_module(self) -> None:
        version = subprocess.run(
            [sys.executable, "-m", "managed_sync", "--version"],
            capture_output=True,
            text=True,
            check=True,
        )
        assert version.stdout.startswith("managed-sync ")

    @pytest.mark.parametrize(
        "arguments",
        [
            ["status"],
            ["index"],
            ["pull", "googleDrive", "files"],
            ["check", "file:1", "--as", SAM],
        ],
    )
    def test_commands_say_how_to_begin(self, tmp_path: Path, arguments: list[str]) -> None:
        result = run(tmp_path, *arguments)

        assert result.returncode == 1
        assert "managed-sync demo" in result.stderr
        assert list(tmp_path.iterdir()) == []

    def test_a_folder_without_permissions_is_refused_with_the_way_out(self, tmp_path: Path) -> None:
        (tmp_path / "docs" / "files").mkdir(parents=True)

        result = run(tmp_path, "serve", "--folder", "docs", "--port", "0")

        assert result.returncode == 1
        assert "permissions.yaml" in result.stderr

    @pytest.mark.parametrize(
        "command",
        [
            "demo",
            "serve",
            "enable",
            "status",
            "pull",
            "index",
            "verify",
            "search",
            "check",
            "explain",
        ],
    )
    def test_every_command_explains_itself(self, tmp_path: Path, command: str) -> None:
        result = run(tmp_path, command, "--help")

        assert result.returncode == 0
        assert len(result.stdout.split()) > 30
        assert "--workspace" in result.stdout

    def test_the_overview_names_every_command(self, tmp_path: Path) -> None:
        result = run(tmp_path, "--help")

        for command in ("demo", "serve", "enable", "pull", "index", "search", "check", "explain"):
            assert f"  {command} " in result.stdout


def free_port() -> int:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        port: int = listener.getsockname()[1]
        return port


def wait_until(condition: object) -> None:
    assert callable(condition)
    deadline = time.monotonic() + 30
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.05)


@pytest.mark.skipif(os.name != "posix", reason="Windows has no such signal")
@pytest.mark.slow
def test_a_configured_server_takes_the_tokens_that_are_signed_for_it(tmp_path: Path) -> None:
    import httpx

    company = tmp_path / "company"
    (company / "files").mkdir(parents=True)
    (company / "permissions.yaml").write_text("users: [a@b.example]\n")
    (tmp_path / "server.yaml").write_text(
        "state: state\nport: 0\nprojects: {one: {folder: company}, two: {folder: company}}\n"
    )
    with subprocess.Popen(
        [PROGRAM, "serve", "--config", "server.yaml"],
        cwd=tmp_path,
        stderr=subprocess.PIPE,
        text=True,
    ) as process:
        try:
            assert process.stderr is not None
            line = next(line for line in process.stderr if "Serving" in line)
            base_url = json.loads(line)["message"].split()[-1]
            signed = run_process(
                tmp_path,
                *("token", "--config", "server.yaml", "--project", "one", "--user", "acme"),
            )
            assert signed.returncode == 0, signed.stderr

            def status(project: str) -> int:
                return httpx.get(
                    f"{base_url}/projects/{project}/sync/status",
                    params={"integration": "googleDrive", "syncType": "files"},
                    headers={"Authorization": f"Bearer {signed.stdout.strip()}"},
                    trust_env=False,
                ).status_code

            assert (status("one"), status("two")) == (200, 401)
            process.send_signal(signal.SIGTERM)
            _, log = process.communicate(timeout=20)
        finally:
            process.kill()
    assert process.returncode == 0
    assert "Traceback" not in log
    assert signed.stdout.strip() not in log
    assert all(json.loads(each)["level"] == "info" for each in log.splitlines())


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["serve", "--config", "none.yaml"], "none.yaml"),
        (["token", "--config", "server.yaml", "--user", "u"], "one, two"),
        (["token", "--config", "server.yaml", "--user", "u", "--project", "three"], "one, two"),
    ],
)
def test_what_is_wrong_with_a_configuration_is_one_sentence(
    tmp_path: Path, arguments: list[str], said: str
) -> None:
    projects = "{one: {folder: company}, two: {folder: company}}"
    (tmp_path / "server.yaml").write_text(f"state: state\nprojects: {projects}\n")
    result = run(tmp_path, *arguments)
    assert result.returncode == 1
    assert said in result.stderr
    assert "Traceback" not in result.stderr
