"""The server's state: one SQLite database."""
