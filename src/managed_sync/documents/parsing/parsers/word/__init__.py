"""Reads Word files."""
