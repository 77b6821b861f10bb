"""Reads Markdown."""

from managed_sync.documents.parsing.parsers.markdown.reader import (
    parse_markdown,
    split_front_matter,
)

__all__ = ["parse_markdown", "split_front_matter"]
