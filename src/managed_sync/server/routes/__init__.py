"""The HTTP routes: what the specification says, and nothing of how it is done."""
