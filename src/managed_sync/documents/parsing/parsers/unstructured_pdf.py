"""PDF through ``unstructured``, for whoever asks for its layout models or its OCR."""

from __future__ import annotations

import io
from typing import Literal, TypeAlias

from managed_sync.documents.parsing.parsers.unstructured import running_unstructured, to_markdown

__all__ = ["PdfStrategy", "parse_pdf"]

PdfStrategy: TypeAlias = Literal["auto", "fast", "hi_res", "ocr_only"]


def parse_pdf(data: bytes, *, name: str, strategy: PdfStrategy, languages: tuple[str, ...]) -> str:
    """A PDF, a form feed between its pages.

    Raises:
        ParsingError: The file is damaged or encrypted.
        MissingExtraError: ``unstructured``'s PDF part is not installed.
    """
    with running_unstructured(name, extra="unstructured-pdf"):
        from unstructured.partition.pdf import partition_pdf  # noqa: PLC0415 - takes seconds

        elements = partition_pdf(
            file=io.BytesIO(data),
            strategy=strategy,
            languages=list(languages),
            include_page_breaks=True,
            infer_table_structure=strategy == "hi_res",
        )
        # Nothing in a PDF marks a heading; what looks like a title is the best guess there is.
        return to_markdown(elements, is_heading=lambda element: element.category == "Title")
