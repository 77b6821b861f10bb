"""The parsers compared, format by format."""
