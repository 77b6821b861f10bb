"""Benchmarks: what the package promises, measured next to what others offer."""
