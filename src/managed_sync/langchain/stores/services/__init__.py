"""Adapters of the vector stores that are services, a module a store."""
