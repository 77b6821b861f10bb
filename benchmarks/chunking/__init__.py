"""Chunking next to other packages, in proportion to counting tokens alone."""
