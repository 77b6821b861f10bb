"""Reads web pages and notebooks."""
