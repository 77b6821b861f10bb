"""Reads XML safely, with short names of tags and attributes.

``w:p`` stands for a paragraph of a Word file, transitional or Strict. The elements are the standard
library's, which has no limit of depth, so readers that call themselves for inner elements fail with
``RecursionError`` on hostile files.

Guarantees:

- No entity is expanded and nothing outside of the file is opened. Office never writes entities, so
  a part that declares one is refused.
"""

from __future__ import annotations

from xml.etree.ElementTree import Element, XMLParser

from managed_sync.errors import ParsingError

__all__ = ["parse_xml"]

_OFFICE = "http://schemas.openxmlformats.org/"
_STRICT = "http://purl.oclc.org/ooxml/"
_MICROSOFT = "http://schemas.microsoft.com/office/"
_OPEN = "urn:oasis:names:tc:opendocument:xmlns:"
_PREFIXES = {
    "wordprocessingml/main": "w",
    "wordprocessingml/2006/main": "w",
    "officeDocument/math": "m",
    "officeDocument/2006/math": "m",
    "officeDocument/relationships": "r",
    "officeDocument/2006/relationships": "r",
    "drawingml/main": "a",
    "drawingml/2006/main": "a",
    "drawingml/wordprocessingDrawing": "wp",
    "drawingml/2006/wordprocessingDrawing": "wp",
    "drawingml/picture": "pic",
    "drawingml/2006/picture": "pic",
    "drawingml/chart": "c",
    "drawingml/2006/chart": "c",
    "drawingml/chartDrawing": "cdr",
    "drawingml/2006/chartDrawing": "cdr",
    "drawingml/diagram": "dgm",
    "drawingml/2006/diagram": "dgm",
    "drawingml/lockedCanvas": "lc",
    "drawingml/2006/lockedCanvas": "lc",
    "drawingml/spreadsheetDrawing": "xdr",
    "drawingml/2006/spreadsheetDrawing": "xdr",
    "presentationml/main": "p",
    "presentationml/2006/main": "p",
    "spreadsheetml/main": "x",
    "spreadsheetml/2006/main": "x",
    "markup-compatibility/2006": "mc",
}
_MICROSOFT_PREFIXES = {
    "word/2010/wordprocessingShape": "wps",
    "word/2010/wordprocessingGroup": "wpg",
    "word/2010/wordprocessingCanvas": "wpc",
    "word/2010/wordml": "w14",
    "word/2012/wordml": "w15",
    "drawing/2008/diagram": "dsp",
    "drawing/2014/chartex": "cx",
}
_OTHER_PREFIXES = {
    "urn:schemas-microsoft-com:vml": "v",
    "urn:schemas-microsoft-com:office:office": "o",
    "http://www.w3.org/XML/1998/namespace": "xml",
    "http://www.w3.org/1999/xlink": "xlink",
    "http://www.w3.org/1998/Math/MathML": "math",
    "http://purl.org/dc/elements/1.1/": "dc",
    # LibreOffice writes comments on slides with it.
    "http://openoffice.org/2009/office": "office",
}
_ENTITY = "<!ENTITY"
_ENTITIES = [_ENTITY.encode(encoding) for encoding in ("utf-8", "utf-16-le", "utf-16-be")]


def parse_xml(data: bytes) -> Element:
    """Returns the root of an XML file, with short names of tags and attributes.

    Raises:
        ParsingError: It declares entities.
        ParseError: It is not well formed.
    """
    if any(entity in data for entity in _ENTITIES):
        raise ParsingError("the XML in it declares entities, as malicious files do")
    parser = XMLParser()  # noqa: S314 - entities are refused, and expat opens nothing outside
    parser.feed(data)
    root: Element = parser.close()
    names: dict[str, str] = {}
    for element in root.iter():
        tag = element.tag
        if tag not in names:
            names[tag] = _short_name(tag)
        element.tag = names[tag]
        for key in [key for key in element.attrib if key[0] == "{"]:
            if key not in names:
                names[key] = _short_name(key)
            element.attrib[names[key]] = element.attrib.pop(key)
    return root


def _short_name(name: str) -> str:
    """Returns a name with the usual prefix in place of its namespace, if that is known.

    Examples:
        >>> _short_name("{http://purl.oclc.org/ooxml/wordprocessingml/main}p")
        'w:p'
        >>> _short_name("{urn:example}p")
        'p'
    """
    if not name.startswith("{"):
        return name
    namespace, _, local = name[1:].rpartition("}")
    prefix = _prefix(namespace)
    return f"{prefix}:{local}" if prefix else local


def _prefix(namespace: str) -> str:
    if namespace.startswith(_OPEN):
        return namespace[len(_OPEN) :].partition(":")[0]
    for start in (_OFFICE, _STRICT):
        if namespace.startswith(start):
            return _PREFIXES.get(namespace[len(start) :], "")
    if namespace.startswith(_MICROSOFT):
        return _MICROSOFT_PREFIXES.get(namespace[len(_MICROSOFT) :], "")
    return _OTHER_PREFIXES.get(namespace, "")
