"""The content of real files, read independently of the parsers that are compared."""
