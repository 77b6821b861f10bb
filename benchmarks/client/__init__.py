"""Both clients next to plain httpx."""
