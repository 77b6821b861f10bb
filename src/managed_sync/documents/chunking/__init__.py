"""Splits documents into chunks that carry the id of their source object."""
