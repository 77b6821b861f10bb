"""Embedded vector stores, with and without an object filter."""
