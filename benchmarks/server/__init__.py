"""The permission graph in SQLite next to SpiceDB, as both grow."""
