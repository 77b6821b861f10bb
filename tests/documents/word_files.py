"""Word files made of raw XML, with text in all the places where Word keeps it."""

from __future__ import annotations

import io
import zipfile
from collections.abc import Mapping

WORD = "http://schemas.openxmlformats.org/wordprocessingml/2006/main"
STRICT_WORD = "http://purl.oclc.org/ooxml/wordprocessingml/main"
_RELATIONSHIPS = "http://schemas.openxmlformats.org/officeDocument/2006/relationships"
NAMESPACES = " ".join(
    f'xmlns:{prefix}="{uri}"'
    for prefix, uri in {
        "w": WORD,
        "r": _RELATIONSHIPS,
        "m": "http://schemas.openxmlformats.org/officeDocument/2006/math",
        "mc": "http://schemas.openxmlformats.org/markup-compatibility/2006",
        "wp": "http://schemas.openxmlformats.org/drawingml/2006/wordprocessingDrawing",
        "a": "http://schemas.openxmlformats.org/drawingml/2006/main",
        "pic": "http://schemas.openxmlformats.org/drawingml/2006/picture",
        "c": "http://schemas.openxmlformats.org/drawingml/2006/chart",
        "dgm": "http://schemas.openxmlformats.org/drawingml/2006/diagram",
        "wps": "http://schemas.microsoft.com/office/word/2010/wordprocessingShape",
        "v": "urn:schemas-microsoft-com:vml",
    }.items()
)


def run(text: str, properties: str = "") -> str:
    return f'<w:r><w:rPr>{properties}</w:rPr><w:t xml:space="preserve">{text}</w:t></w:r>'


def paragraph(content: str, properties: str = "") -> str:
    """A paragraph of plain text, or of the elements in it."""
    inside = content if content.startswith("<") or not content else run(content)
    return f"<w:p><w:pPr>{properties}</w:pPr>{inside}</w:p>"


def cell(content: str, properties: str = "") -> str:
    inside = content if content.startswith("<") else paragraph(content)
    return f"<w:tc><w:tcPr>{properties}</w:tcPr>{inside}</w:tc>"


def table(*rows: str) -> str:
    return f"<w:tbl>{''.join(f'<w:tr>{row}</w:tr>' for row in rows)}</w:tbl>"


def field(code: str, result: str) -> str:
    begin, separate, end = (
        f'<w:r><w:fldChar w:fldCharType="{kind}"/></w:r>' for kind in ("begin", "separate", "end")
    )
    return f"{begin}<w:r><w:instrText>{code}</w:instrText></w:r>{separate}{result}{end}"


def make_word(
    body: str,
    *,
    parts: Mapping[str, str] | None = None,
    links: Mapping[str, str] | None = None,
    main: str = "word/document.xml",
    namespace: str = WORD,
    content_types: str = "",
) -> bytes:
    """A Word file.

    Args:
        body: The XML in its body.
        parts: The XML in other parts, such as ``{"footnotes": "<w:footnote …"}``; the name of a
            part, without its number, is its relationship's type, and its id is ``r`` and the name.
        links: External targets by relationship id.
        main: The name of the main part.
        namespace: The namespace of WordprocessingML.
        content_types: More entries of the table of content types.
    """
    folder, _, file = main.rpartition("/")
    relationships = [
        f'<Relationship Id="r{name}" Target="{name}" '
        f'Type="{_RELATIONSHIPS}/{name.partition(".")[0].rstrip("0123456789")}"/>'
        for name in parts or {}
    ] + [
        f'<Relationship Id="{key}" Target="{target}" TargetMode="External" '
        f'Type="{_RELATIONSHIPS}/hyperlink"/>'
        for key, target in (links or {}).items()
    ]
    files = {
        "[Content_Types].xml": f'<Types xmlns="ct"><Default Extension="xml" '
        f'ContentType="application/xml"/>{content_types}</Types>',
        "_rels/.rels": f'<Relationships><Relationship Id="a" Target="{main}" '
        f'Type="{_RELATIONSHIPS}/officeDocument"/></Relationships>',
        main: f"<w:document {NAMESPACES}><w:body>{body}</w:body></w:document>",
        f"{folder}/_rels/{file}.rels": f"<Relationships>{''.join(relationships)}</Relationships>",
        **{f"{folder}/{name}": _part(name, xml) for name, xml in (parts or {}).items()},
    }
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        for name, text in files.items():
            archive.writestr(name, text.replace(WORD, namespace))
    return buffer.getvalue()


def _part(name: str, xml: str) -> str:
    return f"<w:part {NAMESPACES}>{xml}</w:part>" if "." not in name or ".xml" in name else xml
