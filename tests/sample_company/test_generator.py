"""The script that writes the binary files: what is committed is what it writes."""

from __future__ import annotations

import zipfile
from pathlib import Path

import pytest

from managed_sync.sample_company import company_folder
from scripts.make_sample_company import CONTENT, WRITERS, make_sample_company
from scripts.sample_company.source import Source

ARCHIVES = {".docx", ".pptx", ".xlsx"}


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("company")
    mine = folder / "files" / "Board" / "mine.txt"
    mine.parent.mkdir(parents=True)
    mine.write_text("keep me")
    make_sample_company(folder)
    return folder


def binary_files(company: Path) -> dict[str, Path]:
    files = company / "files"
    return {
        path.relative_to(files).as_posix(): path
        for path in files.rglob("*")
        if path.suffix in WRITERS
    }


def members(path: Path) -> list[tuple[str, tuple[int, ...], bytes]]:
    with zipfile.ZipFile(path) as archive:
        return [(info.filename, info.date_time, archive.read(info)) for info in archive.infolist()]


def test_it_writes_exactly_the_binary_files_that_are_committed(made: Path) -> None:
    assert binary_files(made).keys() == binary_files(company_folder()).keys()


def test_each_file_is_as_committed(made: Path) -> None:
    committed = binary_files(company_folder())
    for name, path in binary_files(made).items():
        # Versions of zlib compress differently, so of an archive the members are compared.
        if path.suffix in ARCHIVES:
            assert members(path) == members(committed[name]), name
        else:
            assert path.read_bytes() == committed[name].read_bytes(), name


@pytest.mark.slow
def test_a_second_run_writes_the_same_bytes(made: Path, tmp_path: Path) -> None:
    make_sample_company(tmp_path)
    again = binary_files(tmp_path)
    for name, path in binary_files(made).items():
        assert again[name].read_bytes() == path.read_bytes(), name


def test_files_without_a_source_stay_untouched(made: Path) -> None:
    assert (made / "files" / "Board" / "mine.txt").read_text() == "keep me"


def test_every_source_has_a_format_that_can_be_written() -> None:
    assert {path.with_suffix("").suffix for path in CONTENT.rglob("*.md")} == WRITERS.keys()


def test_a_broken_header_is_named(tmp_path: Path) -> None:
    source = tmp_path / "Plan.docx.md"
    source.write_text("title Plan\n\n# Plan\n")
    with pytest.raises(ValueError, match=r"Plan\.docx\.md: 'title Plan' is not a header"):
        Source.read(source)


def test_a_missing_header_is_named(tmp_path: Path) -> None:
    source = tmp_path / "Plan.docx.md"
    source.write_text("title: Plan\n\n# Plan\n")
    with pytest.raises(ValueError, match=r"Plan\.docx\.md: the header 'author:' is missing"):
        WRITERS[".docx"](Source.read(source))
