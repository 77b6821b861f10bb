"""The sample company's sources, and one writer a format."""
