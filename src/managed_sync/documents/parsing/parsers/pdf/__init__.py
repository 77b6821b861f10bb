"""Reads PDF files with PDFium; see ``reader.py``."""
