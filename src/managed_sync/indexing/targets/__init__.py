"""The interface of an index, and retries of the calls to it."""
