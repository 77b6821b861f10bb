"""Names the types of files, and finds the one that a content type or a file name declares."""

from __future__ import annotations

from enum import StrEnum
from pathlib import PurePosixPath

__all__ = [
    "FileType",
    "contradicts",
    "declared_type",
    "display_name",
    "is_json",
    "is_unknown",
    "media_type_of",
    "named_type",
    "plain_media_type",
]


class FileType(StrEnum):
    """The types of files that text can be read from."""

    PDF = "pdf"
    DOCX = "docx"
    PPTX = "pptx"
    XLSX = "xlsx"
    XLSB = "xlsb"
    DOC = "doc"
    PPT = "ppt"
    XLS = "xls"
    HTML = "html"
    MARKDOWN = "md"
    CSV = "csv"
    EMAIL = "eml"
    MSG = "msg"
    MBOX = "mbox"
    MHT = "mht"
    ICS = "ics"
    VCF = "vcf"
    RTF = "rtf"
    ODT = "odt"
    ODS = "ods"
    ODP = "odp"
    EPUB = "epub"
    NOTEBOOK = "ipynb"
    SVG = "svg"
    ARCHIVE = "zip"
    IMAGE = "image"
    CODE = "code"
    TEXT = "txt"


def _all_of(names: str, kind: FileType) -> dict[str, FileType]:
    return dict.fromkeys(names.split(), kind)


_OPEN_DOCUMENT = "application/vnd.oasis.opendocument."
_OFFICE = "application/vnd.openxmlformats-officedocument."
_MEDIA_TYPES = {
    FileType.PDF: "application/pdf",
    FileType.DOCX: f"{_OFFICE}wordprocessingml.document",
    FileType.PPTX: f"{_OFFICE}presentationml.presentation",
    FileType.XLSX: f"{_OFFICE}spreadsheetml.sheet",
    FileType.XLSB: "application/vnd.ms-excel.sheet.binary.macroenabled.12",
    FileType.DOC: "application/msword",
    FileType.PPT: "application/vnd.ms-powerpoint",
    FileType.XLS: "application/vnd.ms-excel",
    FileType.HTML: "text/html",
    FileType.MARKDOWN: "text/markdown",
    FileType.CSV: "text/csv",
    FileType.EMAIL: "message/rfc822",
    FileType.MSG: "application/vnd.ms-outlook",
    FileType.MBOX: "application/mbox",
    FileType.MHT: "multipart/related",
    FileType.ICS: "text/calendar",
    FileType.VCF: "text/vcard",
    FileType.RTF: "application/rtf",
    FileType.ODT: f"{_OPEN_DOCUMENT}text",
    FileType.ODS: f"{_OPEN_DOCUMENT}spreadsheet",
    FileType.ODP: f"{_OPEN_DOCUMENT}presentation",
    FileType.EPUB: "application/epub+zip",
    FileType.NOTEBOOK: "application/x-ipynb+json",
    FileType.SVG: "image/svg+xml",
    FileType.ARCHIVE: "application/zip",
}
# Parts of a family share their readers: templates, slide shows, and files with macros.
_WORD = "application/vnd.ms-word."
_SLIDES = "application/vnd.ms-powerpoint."
_SHEETS = "application/vnd.ms-excel."
_BY_CONTENT_TYPE = {
    **{media_type: kind for kind, media_type in _MEDIA_TYPES.items()},
    f"{_OFFICE}wordprocessingml.template": FileType.DOCX,
    f"{_OFFICE}presentationml.template": FileType.PPTX,
    f"{_OFFICE}presentationml.slideshow": FileType.PPTX,
    f"{_OFFICE}spreadsheetml.template": FileType.XLSX,
    f"{_WORD}document.macroenabled.12": FileType.DOCX,
    f"{_WORD}template.macroenabled.12": FileType.DOCX,
    f"{_SLIDES}presentation.macroenabled.12": FileType.PPTX,
    f"{_SLIDES}template.macroenabled.12": FileType.PPTX,
    f"{_SLIDES}slideshow.macroenabled.12": FileType.PPTX,
    f"{_SHEETS}sheet.macroenabled.12": FileType.XLSX,
    f"{_SHEETS}template.macroenabled.12": FileType.XLSX,
    f"{_OPEN_DOCUMENT}text-template": FileType.ODT,
    f"{_OPEN_DOCUMENT}text-master": FileType.ODT,
    f"{_OPEN_DOCUMENT}spreadsheet-template": FileType.ODS,
    f"{_OPEN_DOCUMENT}presentation-template": FileType.ODP,
    "application/x-pdf": FileType.PDF,
    "text/rtf": FileType.RTF,
    "text/richtext": FileType.RTF,
    "application/x-rtf": FileType.RTF,
    "application/vnd.msword": FileType.DOC,
    "application/x-msword": FileType.DOC,
    "application/msexcel": FileType.XLS,
    "application/x-msexcel": FileType.XLS,
    "application/mspowerpoint": FileType.PPT,
    "application/xhtml+xml": FileType.HTML,
    "text/x-markdown": FileType.MARKDOWN,
    "text/x-web-markdown": FileType.MARKDOWN,
    "application/csv": FileType.CSV,
    "text/x-csv": FileType.CSV,
    "text/tab-separated-values": FileType.CSV,
    "message/global": FileType.EMAIL,
    "application/x-mimearchive": FileType.MHT,
    "message/x-mht": FileType.MHT,
    "application/ics": FileType.ICS,
    "text/x-vcard": FileType.VCF,
    "text/directory": FileType.VCF,
    "application/x-zip-compressed": FileType.ARCHIVE,
    "application/x-zip": FileType.ARCHIVE,
    "application/x-tar": FileType.ARCHIVE,
    "application/x-gtar": FileType.ARCHIVE,
    "application/gzip": FileType.ARCHIVE,
    "application/x-gzip": FileType.ARCHIVE,
    "application/x-bzip2": FileType.ARCHIVE,
    "application/x-xz": FileType.ARCHIVE,
    "application/x-compressed": FileType.ARCHIVE,
    "application/x-tex": FileType.TEXT,
    "application/x-latex": FileType.TEXT,
    "application/x-subrip": FileType.TEXT,
    **_all_of(
        "application/json application/jsonl application/x-jsonlines application/x-ndjson "
        "application/xml application/xml-dtd application/yaml application/x-yaml application/toml "
        "application/javascript application/x-javascript application/ecmascript "
        "application/typescript application/x-typescript application/graphql application/sql "
        "application/x-sql application/x-sh application/x-csh application/x-shellscript "
        "application/x-powershell application/x-python application/x-python-code "
        "application/x-perl application/x-ruby application/x-php application/x-httpd-php "
        "text/xml text/yaml text/css text/javascript",
        FileType.CODE,
    ),
}
_BY_SUFFIX = {
    **{kind.value: kind for kind in FileType if kind not in {FileType.CODE, FileType.IMAGE}},
    **_all_of("docm dotx dotm", FileType.DOCX),
    **_all_of("pptm potx potm ppsx ppsm", FileType.PPTX),
    **_all_of("xlsm xltx xltm", FileType.XLSX),
    **_all_of("dot wbk", FileType.DOC),
    **_all_of("pps pot", FileType.PPT),
    **_all_of("xlt xlw", FileType.XLS),
    **_all_of("ott odm fodt", FileType.ODT),
    **_all_of("ots fods", FileType.ODS),
    **_all_of("otp fodp", FileType.ODP),
    **_all_of("htm xhtml xht shtml", FileType.HTML),
    **_all_of("markdown mdown mkd mdx qmd rmd", FileType.MARKDOWN),
    **_all_of("tsv tab", FileType.CSV),
    "mbx": FileType.MBOX,
    "mhtml": FileType.MHT,
    **_all_of("ical ifb", FileType.ICS),
    "vcard": FileType.VCF,
    **_all_of("tar tgz gz bz2 tbz2 xz txz", FileType.ARCHIVE),
    **_all_of("png jpg jpeg jpe gif tif tiff bmp webp heic heif avif jp2", FileType.IMAGE),
    **_all_of(
        "text log rst org tex ltx bib adoc asciidoc textile srt vtt sub po diff patch me nfo asc",
        FileType.TEXT,
    ),
    **_all_of(
        "atom bash bat c cc cfg clj cmake cmd conf cpp cs css cxx dart dtd ex exs f90 fish "
        "geojson go gradle graphql groovy h hpp hs ini java jl js json json5 jsonc jsonl jsonld "
        "jsx kt less lua m mjs ml ndjson php pl pm properties proto ps1 py pyi r rb rs rss sass "
        "scala scss sh sql swift tcl tf toml ts tsx vb vue wsdl xml xsd xsl xslt yaml yml zsh",
        FileType.CODE,
    ),
}
_JSON_SUFFIXES = {".json", ".jsonl", ".ndjson", ".jsonld", ".geojson"}
_BY_FAMILY = {"text": FileType.TEXT, "image": FileType.IMAGE, "message": FileType.EMAIL}
# Servers send these without knowing the type.
_UNKNOWN = {"", "application/octet-stream", "binary/octet-stream", "application/x-download"}
# Google's own formats have no bytes: the content is an export, and its bytes decide the type.
_GOOGLE = "application/vnd.google-apps."
# Some programs write web pages with the types of old Office files.
_NEVER_INSTEAD = {*_MEDIA_TYPES, FileType.TEXT, FileType.IMAGE} - {
    *(FileType.HTML, FileType.NOTEBOOK, FileType.SVG),
    *(FileType.DOC, FileType.PPT, FileType.XLS),
}
# The types of login pages and errors, which some servers send in place of a file's content.
_INSTEAD = {"text/html", "application/json", "application/problem+json"}


def display_name(filename: str, content_type: str) -> str:
    """Returns the name of a file for messages: its own, or one made of its type."""
    return filename or f"A file of type {content_type or 'unknown'}"


def media_type_of(kind: FileType) -> str:
    """Returns the content type of a binary format or of HTML."""
    return _MEDIA_TYPES[kind]


def plain_media_type(content_type: str) -> str:
    """Returns a content type without its parameters, in small letters."""
    return content_type.partition(";")[0].strip().lower()


def is_unknown(media_type: str) -> bool:
    """Tells whether a content type says nothing about the bytes."""
    return media_type in _UNKNOWN or media_type.startswith(_GOOGLE)


def declared_type(media_type: str) -> FileType | None:
    """Returns the type that a content type declares.

    It is ``None`` if the content type is unknown, or of a format that is not read.
    """
    if known := _BY_CONTENT_TYPE.get(media_type):
        return known
    if media_type == f"{_GOOGLE}spreadsheet":
        return FileType.CSV
    if media_type.endswith(("+xml", "+json", "+yaml", "+json-seq")):
        return FileType.CODE
    return _BY_FAMILY.get(media_type.partition("/")[0])


def named_type(filename: str) -> FileType | None:
    """Returns the type that the end of a file name declares."""
    return _BY_SUFFIX.get(PurePosixPath(filename).suffix.lower().removeprefix("."))


def is_json(content_type: str, filename: str) -> bool:
    """Tells whether a file is JSON, or lines of JSON, by its content type or its name."""
    media_type = plain_media_type(content_type)
    return "json" in media_type or PurePosixPath(filename).suffix.lower() in _JSON_SUFFIXES


def contradicts(delivered: str, declared: str, filename: str) -> bool:
    """Tells whether a file of the declared type cannot be delivered as the other type.

    A PDF, an Office file or a plain text cannot be a web page or JSON. Formats without bytes of
    their own, such as Google's, are exported as any type.
    """
    media_type = plain_media_type(declared)
    if is_unknown(media_type):
        return False
    kind = declared_type(media_type)
    if kind is FileType.TEXT:
        kind = named_type(filename) or kind
    return delivered in _INSTEAD and kind in _NEVER_INSTEAD
