"""The sources of the server's records and permissions."""
