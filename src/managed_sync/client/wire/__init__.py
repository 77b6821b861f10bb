"""Builds requests and reads responses, without I/O."""
