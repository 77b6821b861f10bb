"""Retrieval with permissions at any selectivity, next to other packages."""
