"""Keeping an index in step, next to the frameworks' own ways."""
