"""The server's state: a database (SQLite or PostgreSQL), and copies of contents."""
