"""Bearer tokens, the keys that verify them, and the proof of the server's identity."""
