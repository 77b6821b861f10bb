"""The parsers that are compared on real files."""

from __future__ import annotations

import io
from collections.abc import Callable, Mapping
from importlib.util import find_spec
from pathlib import PurePath

from managed_sync.documents import KreuzbergParser, UnstructuredParser
from managed_sync.documents.parsing.base import run_parser
from managed_sync.documents.parsing.registry import FileParser

__all__ = ["CANDIDATES", "available", "parse_with"]

_Parse = Callable[[bytes, str], str]


def _ours(parser: Callable[[], FileParser]) -> Callable[[], _Parse]:
    def make() -> _Parse:
        made = parser()

        def parse(data: bytes, name: str) -> str:
            text = run_parser(made, data, content_type="application/octet-stream", filename=name)
            # Files in the file, such as attachments, become documents of their own.
            return "\n\n\f".join([text, *(part.text for part in getattr(text, "parts", ()))])

        return parse

    return make


def _markitdown() -> _Parse:
    from markitdown import MarkItDown, StreamInfo  # noqa: PLC0415 - optional

    converter = MarkItDown()

    def parse(data: bytes, name: str) -> str:
        info = StreamInfo(extension=PurePath(name).suffix)
        return str(converter.convert_stream(io.BytesIO(data), stream_info=info).markdown)

    return parse


CANDIDATES: Mapping[str, Callable[[], _Parse]] = {
    "default": _ours(FileParser),
    "kreuzberg": _ours(KreuzbergParser),
    "unstructured": _ours(UnstructuredParser),
    "markitdown": _markitdown,
}


def available() -> list[str]:
    """Returns the names of the parsers that are installed."""
    return [name for name in CANDIDATES if name == "default" or find_spec(name)]


def parse_with(name: str) -> _Parse:
    """Returns the parser of this name."""
    return CANDIDATES[name]()
