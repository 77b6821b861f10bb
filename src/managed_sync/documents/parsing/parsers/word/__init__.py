"""Reads texts: Word, OpenDocument, RTF and books."""
