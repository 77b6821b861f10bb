"""Reads what is laid over the pages of a PDF: links, comments, and the fields of forms."""

from __future__ import annotations

import ctypes
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from managed_sync.documents.parsing.parsers.pdf.geometry import Frame
from managed_sync.documents.parsing.parsers.pdf.lines import Line

__all__ = ["Comment", "Field", "Overlay", "read_overlay"]

_MAX_ANNOTATIONS = 5_000
_MAX_TARGET = 2_000


class Comment(NamedTuple):
    """A note that somebody put on a page.

    Attributes:
        author: The name, or an empty string.
        text: The text.
        corners: Its left, top, right and bottom on the page.
    """

    author: str
    text: str
    corners: tuple[float, float, float, float]


class Field(NamedTuple):
    """A field of a form.

    Attributes:
        name: The name that a person sees, or the last part of the technical one.
        value: The text, the choice, or ``"yes"`` or ``"no"`` for a box to check.
        is_filled: Whether somebody entered a value.
    """

    name: str
    value: str
    is_filled: bool


@dataclass(slots=True)
class Overlay:
    """The annotations of a page.

    Attributes:
        links: Where links are, as corners on the page, and the addresses that they open.
        comments: Notes, free text, and remarks on marked text.
        fields: The fields of a form, without buttons and empty texts.
        is_drawn: Whether something in it may show text: a stamp, a signature, a filled field.
    """

    links: list[tuple[tuple[float, float, float, float], str]] = field(default_factory=list)
    comments: list[Comment] = field(default_factory=list)
    fields: list[Field] = field(default_factory=list)
    is_drawn: bool = False

    def mark_links(self, lines: Iterable[Line], frame: Frame) -> None:
        """Notes the target of each link on the words below it."""
        areas = [(frame.place(*corners), target) for corners, target in self.links]
        for line in lines if areas else ():
            near = [
                (box, target)
                for box, target in areas
                if box.top <= line.box.bottom and box.bottom >= line.box.top
            ]
            for word in line.words if near else ():
                middle = word.box.middle
                word.target = next((target for box, target in near if box.contains(middle)), "")


def read_overlay(page: Any, form: Any) -> Overlay:
    """Reads the annotations of a page that are not hidden.

    Args:
        page: The page.
        form: PDFium's handle of the document's form, if it has one.
    """
    from pypdfium2 import raw  # noqa: PLC0415 - comes with an extra

    overlay = Overlay()
    for index in range(min(raw.FPDFPage_GetAnnotCount(page.raw), _MAX_ANNOTATIONS)):
        annotation = raw.FPDFPage_GetAnnot(page.raw, index)
        if not annotation:
            continue
        try:
            if not raw.FPDFAnnot_GetFlags(annotation) & raw.FPDF_ANNOT_FLAG_HIDDEN:
                _read(annotation, page, form, overlay)
        finally:
            raw.FPDFPage_CloseAnnot(annotation)
    return overlay


def _read(annotation: Any, page: Any, form: Any, overlay: Overlay) -> None:
    from pypdfium2 import raw  # noqa: PLC0415 - comes with an extra

    kind = raw.FPDFAnnot_GetSubtype(annotation)
    if kind in {raw.FPDF_ANNOT_POPUP, raw.FPDF_ANNOT_XFAWIDGET}:
        return
    rectangle = raw.FS_RECTF()
    raw.FPDFAnnot_GetRect(annotation, rectangle)
    corners = (rectangle.left, rectangle.top, rectangle.right, rectangle.bottom)
    if kind == raw.FPDF_ANNOT_LINK:
        if target := _target(annotation, page):
            overlay.links.append((corners, target))
        return
    overlay.is_drawn = True
    if kind == raw.FPDF_ANNOT_WIDGET:
        overlay.fields += _fields(annotation, form) if form else ()
    elif text := _utf16(raw.FPDFAnnot_GetStringValue, annotation, b"Contents").strip():
        author = _utf16(raw.FPDFAnnot_GetStringValue, annotation, b"T").strip()
        overlay.comments.append(Comment(author, text, corners))


def _target(annotation: Any, page: Any) -> str:
    """Returns the address that a link opens; one within the file has none."""
    from pypdfium2 import raw  # noqa: PLC0415 - comes with an extra

    link = raw.FPDFAnnot_GetLink(annotation)
    action = raw.FPDFLink_GetAction(link) if link else None
    if not action or raw.FPDFAction_GetType(action) != raw.PDFACTION_URI:
        return ""
    buffer = ctypes.create_string_buffer(_MAX_TARGET)
    size = raw.FPDFAction_GetURIPath(page.pdf.raw, action, buffer, _MAX_TARGET)
    if not 1 < size <= _MAX_TARGET:
        return ""
    return buffer.raw[: size - 1].decode("utf-8", "replace")


def _fields(annotation: Any, form: Any) -> Iterator[Field]:
    from pypdfium2 import raw  # noqa: PLC0415 - comes with an extra

    kind = raw.FPDFAnnot_GetFormFieldType(form, annotation)
    name = (
        _utf16(raw.FPDFAnnot_GetFormFieldAlternateName, form, annotation).strip()
        or _utf16(raw.FPDFAnnot_GetFormFieldName, form, annotation).rpartition(".")[2].strip()
    )
    value = ""
    if kind == raw.FPDF_FORMFIELD_CHECKBOX:
        checked = bool(raw.FPDFAnnot_IsChecked(form, annotation))
        yield Field(name, "yes" if checked else "no", checked)
    elif kind == raw.FPDF_FORMFIELD_RADIOBUTTON:
        if raw.FPDFAnnot_IsChecked(form, annotation):
            value = _utf16(raw.FPDFAnnot_GetFormFieldExportValue, form, annotation)
    elif kind in {raw.FPDF_FORMFIELD_LISTBOX, raw.FPDF_FORMFIELD_COMBOBOX}:
        value = ", ".join(_chosen(annotation, form)) or _utf16(
            raw.FPDFAnnot_GetFormFieldValue, form, annotation
        )
    elif kind == raw.FPDF_FORMFIELD_TEXTFIELD:
        value = _utf16(raw.FPDFAnnot_GetFormFieldValue, form, annotation)
    if value.strip():
        yield Field(name, " ".join(value.split()), is_filled=True)


def _chosen(annotation: Any, form: Any) -> Iterator[str]:
    from pypdfium2 import raw  # noqa: PLC0415 - comes with an extra

    for index in range(min(raw.FPDFAnnot_GetOptionCount(form, annotation), _MAX_ANNOTATIONS)):
        if raw.FPDFAnnot_IsOptionSelected(form, annotation, index):
            yield _utf16(raw.FPDFAnnot_GetOptionLabel, form, annotation, index).strip()


def _utf16(call: Any, *arguments: Any) -> str:
    """Returns the text that a function of PDFium writes as UTF-16, without halves of surrogates.

    Args:
        call: A function whose last arguments are a buffer and its size in bytes, and that returns
            the size that the text needs, with its end mark.
        arguments: The arguments before the buffer.
    """
    from pypdfium2 import raw  # noqa: PLC0415 - comes with an extra

    size = call(*arguments, None, 0)
    if size <= 2:
        return ""
    buffer = ctypes.create_string_buffer(size)
    call(*arguments, ctypes.cast(buffer, ctypes.POINTER(raw.FPDF_WCHAR)), size)
    return buffer.raw[: size - 2].decode("utf-16-le", "ignore")
