"""The permission graph in SpiceDB."""
