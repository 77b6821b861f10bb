"""Reads Office and OpenDocument files from the XML in them."""
