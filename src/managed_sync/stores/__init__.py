"""Shared parts of both frameworks' store adapters and searches."""
