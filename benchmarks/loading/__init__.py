"""Loading next to downloading alone and parsing alone."""
