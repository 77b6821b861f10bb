"""A chat service with FastAPI."""
