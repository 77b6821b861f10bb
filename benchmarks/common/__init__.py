"""Shared parts of the benchmarks: commands, environments, processes, memory, pages and tables."""
