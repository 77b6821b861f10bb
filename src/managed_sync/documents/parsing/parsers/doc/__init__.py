"""Reads Word files from before 2007."""
