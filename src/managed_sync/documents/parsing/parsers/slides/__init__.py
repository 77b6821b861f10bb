"""Reads presentations."""
