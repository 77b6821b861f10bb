"""Reads workbooks and tables of every format."""
