"""Two checkouts side by side."""
