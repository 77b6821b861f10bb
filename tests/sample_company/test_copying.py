"""A working copy of the sample company."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from managed_sync.errors import ConfigurationError
from managed_sync.sample_company import company_folder, copy_company


def names_in(folder: Path) -> list[Path]:
    return sorted(path.relative_to(folder) for path in folder.rglob("*"))


def test_a_copy_has_the_same_files_with_the_same_bytes(tmp_path: Path) -> None:
    copy = copy_company(tmp_path / "deep" / "company")
    assert names_in(copy) == names_in(company_folder())
    for name in names_in(copy):
        if (copy / name).is_file():
            assert (copy / name).read_bytes() == (company_folder() / name).read_bytes()


def test_a_copy_can_be_changed_without_changing_the_original(tmp_path: Path) -> None:
    copy = copy_company(tmp_path)
    (copy / "permissions.yaml").write_text("organization: Another\nusers: []\n")
    assert "Harbor Robotics" in (company_folder() / "permissions.yaml").read_text(encoding="utf-8")


def test_a_folder_that_holds_something_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / "mine.txt").write_text("keep me")
    with pytest.raises(ConfigurationError, match=f"{tmp_path.name}.*not empty"):
        copy_company(tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == ["mine.txt"]


def test_a_file_in_the_place_of_the_folder_is_named_and_kept(tmp_path: Path) -> None:
    file = tmp_path / "company"
    file.write_text("keep me")
    with pytest.raises(ConfigurationError, match="company' is a file"):
        copy_company(file)
    assert file.read_text() == "keep me"


def test_nothing_is_left_of_a_copy_that_fails_half_way(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    copied: list[Path] = []
    copy_file = shutil.copyfile

    def copy_until_the_disk_is_full(source: Path, target: Path) -> None:
        if len(copied) == 5:
            raise OSError(28, "No space left on device")
        copied.append(copy_file(source, target))

    monkeypatch.setattr(shutil, "copyfile", copy_until_the_disk_is_full)
    with pytest.raises(ConfigurationError, match="No space left on device"):
        copy_company(tmp_path / "company")
    assert not (tmp_path / "company").exists()
    assert len(copied) == 5
