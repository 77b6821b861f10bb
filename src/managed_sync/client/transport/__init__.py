"""Sends requests: effects, the loops that perform them, retries and limits."""
