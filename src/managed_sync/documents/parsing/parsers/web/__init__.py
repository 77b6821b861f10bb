"""Reads web pages and drawings."""
