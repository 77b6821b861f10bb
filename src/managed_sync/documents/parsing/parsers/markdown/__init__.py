"""Reads Markdown."""

from managed_sync.documents.parsing.parsers.markdown.front_matter import split_front_matter
from managed_sync.documents.parsing.parsers.markdown.reader import parse_markdown

__all__ = ["parse_markdown", "split_front_matter"]
