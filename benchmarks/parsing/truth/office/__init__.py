"""The content of Office files, part by part."""
