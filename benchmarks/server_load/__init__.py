"""A server that many clients ask at once."""
