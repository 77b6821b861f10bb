"""The parsers on real files: how much of each part of a file they keep."""
