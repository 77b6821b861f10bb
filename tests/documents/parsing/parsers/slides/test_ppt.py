"""Presentations of old versions: the newest edit of each slide, and nothing of the masters."""

from __future__ import annotations

import io
import struct

import olefile
import pytest

from managed_sync.documents.parsing.parsers.slides.ppt import parse_ppt
from managed_sync.errors import ParsingError


def record(kind: int, data: bytes, *, instance: int = 0, container: bool = False) -> bytes:
    head = instance << 4 | (0xF if container else 0)
    return struct.pack("<HHI", head, kind, len(data)) + data


def box(
    kind: int, text: bytes = b"", *, placeholder: int = 0, wide: str = "", outline: int = -1
) -> bytes:
    inside = record(3999, struct.pack("<I", kind))
    if outline >= 0:
        inside = record(3998, struct.pack("<I", outline))
    inside += record(4008, text) if text else b""
    inside += record(4000, wide.encode("utf-16-le")) if wide else b""
    shape = record(0xF00D, inside, container=True)
    if placeholder:
        atom = record(3011, struct.pack("<IBBH", 0, placeholder, 0, 0))
        shape = record(0xF011, atom, container=True) + shape
    return record(0xF004, shape, container=True)


def described(text: str) -> bytes:
    words = (text + "\0").encode("utf-16-le")
    properties = struct.pack("<HI", 0x8000 | 897, len(words)) + words
    return record(0xF004, record(0xF00B, properties, instance=1), container=True)


def slide(shapes: bytes, *, notes: int = 0, more: bytes = b"") -> bytes:
    drawing = record(1036, record(0xF002, shapes, container=True), container=True)
    atom = record(1007, bytes(16) + struct.pack("<I", notes))
    return record(1006, atom + drawing + more, container=True)


def presentation() -> tuple[bytes, bytes]:
    """The stream of a presentation, and that of the user, which names its newest edit."""
    texts = (
        record(3999, struct.pack("<I", 0))
        + record(4008, b"Goals")
        + record(3999, struct.pack("<I", 1))
        + record(4000, "Grow\rHire \u20ac".encode("utf-16-le"))
    )
    comment = record(4026, "Eva".encode("utf-16-le")) + record(
        4026, "Check".encode("utf-16-le"), instance=1
    )
    first = slide(
        box(0, outline=0)
        + box(1, outline=1)
        + box(4, b"one\x0btwo")
        + box(4, b"*", placeholder=8)
        + described("A crane"),
        notes=9,
        more=record(12000, comment, container=True),
    )
    spoken = record(
        1008,
        record(1036, box(2, b"Mention it."), container=True),
        container=True,
    )
    master = record(1016, record(1036, box(0, b"Click to edit"), container=True), container=True)
    slides = record(1011, struct.pack("<4IQ", 2, 0, 2, 256, 0)[:20]) + texts
    notes = record(1011, struct.pack("<5I", 3, 0, 0, 9, 0))
    footer = record(4026, "Harbor AG".encode("utf-16-le"), instance=2)
    document = record(
        1000,
        record(4080, slides, container=True)
        + record(4080, notes, instance=2, container=True)
        + record(4057, footer, instance=3, container=True),
        container=True,
    )
    old = slide(box(4, b"An earlier version"))
    stream, places = b"", []
    for part in (document, first, spoken, master, old):
        places.append(len(stream))
        stream += part
    directory = len(stream)
    entries = struct.pack("<4I", 3 << 20 | 1, *places[:3])
    stream += record(6002, entries)
    newest = len(stream)
    stream += record(4085, struct.pack("<IIIII", 0, 0, 0, directory, 1) + bytes(8))
    return stream, bytes(16) + struct.pack("<I", newest)


class FakeFile:
    def __init__(self, streams: dict[str, bytes]) -> None:
        self._streams = streams

    def __enter__(self) -> FakeFile:
        return self

    def __exit__(self, *_: object) -> None:
        return None

    def exists(self, name: str) -> bool:
        return name in self._streams

    def openstream(self, name: str) -> io.BytesIO:
        return io.BytesIO(self._streams[name])


def parsed(monkeypatch: pytest.MonkeyPatch, streams: dict[str, bytes]) -> str:
    monkeypatch.setattr(olefile, "OleFileIO", lambda _: FakeFile(streams))
    return parse_ppt(b"", name="a.ppt")


def test_the_newest_edit_of_each_slide_is_read(monkeypatch: pytest.MonkeyPatch) -> None:
    stream, user = presentation()
    text = parsed(monkeypatch, {"PowerPoint Document": stream, "Current User": user})
    assert text == (
        "# Goals\n\n- Grow\n- Hire €\n\none\ntwo\n\nA crane\n\nNotes: Mention it.\n\n"
        "Comment (Eva): Check\n\nHarbor AG"
    )


def test_without_a_directory_the_list_of_slides_is_read(monkeypatch: pytest.MonkeyPatch) -> None:
    stream, _ = presentation()
    text = parsed(monkeypatch, {"PowerPoint Document": stream, "Current User": bytes(20)})
    assert text == "Goals\n\n- Grow\n- Hire €"


def test_a_cut_stream_ends_without_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    stream, user = presentation()
    whole, lengths = "Goals\n\n- Grow\n- Hire €", set()
    # Without the last record, of 36 bytes, the list of slides is read. Its last character may be
    # cut in half.
    for end in range(0, len(stream) - 36, 7):
        streams = {"PowerPoint Document": stream[:end], "Current User": user}
        text = parsed(monkeypatch, streams).removesuffix("\ufffd").removesuffix("\n- ").rstrip()
        assert whole.startswith(text)
        lengths.add(len(text))
    assert min(lengths) == 0
    assert max(lengths) == len(whole)


def test_what_cannot_be_read_has_a_reason(monkeypatch: pytest.MonkeyPatch) -> None:
    protected = bytes(12) + b"\xdf\xc4\xd1\xf3" + bytes(4)
    with pytest.raises(ParsingError, match=r"a\.ppt is protected with a password"):
        parsed(monkeypatch, {"PowerPoint Document": b"", "Current User": protected})
    with pytest.raises(ParsingError, match=r"a\.ppt is damaged or older than PowerPoint 97"):
        parsed(monkeypatch, {"PP40": b""})
    monkeypatch.undo()
    with pytest.raises(ParsingError, match=r"a\.ppt could not be read: "):
        parse_ppt(b"no file", name="a.ppt")
