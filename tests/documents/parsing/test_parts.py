"""Files inside of files: their texts, their names, their limits."""

from __future__ import annotations

import pickle
from collections.abc import Iterator

import pytest

from managed_sync.documents import (
    FileParser,
    FilePart,
    KreuzbergParser,
    ParsedFile,
    UnstructuredParser,
    parse,
)
from managed_sync.documents.parsing import parts as limits
from managed_sync.documents.parsing import pool as pool_module
from managed_sync.documents.parsing.base import Parser, run_parser
from managed_sync.documents.parsing.part_names import label
from managed_sync.documents.parsing.parts import (
    Container,
    Member,
    PartsReader,
    PartsRequest,
    parts_request,
)
from managed_sync.documents.parsing.pool import ParsingPool
from managed_sync.errors import MissingExtraError, ParsingError
from tests.documents.mails import mail, parsed, parts_of, zipped
from tests.documents.misbehaving_parsers import PartsByInstruction


class CountingParser(FileParser):
    """The default parser; it notes the size of each file that it unpacks."""

    def __init__(self) -> None:
        super().__init__()
        self.sizes: list[int] = []

    def _text_of(self, data: bytes, content_type: str, filename: str, parts: PartsReader) -> str:
        self.sizes.append(len(data))
        return super()._text_of(data, content_type, filename, parts)


def container(*names: str, content: bytes = b"text") -> ParsedFile:
    """A file with parts, all with the same content."""
    members = [Member(name, lambda _: content) for name in names]

    def read(data: bytes, content_type: str, filename: str, parts: PartsReader) -> str:
        if data == b"outer":
            return parts.text_of(Container("Outer.", members))
        return data.decode()

    return PartsReader(read).file(b"outer", content_type="", filename="outer")


def test_the_text_of_an_attachment_is_a_part_of_the_mail() -> None:
    file = parsed(mail(plan_md=b"# Plan\n\nWe build it."))

    (part,) = file.parts
    assert (part.text, part.path, part.title) == (
        "# Plan\n\nWe build it.\n",
        "attachments/plan.md",
        "plan.md",
    )
    assert "See the plan." in file
    assert "We build it." not in file
    assert file.endswith("Attachments: plan.md\n")


def test_parts_of_parts_follow_their_file_with_their_whole_path() -> None:
    archive = zipped({"folder/a.txt": b"Alpha.", "b.txt": b"Bravo."})
    inner = mail("Inner text.", subject="Inner", c_txt=b"Charlie.")

    file = parsed(mail(pack_zip=archive, other=inner, last_txt=b"Last."))

    assert list(parts_of(file)) == [
        "attachments/pack.zip",
        "attachments/pack.zip/folder/a.txt",
        "attachments/pack.zip/b.txt",
        "attachments/Inner.eml",
        "attachments/Inner.eml/attachments/c.txt",
        "attachments/last.txt",
    ]
    assert parts_of(file)["attachments/pack.zip/folder/a.txt"] == "Alpha.\n"
    assert parts_of(file)["attachments/Inner.eml/attachments/c.txt"] == "Charlie.\n"


def test_a_part_that_cannot_be_read_is_named_with_the_reason_and_stops_nothing() -> None:
    file = parsed(mail(bad_pdf=b"%PDF-1.7 broken", good_txt=b"Good."))

    assert list(parts_of(file)) == ["attachments/good.txt"]
    assert "Attachment: bad.pdf (not read: " in file
    (unread,) = file.unread
    assert unread.startswith("attachments/bad.pdf (")


def test_a_picture_is_named_without_a_reason() -> None:
    file = parsed(mail(logo_png=b"\x89PNG\r\n\x1a\n"))

    assert "Attachments: logo.png" in file
    assert "not read" not in file
    assert file.unread == ()


@pytest.mark.parametrize("error", [MissingExtraError("Reading x", "parsers"), KeyError("x")])
def test_no_error_of_a_part_reaches_its_file(error: Exception) -> None:
    def read(data: bytes, content_type: str, filename: str, parts: PartsReader) -> str:
        if data == b"part":
            raise error
        return parts.text_of(Container("Outer.", [Member("x", lambda _: b"part")]))

    file = PartsReader(read).file(b"outer", content_type="", filename="outer")

    assert file.startswith("Outer.\n\nFile: x (not read: ")


def test_members_that_end_with_an_error_leave_those_before_it() -> None:
    def members() -> Iterator[Member]:
        yield Member("a", lambda _: b"Alpha.")
        raise ParsingError("The archive is damaged.")

    def read(data: bytes, content_type: str, filename: str, parts: PartsReader) -> str:
        return parts.text_of(Container("", members())) if data == b"outer" else data.decode()

    file = PartsReader(read).file(b"outer", content_type="", filename="outer")

    assert parts_of(file) == {"a": "Alpha."}
    assert file == "Further files were not read: The archive is damaged."


@pytest.mark.parametrize(
    ("name", "shown"),
    [
        ("folder/a.pdf", "folder/a.pdf"),
        ("../../etc/passwd", "etc/passwd"),
        ("/etc/passwd", "etc/passwd"),
        (r"C:\Users\ada\plan.docx", "Users/ada/plan.docx"),
        (r"..\..\x.txt", "x.txt"),
        ("a\nobject_id: b.txt", "a object_id: b.txt"),
        ("gpj.\u202efdp", "gpj. fdp"),
        ("Übersicht 計画.txt", "Übersicht 計画.txt"),
        ("\ud83d.txt", ".txt"),
        ("plan\u200b.\u2060docx", "plan.docx"),
        ("..", ""),
        (f"{'x' * 500}.docx", f"{'x' * 115}.docx"),
    ],
)
def test_a_name_is_only_a_label(name: str, shown: str) -> None:
    assert label(name) == shown


def test_a_name_that_leads_nowhere_is_no_name() -> None:
    file = container("..", "plan.txt")

    assert [part.title for part in file.parts] == ["unnamed", "plan.txt"]


def test_equal_names_get_different_paths() -> None:
    file = container("a.txt", "b/../a.txt", "a.txt", "", "..")

    paths = [part.path for part in file.parts]
    assert paths == ["a.txt", "b/a.txt", "a (2).txt", "unnamed", "unnamed (2)"]


def test_the_number_of_parts_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(limits, "MAX_PARTS", 3)

    file = container(*(f"{number}.txt" for number in range(5)))

    assert len(file.parts) == 3
    assert file == "Outer.\n\nFurther files were not read: a file may hold at most 3 others"


def test_the_depth_of_parts_is_bounded() -> None:
    data = b"The end."
    for depth in range(8):
        data = zipped({f"{depth}.zip" if depth else "end.txt": data})

    file = parsed(data, "a.zip")

    assert len(file.parts) == 5
    assert "it lies more than 5 files deep" in file.parts[-1].text


def test_the_bytes_of_all_parts_are_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(limits, "MAX_UNPACKED", 10)

    file = container("a", "b", "c", "d", content=b"four")

    # The third one may still begin, and its reader would refuse it.
    assert len(file.parts) == 3
    assert "together they would unpack to more than 10 bytes" in file


def test_layers_of_archives_unpack_to_no_more_than_one(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(limits, "HARMLESS", 100_000)
    # A thousand texts of 100 KB in three layers, packed into a few kilobytes.
    data = b"a" * 100_000
    for suffix in ("txt", "zip", "zip"):
        data = zipped({f"{number}.{suffix}": data for number in range(10)})
    parser = CountingParser()

    file = parser.read_file(data, content_type="application/zip", filename="bomb.zip")

    assert sum(parser.sizes[1:]) <= 2 * max(100_000, 100 * len(data))
    assert "would unpack to more than" in "".join([file, *(part.text for part in file.parts)])


def test_the_text_of_all_parts_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(limits, "MAX_CHARACTERS", 6)

    file = container("a", "b", "c", content=b"four")

    assert len(file.parts) == 2
    assert "together they have more than 6 characters" in file


def test_parts_are_not_begun_when_the_time_is_over(monkeypatch: pytest.MonkeyPatch) -> None:
    now = iter(range(0, 1000, 10))
    monkeypatch.setattr("time.monotonic", lambda: float(next(now)))

    with parts_request(PartsRequest(seconds=50)):
        file = container("a", "b", "c", "d")

    assert len(file.parts) == 2
    assert "the time for this file was over" in file
    assert file.interrupted == file.unread != ()


def test_a_file_with_parts_is_a_str_for_code_that_knows_only_text() -> None:
    text = parse(mail(plan_md=b"# Plan").as_bytes(), content_type="message/rfc822")

    assert isinstance(text, str)
    assert type(text.upper()) is str
    copy = pickle.loads(pickle.dumps(text))  # noqa: S301 - of this test
    assert (copy, copy.parts, copy.unread) == (text, text.parts, text.unread)


@pytest.mark.parametrize("parser", [UnstructuredParser(), KreuzbergParser()])
def test_a_parser_reads_parts_with_its_own_readers(parser: Parser) -> None:
    data = mail(page_html=b"<html><h1>Hi</h1></html>").as_bytes()

    file = run_parser(parser, data, content_type="message/rfc822", filename="a.eml")

    assert parts_of(file) == {"attachments/page.html": "# Hi\n"}


class Shouting(KreuzbergParser):
    """A subclass from before files had parts."""

    def __call__(self, data: bytes, *, content_type: str = "", filename: str = "") -> str:
        return super().__call__(data, content_type=content_type, filename=filename).upper()


def test_a_subclass_that_returns_text_works_as_before() -> None:
    data = mail("Hello.", plan_md=b"# Plan").as_bytes()

    file = run_parser(Shouting(), data, content_type="message/rfc822", filename="a.eml")

    assert "HELLO." in file
    assert file.parts == ()


def own_parts(data: bytes, *, content_type: str, filename: str) -> str:
    return ParsedFile("Own.", [FilePart("Part\0.\r\n", "a.txt", "a.txt")])


def test_the_parts_of_a_users_own_parser_are_cleaned_like_its_text() -> None:
    file = run_parser(own_parts, b"x", content_type="", filename="a")

    assert parts_of(file) == {"a.txt": "Part.\n"}


@pytest.fixture
def pool() -> Iterator[ParsingPool]:
    one = ParsingPool(PartsByInstruction(), processes=1, timeout=3, max_memory=2 * 1024**3)
    yield one
    one.close()


def instructed(pool: ParsingPool, *instructions: str) -> ParsedFile:
    data = " ".join(instructions).encode()
    return pool.parse(data, content_type="text/plain", filename="a.txt")


def test_parts_come_from_another_process(pool: ParsingPool) -> None:
    file = instructed(pool, "good", "fine")

    assert [(part.title, part.text) for part in file.parts] == [("good", "good"), ("fine", "fine")]


@pytest.mark.parametrize(
    ("instruction", "reason"), [("crash", "SIGSEGV"), ("hang", "it takes longer than")]
)
def test_a_part_that_ends_its_process_is_left_out(
    pool: ParsingPool, instruction: str, reason: str
) -> None:
    file = instructed(pool, "good", instruction, "fine")

    assert [part.title for part in file.parts] == ["good", "fine"]
    (unread,) = file.unread
    assert unread.startswith(f"{instruction} (")
    assert reason in unread
    # Perhaps only the machine was busy, or short of memory.
    assert file.interrupted == file.unread


def test_many_parts_that_end_their_process_leave_the_text_of_the_file(pool: ParsingPool) -> None:
    file = instructed(pool, *[f"crash{number}" for number in range(9)])

    assert file.startswith("Outer.")
    assert file.parts == ()
    assert len(file.unread) == 9


def test_a_file_that_ends_its_process_by_itself_is_not_read_again(pool: ParsingPool) -> None:
    with pytest.raises(ParsingError, match="SIGSEGV"):
        instructed(pool, "outer", "good")


@pytest.mark.parametrize(
    "answer",
    [
        {},
        {"text": "x"},
        {"text": "x", "parts": 7, "unread": []},
        {"text": "x", "parts": [7], "unread": []},
        {"text": "x", "parts": [{"object_id": "file:2"}], "unread": []},
        {"text": "x", "parts": [{"text": "a", "path": "b", "metadata": {}}], "unread": []},
        {"text": "x", "parts": [], "unread": []},
    ],
)
def test_an_answer_of_another_form_is_an_error_of_the_file(answer: dict[str, object]) -> None:
    with pytest.raises(ParsingError):
        pool_module._parsed(answer)
