"""Where the server's records and permissions come from."""
