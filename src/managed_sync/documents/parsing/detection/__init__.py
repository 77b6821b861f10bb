"""Detects the type of a file by its content type, its name and its bytes."""
