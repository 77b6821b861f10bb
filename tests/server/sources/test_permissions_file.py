from __future__ import annotations

from pathlib import Path

import pytest

from managed_sync.errors import PermissionsFileError
from managed_sync.server.sources.permissions_file import Permissions, parse_permissions

PATH = Path("company") / "permissions.yaml"


def _parse(text: str | bytes) -> Permissions:
    return parse_permissions(text.encode() if isinstance(text, str) else text, PATH)


def test_a_whole_file() -> None:
    permissions = _parse(
        """\
organization: Harbor Robotics
url_prefix: https://drive.harbor.example/
integrations: {tickets: jira}
users: [maria@harbor.example, carol@harbor.example]
groups:
  sales: [maria@harbor.example, group:emea]
  emea: []
files:
  /: {viewer: [organization]}
  /Finance/:
    inherit: false
    owner: [carol@harbor.example]
contacts:
  /c-007: {editor: [group:sales]}
"""
    )
    assert permissions.organization == "Harbor Robotics"
    assert permissions.url_prefix == "https://drive.harbor.example"
    assert permissions.integrations == {
        "files": "googleDrive",
        "contacts": "salesforce",
        "companies": "salesforce",
        "deals": "salesforce",
        "tickets": "jira",
    }
    assert permissions.users == ("maria@harbor.example", "carol@harbor.example")
    assert permissions.groups == {"sales": ("maria@harbor.example", "group:emea"), "emea": ()}
    finance = permissions.entries["files"]["/Finance"]
    assert (finance.inherit, finance.line) == (False, 11)
    assert finance.grants == {"owner": ("carol@harbor.example",)}
    assert finance.as_written() == {"inherit": False, "owner": ["carol@harbor.example"]}
    assert permissions.entries["contacts"]["/c-007"].grants == {"editor": ("group:sales",)}
    assert permissions.entries["deals"] == {}


def test_empty_sections_grant_nothing() -> None:
    permissions = _parse("users:\ngroups: {sales: }\nfiles:\n  /x:\n  /y: {viewer: }\n")
    assert permissions.users == ()
    assert permissions.groups == {"sales": ()}
    assert permissions.entries["files"]["/x"].grants == {}
    assert permissions.entries["files"]["/y"].grants == {"viewer": ()}


def test_paths_of_files_are_compared_in_one_unicode_form() -> None:
    decomposed = "Cafe\u0301"
    assert "/Caf\u00e9" in _parse(f"files:\n  /{decomposed}: {{}}\n").entries["files"]


def test_names_that_yaml_takes_for_something_else_are_text() -> None:
    permissions = _parse("groups:\n  2026: [yes, 7]\nfiles: {/2026: {viewer: [group:2026]}}\n")
    assert permissions.groups == {"2026": ("yes", "7")}


@pytest.mark.parametrize(
    ("text", "line", "says"),
    [
        ("users: [a@x\nfiles: {}\n", 2, "not YAML"),
        ("users: []\n\tfiles: {}\n", 2, "not YAML"),
        ("users: []\nfile: {}\n", 2, "'file' is not known; allowed are organization"),
        ("- a\n", 1, "'key: value'"),
        ("users: maria@x\n", 1, "users: expected a list"),
        ("users: [maria]\n", 1, "'maria' is not an e-mail address"),
        ("users: [group:a@b]\n", 1, "not an e-mail address"),
        ("users: [{a: b}]\n", 1, "expected text"),
        ("users:\n- ~\n", 2, "expected text"),
        ('users: ["a@x\\0"]\n', 1, "control characters"),
        ("groups: [sales]\n", 1, "'key: value'"),
        ("groups:\n  sales: {a: b}\n", 2, "groups: sales: expected a list"),
        ("groups:\n  the sales: []\n", 2, "not a name"),
        ("files:\n  Finance: {}\n", 2, "starts with '/'"),
        ("files:\n  /x: []\n", 2, "files: /x: expected 'key: value'"),
        ("files:\n  /x: {viewers: []}\n", 2, "'viewers' is not known; allowed are owner, editor"),
        ("files:\n  /x: {Viewer: []}\n", 2, "'Viewer' is not known"),
        ("files:\n  /x:\n    viewer: organization\n", 3, "expected a list, such as"),
        ("files:\n  /x:\n    viewer: [[a]]\n", 3, "expected text"),
        ("files:\n  /x: {inherit: never}\n", 2, "expected true or false"),
        ("files:\n  /x: {inherit: }\n", 2, "expected true or false"),
        ("files:\n  /x: {}\n  /x: {viewer: []}\n", 3, "'/x' is there twice"),
        ("files:\n  /x: {}\n  /x/: {viewer: []}\n", 3, "has an entry already"),
        ("files:\n  /x: {viewer: [], viewer: []}\n", 2, "'viewer' is there twice"),
        ("a: &a {b: c}\nfiles: {<<: *a}\n", 1, "'a' is not known"),
        ("files:\n  /x: {<<: {}}\n", 2, "'<<' is not known"),
        ("files:\n  ? [a]\n  : {}\n", 2, "a key is plain text"),
        ("url_prefix: javascript:x\n", 1, "not a web address"),
        ("integrations: {calls: zoom}\n", 1, "'calls' is not known"),
        ("integrations: {files: }\n", 1, "expected text"),
        ("organization: [x]\n", 1, "expected text"),
        ("users: &u [*u]\n", 1, "expected text"),
    ],
)
def test_what_cannot_be_understood_is_named_with_its_line(text: str, line: int, says: str) -> None:
    with pytest.raises(PermissionsFileError) as caught:
        _parse(text)
    message = str(caught.value)
    assert message.startswith(f"{PATH}, line {line}: ")
    assert says in message


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"# nothing\n",
        b"\xff\xfe\xfd",
        b"users: [\x00]",
        b'users: ["a@x\\ud800"]',
        b"a\n--- \nb\n",
        b"[" * 20_000,
    ],
)
def test_what_is_not_yaml_is_named(content: bytes) -> None:
    with pytest.raises(PermissionsFileError, match=r"permissions\.yaml"):
        _parse(content)
