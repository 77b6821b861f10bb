"""The documentation is true: its code runs, its help is the commands', what it names is there.

See ``docs/decisions/0024-documentation.md``.
"""

from __future__ import annotations

import re
import subprocess
import sys
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from types import ModuleType

import pytest
from markdown_it import MarkdownIt

from scripts.write_command_reference import PAGE, command_reference
from tests.support.embedding_apis import EmbeddingApis
from tests.support.postgres import running_postgres
from tests.support.sample_company import Company, serving_company

ROOT = Path(__file__).parent.parent.parent
DOCS = ROOT / "docs"
PAGES = sorted(
    page
    for page in DOCS.rglob("*.md")
    if page.relative_to(DOCS).parts[0] not in {"decisions", "benchmarks"}
)


def name_of(page: Path) -> str:
    return page.relative_to(ROOT).as_posix()


def blocks(page: Path, language: str) -> list[tuple[int, str]]:
    """The fenced blocks of a page, each with its first line's number."""
    tokens = MarkdownIt().parse(page.read_text(encoding="utf-8"))
    return [
        (token.map[0] + 2, token.content)
        for token in tokens
        if token.type == "fence" and token.info.strip() == language and token.map
    ]


# It asks every command for its help.
written_reference = cache(command_reference)
FIRST_EXAMPLE = DOCS / "index.md"
PAGES_WITH_CODE = [page for page in [*PAGES, ROOT / "README.md"] if blocks(page, "python")]


@pytest.fixture(scope="module")
def company(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Company]:
    """The sample company with few files: many pages index all of them."""
    with serving_company(tmp_path_factory.mktemp("sample"), most_of_a_format=1) as running:
        yield running


@pytest.fixture
def environment(company: Company, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Sets up what a reader has: an API that the environment names, and an empty folder."""
    server = company.server
    assert server is not None
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("MANAGED_SYNC_BASE_URL", server.base_url)
    monkeypatch.setenv("MANAGED_SYNC_PROJECT_ID", server.project_id)
    monkeypatch.setenv("MANAGED_SYNC_SIGNING_KEY", server.signing_key)
    monkeypatch.setenv("MANAGED_SYNC_USER_ID", "u1")


@pytest.fixture
def database(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """A PostgreSQL with pgvector, which the environment names."""
    with running_postgres() as address:
        monkeypatch.setenv("DATABASE_URL", f"postgresql+asyncpg://postgres@{address}/postgres")
        yield


@pytest.mark.usefixtures("environment")
@pytest.mark.parametrize(
    "page",
    [
        # It fills seven stores, one after the other.
        pytest.param(page, marks=pytest.mark.slow) if page.name == "stores.md" else page
        for page in PAGES_WITH_CODE
        if page != FIRST_EXAMPLE
    ],
    ids=name_of,
)
def test_the_code_of_a_page_runs_from_top_to_bottom(
    page: Path, monkeypatch: pytest.MonkeyPatch, request: pytest.FixtureRequest
) -> None:
    if page.name == "stores.md":
        request.getfixturevalue("database")
    if page.name == "models.md":
        for name, value in EmbeddingApis("http://127.0.0.1:9").environment.items():
            monkeypatch.setenv(name, value)

    run_the_code_of(page, monkeypatch)


@pytest.mark.usefixtures("environment")
def test_the_first_example_runs_again_in_the_same_folder(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    run_the_code_of(FIRST_EXAMPLE, monkeypatch)
    first = capsys.readouterr().out

    run_the_code_of(FIRST_EXAMPLE, monkeypatch)

    assert first
    assert capsys.readouterr().out == first


@pytest.mark.usefixtures("environment")
def test_the_guide_to_an_existing_index_returns_the_passage_that_the_user_may_read(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    run_the_code_of(DOCS / "how-to" / "existing-index.md", monkeypatch)

    assert "['/Company/Handbook/Office guide Rotterdam.html'] 1 1\n" in capsys.readouterr().out


def run_the_code_of(page: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Runs the blocks of a page one after the other, as one program of a reader."""
    reader = ModuleType("reader")
    monkeypatch.setitem(sys.modules, "reader", reader)
    for line, code in blocks(page, "python"):
        compiled = compile("\n" * (line - 1) + code, page, "exec")
        exec(compiled, vars(reader))  # noqa: S102 - that is what a reader does


@pytest.mark.parametrize("page", PAGES_WITH_CODE, ids=name_of)
def test_the_code_of_a_page_is_formatted_like_ours(page: Path, tmp_path: Path) -> None:
    for line, code in blocks(page, "python"):
        (tmp_path / f"line_{line}.py").write_text(code, encoding="utf-8")
    formatted = subprocess.run(
        [
            *(sys.executable, "-m", "ruff", "format", "--diff", "--no-cache"),
            *("--config", ROOT / "pyproject.toml", tmp_path),
        ],
        capture_output=True,
        text=True,
        encoding="utf-8",
        check=False,
    )
    assert formatted.returncode == 0, formatted.stdout + formatted.stderr


def test_the_help_of_the_commands_is_what_they_say() -> None:
    assert PAGE.read_text(encoding="utf-8") == written_reference(), "run `make command-reference`"


@pytest.mark.parametrize("page", [*PAGES, ROOT / "README.md"], ids=name_of)
def test_the_commands_and_options_that_a_page_names_are_there(page: Path) -> None:
    sections = re.split(r"^## managed-sync ", written_reference(), flags=re.MULTILINE)
    helps = {section.split("\n", 1)[0]: section for section in sections[1:]}
    if page == PAGE:
        return
    for command, rest in re.findall(r"managed-sync ([a-z]+)\b([^`#\n]*)", texts_of_code(page)):
        assert command in helps, command
        for option in re.findall(r"(?<=\s)(--[a-z-]+)", rest):
            assert option in helps[command], f"{command} {option}"


def texts_of_code(page: Path) -> str:
    """Returns the code of a page: between backticks, and in indented blocks."""
    tokens = MarkdownIt().parse(page.read_text(encoding="utf-8"))
    spans = [child for token in tokens for child in token.children or ()]
    return "\n".join(
        token.content for token in [*tokens, *spans] if token.type in {"code_block", "code_inline"}
    )


@pytest.mark.parametrize("page", PAGES, ids=name_of)
def test_the_tests_and_modules_that_a_page_names_are_there(page: Path) -> None:
    text = page.read_text(encoding="utf-8")
    for named in re.findall(r"`((?:tests|docs|benchmarks)/[\w/.-]*)`", text):
        assert (ROOT / named).exists(), named
    for named in re.findall(r"`(test_\w+\.py)`", text):
        assert list((ROOT / "tests").rglob(named)), named
    for named in re.findall(r"`([a-z_]+(?:/\w+)*/\w+\.py)`", text):
        assert (ROOT / "src" / "managed_sync" / named).exists() or (ROOT / named).exists(), named


@pytest.mark.parametrize("page", PAGES, ids=name_of)
def test_the_extras_that_a_page_installs_are_there(page: Path) -> None:
    known = (ROOT / "pyproject.toml").read_text(encoding="utf-8")
    for extras in re.findall(
        r"(?:managed-sync|'\.)\[([\w,-]+)\]", page.read_text(encoding="utf-8")
    ):
        for extra in extras.split(","):
            assert re.search(rf"^{re.escape(extra)} = \[", known, re.MULTILINE), extra
