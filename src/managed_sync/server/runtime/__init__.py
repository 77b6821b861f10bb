"""A running server: its listener, its connections, its log and its lock."""
