"""Reads formats that are text: plain text, CSV, notebooks, calendars and cards."""

from __future__ import annotations

import codecs
import csv
import io
import json
import re

from benchmarks.parsing.truth.model import DamagedFileError, Truth

__all__ = [
    "read_calendar",
    "read_cards",
    "read_csv",
    "read_markdown",
    "read_notebook",
    "read_plain",
]

_TAG = re.compile(r"<!--.*?-->|</?[A-Za-z][^<>]*>", re.DOTALL)
_CODE = re.compile(
    r"((?:^ {0,3}(?:```|~~~).*?^ {0,3}(?:```|~~~)|`[^`\n]+`))", re.DOTALL | re.MULTILINE
)
_FOLDED = re.compile(r"\r?\n[ \t]")
_EVENT = {"SUMMARY", "DESCRIPTION", "LOCATION"}
_CARD = {"FN", "ORG", "TITLE", "NOTE", "EMAIL", "TEL", "ADR"}

# The bytes of UTF-16 and of ISO-2022 are valid UTF-8, too.
_SHIFTS = re.compile("[\0\x0e\x0f\x1b]")


def read_plain(data: bytes) -> Truth:
    """Returns the truth about a text, whose encoding must be plain from its bytes.

    Raises:
        DamagedFileError: Only a guess could tell its encoding.
    """
    text = _decoded(data)
    if _SHIFTS.search(text):
        raise DamagedFileError("only a guess could tell its encoding")
    truth = Truth(flow=[text])
    truth.add("text", text)
    return truth


def read_markdown(data: bytes) -> Truth:
    """Returns the truth about Markdown: its text without comments and tags outside of code.

    Raises:
        DamagedFileError: Only a guess could tell its encoding.
    """
    text = "".join(
        part if index % 2 else _TAG.sub(" ", part)
        for index, part in enumerate(_CODE.split(_decoded(data)))
    )
    truth = Truth(flow=[text])
    truth.add("text", text)
    return truth


def read_csv(data: bytes) -> Truth:
    """Returns the truth about a CSV file, with its rows if its separator is plain.

    Raises:
        DamagedFileError: Only a guess could tell its encoding.
    """
    text = _decoded(data)
    truth = Truth()
    try:
        dialect = csv.Sniffer().sniff(text[:20_000], ",;\t|")
        rows = list(csv.reader(io.StringIO(text), dialect))
    except csv.Error:
        rows = []
    # Commas between cells are not those between thousands.
    shown = "\n".join(" ".join(row) for row in rows) or text
    truth.add("text", shown)
    truth.flow.append(shown)
    if rows and len({len(row) for row in rows if row}) == 1 and len(rows[0]) > 1:
        # A line with one cell only is a title or a note.
        truth.rows += [tuple((cell,) for cell in row) for row in rows if sum(map(bool, row)) > 1]
    return truth


def read_notebook(data: bytes) -> Truth:
    """Returns the truth about a notebook: its cells and what they printed.

    Raises:
        DamagedFileError: It is none.
    """
    try:
        notebook = json.loads(data)
        cells = notebook.get("cells")
        if cells is None:
            cells = [cell for sheet in notebook["worksheets"] for cell in sheet["cells"]]
    except (ValueError, KeyError, AttributeError, TypeError) as error:
        raise DamagedFileError(f"no notebook: {error}") from error
    truth = Truth(uncounted=frozenset({"tables that cells show"}))
    for cell in cells:
        source = _joined(cell.get("source", cell.get("input", "")))
        if cell.get("cell_type") == "markdown":
            # Targets and tags are not words that a reader sees.
            source = re.sub(r"<[^>]*>|\]\([^)]*\)", " ", source)
        truth.add(f"{cell.get('cell_type')} cells", source)
        truth.flow.append(source)
        for output in cell.get("outputs", ()):
            shown = output.get("text", output.get("data", {}).get("text/plain", ""))
            html = "text/html" in output.get("data", {})
            truth.add("tables that cells show" if html else "outputs", _joined(shown))
    return truth


def read_calendar(data: bytes) -> Truth:
    """Returns the truth about a calendar: titles, descriptions and places of what is in it.

    Raises:
        DamagedFileError: It is none.
    """
    return _fields(data, "BEGIN:VCALENDAR", _EVENT)


def read_cards(data: bytes) -> Truth:
    """Returns the truth about contact cards.

    Raises:
        DamagedFileError: There are none.
    """
    return _fields(data, "BEGIN:VCARD", _CARD)


def _fields(data: bytes, start: str, names: set[str]) -> Truth:
    text = _FOLDED.sub("", _decoded(data))
    if start not in text.upper():
        raise DamagedFileError(f"no {start} in it")
    # An alarm repeats its event, or says that it is one.
    truth = Truth(uncounted=frozenset({"alarms"}))
    is_alarm = False
    for line in text.splitlines():
        name, _, value = line.partition(":")
        name, _, parameters = name.partition(";")
        if value.strip().upper() == "VALARM":
            is_alarm = name.upper() == "BEGIN"
        if name.rpartition(".")[2].upper() in names and "QUOTED-PRINTABLE" not in parameters:
            plain = re.sub(r"\\[nN]", " ", value)
            part = "alarms" if is_alarm else name.rpartition(".")[2].lower()
            truth.add(part, re.sub(r"\\(.)", r"\1", plain))
    return truth


def _joined(source: object) -> str:
    return "".join(map(str, source)) if isinstance(source, list) else str(source)


def _decoded(data: bytes) -> str:
    for mark, name in (
        (b"\xef\xbb\xbf", "utf-8-sig"),
        # The mark of UTF-32 begins with that of UTF-16.
        (codecs.BOM_UTF32_LE, "utf-32"),
        (codecs.BOM_UTF32_BE, "utf-32"),
        (b"\xff\xfe", "utf-16"),
        (b"\xfe\xff", "utf-16"),
    ):
        if data.startswith(mark):
            return data.decode(name, "replace")
    try:
        return data.decode("utf-8")
    except UnicodeDecodeError as error:
        raise DamagedFileError("only a guess could tell its encoding") from error
