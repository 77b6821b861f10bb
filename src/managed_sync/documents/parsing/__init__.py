"""Reads the bytes of files into Markdown text."""
