"""Reads mail, calendars and contacts: formats that hold several texts or files."""
