"""The wire format of the hosted service."""
