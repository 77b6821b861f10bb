"""Loads records and their content as documents."""
