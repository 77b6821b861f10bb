from __future__ import annotations

import struct

import pytest

from managed_sync.documents import FileParser
from managed_sync.documents.parsing.base import run_parser, unreadable
from managed_sync.documents.parsing.file_types import FileType
from managed_sync.documents.parsing.readers import File
from managed_sync.errors import ParsingError
from tests.documents.mails import mail


class _Failing(FileParser):
    """A parser whose reader of text fails as one does on a file that it did not expect."""

    def __init__(self, error: Exception) -> None:
        super().__init__()
        self._error = error
        self._readers = {**self._readers, FileType.TEXT: self._fail}

    def _fail(self, file: File) -> str:
        raise self._error


@pytest.mark.parametrize("error", [TypeError("'NoneType' object"), KeyError("x"), struct.error()])
def test_errors_of_readers_do_not_name_classes_of_python(error: Exception) -> None:
    with pytest.raises(ParsingError, match=r"^a\.txt is damaged, or holds .* save it") as caught:
        run_parser(_Failing(error), b"x", content_type="", filename="a.txt")

    assert caught.value.__cause__ is error


def test_a_file_that_is_nested_too_deeply_for_its_reader_says_so() -> None:
    with pytest.raises(ParsingError, match=r"^a\.txt is nested too deeply to be read\.$"):
        run_parser(_Failing(RecursionError()), b"x", content_type="", filename="a.txt")


def test_errors_of_attachments_do_not_name_classes_of_python() -> None:
    message = mail(plan_txt=b"x")

    text = run_parser(
        _Failing(TypeError("object")), message.as_bytes(), content_type="", filename="a.eml"
    )

    assert "Attachment: plan.txt (not read: it is damaged, or holds something" in text


def test_an_error_without_a_reason_is_damage() -> None:
    assert str(unreadable("a.pdf", ValueError())) == "a.pdf could not be read: it is damaged"
