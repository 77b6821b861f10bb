"""Reads text in pictures, and on the scanned pages of PDF, with Tesseract.

The engine comes with ``kreuzberg``; only the data of the languages has to be installed. Pictures
are decoded here, within limits, so that the engine sees nothing but plain pixels.
"""

from __future__ import annotations

import io
import re
from collections.abc import Callable, Iterator, Sequence
from typing import TYPE_CHECKING, Any

from managed_sync.documents.parsing import markdown_writer as markdown
from managed_sync.documents.parsing.base import missing_parser, unreadable
from managed_sync.documents.parsing.markdown_writer import PAGE_BREAK
from managed_sync.errors import (
    ConfigurationError,
    EmptyContentError,
    ParsingError,
)

if TYPE_CHECKING:
    from PIL.Image import Image

__all__ = ["check_languages", "read_picture", "read_scans"]

_LANGUAGE = re.compile(r"[A-Za-z]{3}[A-Za-z_]*(/[A-Za-z]+)?")
_MISSING_DATA = re.compile(r"Language '([^']+)' not found|([A-Za-z_]+)\.traineddata")
_DOTS_PER_INCH = 300
# A number, a date or the name of a program, which scanners put on each page.
_STAMP_LETTERS = 200
# A page of A3 at 300 dots per inch has 17 million.
_MAX_PIXELS = 40_000_000
_MAX_DECODED = 200_000_000
_MAX_FRAMES = 500


def check_languages(languages: Sequence[str]) -> tuple[str, ...]:
    """Returns the languages if they may be Tesseract's codes.

    Raises:
        ConfigurationError: One of them is no code.
    """
    codes = (languages,) if isinstance(languages, str) else tuple(languages)
    for code in codes:
        if not isinstance(code, str) or not _LANGUAGE.fullmatch(code):
            raise ConfigurationError(
                f"ocr must hold codes of Tesseract's languages, such as ('eng', 'deu'), got "
                f"{code!r}."
            )
    return codes


def read_picture(data: bytes, *, name: str, languages: Sequence[str]) -> str:
    """Returns the text in a picture, with a page for each of its frames.

    Raises:
        ParsingError: The picture is damaged or too large.
        ConfigurationError: The data of a language is not installed.
        MissingExtraError: ``kreuzberg`` is not installed.
    """
    pages = [_text(frame, name, languages) for frame in _frames(data, name)]
    return markdown.join_pages(pages)


def read_scans(
    data: bytes, *, name: str, languages: Sequence[str], read_text: Callable[[], str]
) -> str:
    """Returns the text of a PDF; pages that are pictures are read as pictures.

    Such a page has no text, or no more than a stamp on a picture that fills it.

    Args:
        data: The PDF.
        name: Its name in error messages.
        languages: The languages of the scans.
        read_text: Reads the other pages.

    Raises:
        ParsingError: The file is damaged or encrypted.
        ConfigurationError: The data of a language is not installed.
        MissingExtraError: ``kreuzberg`` is not installed.
    """
    try:
        pages = read_text().split(PAGE_BREAK)
    except EmptyContentError:
        pages = []
    try:
        import pypdfium2  # noqa: PLC0415 - comes with an extra
    except ImportError as error:
        raise missing_parser(name) from error
    try:
        document = pypdfium2.PdfDocument(data)
    except pypdfium2.PdfiumError as error:
        raise unreadable(name, error) from error
    try:
        pages += [""] * (len(document) - len(pages))
        for number in range(len(document)):
            page, text = document[number], pages[number].strip()
            if not text or (len(text) <= _STAMP_LETTERS and _is_filled_by_picture(page)):
                seen = _text(_rendered(page), name, languages)
                pages[number] = max(seen, text, key=len)
    except pypdfium2.PdfiumError as error:
        raise unreadable(name, error) from error
    finally:
        document.close()
    return markdown.join_pages(pages)


def _is_filled_by_picture(page: Any) -> bool:
    """Tells whether one picture covers most of a page."""
    from pypdfium2 import raw  # noqa: PLC0415 - comes with an extra

    width, height = page.get_size()
    for picture in page.get_objects(filter=[raw.FPDF_PAGEOBJ_IMAGE], max_depth=2):
        left, bottom, right, top = picture.get_bounds()
        if (right - left) * (top - bottom) > width * height / 2:
            return True
    return False


def _rendered(page: Any) -> Image:
    width, height = page.get_size()
    pixels = width * height * (_DOTS_PER_INCH / 72) ** 2
    scale = _DOTS_PER_INCH / 72 * min(1.0, (_MAX_PIXELS / max(pixels, 1)) ** 0.5)
    picture: Image = page.render(scale=scale, grayscale=True).to_pil()
    return picture


def _frames(data: bytes, name: str) -> Iterator[Image]:
    try:
        from PIL import Image, ImageOps, ImageSequence  # noqa: PLC0415 - comes with an extra
    except ImportError as error:
        raise missing_parser(name) from error
    try:
        with Image.open(io.BytesIO(data)) as picture:
            frames = getattr(picture, "n_frames", 1)
            if picture.width * picture.height > _MAX_DECODED or frames > _MAX_FRAMES:
                raise ParsingError(
                    f"{name} is too large to be read: it has {picture.width} x {picture.height} "
                    f"pixels and {frames} frames."
                )
            # An animation repeats itself; the frames of other formats are pages.
            only_first = picture.format in {"GIF", "PNG", "WEBP"}
            for frame in ImageSequence.Iterator(picture):
                page = ImageOps.exif_transpose(frame).convert("RGBA")
                plain = Image.new("RGB", page.size, "white")
                plain.paste(page, mask=page.getchannel("A"))
                if plain.width * plain.height > _MAX_PIXELS:
                    plain.thumbnail((6_000, 6_000))
                yield plain.convert("L")
                if only_first:
                    return
    except (OSError, ValueError, SyntaxError, Image.DecompressionBombError) as error:
        raise unreadable(name, error) from error


def _text(picture: Image, name: str, languages: Sequence[str]) -> str:
    try:
        import kreuzberg  # noqa: PLC0415 - comes with an extra
    except ImportError as error:
        raise missing_parser(name) from error
    encoded = io.BytesIO()
    picture.save(encoded, "PNG", compress_level=1)
    config = kreuzberg.ExtractionConfig(
        use_cache=False,
        enable_quality_processing=False,
        output_format="plain",
        ocr=kreuzberg.OcrConfig(backend="tesseract", language="+".join(languages)),
    )
    try:
        text = kreuzberg.extract_bytes_sync(encoded.getvalue(), "image/png", config).content
    except (KeyboardInterrupt, SystemExit):
        raise
    except BaseException as error:  # a panic in Rust is not an Exception
        if missing := _MISSING_DATA.search(str(error)):
            raise _no_data(missing[1] or missing[2]) from error
        raise unreadable(name, error) from error
    return markdown.paragraph(str(text))


def _no_data(language: str) -> ConfigurationError:
    package = language.lower().replace("_", "-")
    return ConfigurationError(
        f"Tesseract has no data for the language {language!r} of ocr. Install it, as with "
        f"`apt-get install tesseract-ocr-{package}` or `brew install tesseract-lang`, or set "
        f"TESSDATA_PREFIX to the folder with {language}.traineddata."
    )
