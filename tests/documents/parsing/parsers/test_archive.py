"""Archives: each file in them is a part, and nothing in them is larger than it may be."""

from __future__ import annotations

import bz2
import gzip
import io
import lzma
import tarfile
import zipfile

import pytest

from managed_sync.documents.parsing import parts
from managed_sync.errors import EmptyContentError, ParsingError
from tests.documents.mails import parsed, parts_of, zipped


def tarred(files: dict[str, bytes]) -> bytes:
    data = io.BytesIO()
    with tarfile.open(fileobj=data, mode="w") as file:
        for name, content in files.items():
            entry = tarfile.TarInfo(name)
            entry.size = len(content)
            file.addfile(entry, io.BytesIO(content))
    return data.getvalue()


FILES = {"folder/a.txt": b"Alpha.", "b.md": b"# Bravo"}
PARTS = {"folder/a.txt": "Alpha.\n", "b.md": "# Bravo\n"}


@pytest.mark.parametrize(
    ("data", "name"),
    [
        (zipped(FILES), "all.zip"),
        (tarred(FILES), "all.tar"),
        (gzip.compress(tarred(FILES)), "all.tar.gz"),
        (gzip.compress(tarred(FILES)), "all.tgz"),
        (bz2.compress(tarred(FILES)), "all.tar.bz2"),
        (lzma.compress(tarred(FILES)), "all.tar.xz"),
    ],
)
def test_the_files_of_an_archive_are_parts_and_its_text_is_their_list(
    data: bytes, name: str
) -> None:
    file = parsed(data, name)

    assert file == "- folder/a.txt\n- b.md\n"
    assert parts_of(file) == PARTS


@pytest.mark.parametrize("pack", [gzip.compress, bz2.compress, lzma.compress])
def test_a_file_that_is_packed_alone_is_a_part(pack: object) -> None:
    assert callable(pack)
    suffix = {"gzip": "gz", "bz2": "bz2", "lzma": "xz"}[pack.__module__]

    assert parts_of(parsed(pack(b"Alpha."), f"notes.txt.{suffix}")) == {"notes.txt": "Alpha.\n"}


def test_folders_links_and_files_of_systems_are_not_listed() -> None:
    data = io.BytesIO()
    with zipfile.ZipFile(data, "w") as file:
        file.writestr("folder/", b"")
        file.writestr("__MACOSX/._a.txt", b"x")
        file.writestr("folder/.DS_Store", b"x")
        link = zipfile.ZipInfo("link.txt")
        link.external_attr = 0o120777 << 16
        file.writestr(link, "/etc/passwd")
        file.writestr("a.txt", b"Alpha.")

    assert parsed(data.getvalue(), "a.zip") == "- a.txt\n"


def test_links_in_a_tar_are_not_followed() -> None:
    data = io.BytesIO()
    with tarfile.open(fileobj=data, mode="w") as file:
        link = tarfile.TarInfo("passwd.txt")
        link.type, link.linkname = tarfile.SYMTYPE, "/etc/passwd"
        file.addfile(link)
        entry = tarfile.TarInfo("a.txt")
        entry.size = 6
        file.addfile(entry, io.BytesIO(b"Alpha."))

    assert parts_of(parsed(data.getvalue(), "a.tar")) == {"a.txt": "Alpha.\n"}


def test_a_path_that_leads_out_of_the_archive_is_only_a_label() -> None:
    assert parts_of(parsed(zipped({"../../etc/passwd.txt": b"Alpha."}), "a.zip")) == {
        "etc/passwd.txt": "Alpha.\n"
    }


@pytest.mark.parametrize(
    ("raw", "name"),
    [
        ("Übersicht.txt".encode(), "Übersicht.txt"),
        ("Übersicht.txt".encode("cp437"), "Übersicht.txt"),
        ("folder\\計画.txt".encode(), "folder/計画.txt"),
    ],
)
def test_names_without_a_stated_encoding_are_read(raw: bytes, name: str) -> None:
    plain = b"?" * len(raw)
    data = zipped({plain.decode(): b"Alpha."}).replace(plain, raw)

    assert list(parts_of(parsed(data, "a.zip"))) == [name]


@pytest.mark.parametrize(
    ("charset", "names"),
    [
        ("shift_jis", ["文章の一覧.txt", "計画と予算のまとめ.txt"]),
        ("gbk", ["北京分公司的年度报告.txt", "上海项目的会议记录.txt"]),
        ("cp866", ["Годовой отчет.txt", "Протокол собрания.txt"]),
    ],
)
def test_names_in_the_charset_of_another_country_are_read(charset: str, names: list[str]) -> None:
    raw = [name.encode(charset) for name in names]
    plain = [bytes([65 + number]) * len(name) for number, name in enumerate(raw)]
    data = zipped({name.decode(): b"Alpha." for name in plain})
    for name, written in zip(plain, raw, strict=True):
        data = data.replace(name, written)

    assert list(parts_of(parsed(data, "a.zip"))) == names


def test_a_file_with_a_password_is_named_and_the_others_are_read() -> None:
    data = bytearray(zipped({"a.txt": b"Alpha.", "b.txt": b"Bravo."}))
    # The flag of encryption, in the entry and in the list at the end.
    data[6] |= 1
    data[data.index(b"PK\x01\x02") + 8] |= 1
    file = parsed(bytes(data), "a.zip")

    assert parts_of(file) == {"b.txt": "Bravo.\n"}
    assert "File: a.txt (not read: it is protected with a password; save it without one" in file


def test_damage_to_one_file_costs_only_that_file() -> None:
    data = zipped({"a.txt": b"Alpha " * 50, "b.txt": b"Bravo."})
    file = parsed(data[:40] + b"\xff\xff" + data[42:], "a.zip")

    assert parts_of(file) == {"b.txt": "Bravo.\n"}
    assert "File: a.txt (not read: it could not be unpacked: " in file


def test_a_cut_archive_is_read_as_far_as_it_goes() -> None:
    data = tarred({"a.txt": b"Alpha.", "b.txt": b"Bravo " * 1000})
    file = parsed(data[:3000], "a.tar")

    assert "a.txt" in parts_of(file)
    assert "File: b.txt (not read: it could not be unpacked: " in file


def test_a_packed_file_that_grows_too_much_is_not_read(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(parts, "HARMLESS", 1000)
    data = gzip.compress(b"a" * 1_000_000)

    file = parsed(data, "a.txt.gz")

    assert file.parts == ()
    assert "would unpack to more than" in file


def test_a_tar_that_claims_a_huge_file_is_not_read_into_memory() -> None:
    entry = tarfile.TarInfo("a.txt")
    entry.size = 8**11 - 1
    file = parsed(entry.tobuf() + b"Alpha.".ljust(1024, b"\0"), "a.tar")

    assert file.parts == ()
    assert "would unpack to more than" in file


def test_an_archive_without_files_has_no_text() -> None:
    with pytest.raises(EmptyContentError, match=r"a\.zip has no text in it"):
        parsed(zipped({}), "a.zip")


def test_an_archive_of_another_kind_is_named_with_the_remedy() -> None:
    with pytest.raises(ParsingError, match="pack its files as ZIP"):
        parsed(b"7z\xbc\xaf\x27\x1c" + bytes(100), "a.7z")
