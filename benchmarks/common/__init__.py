"""Code that several benchmarks share: environments, processes, memory, pages and tables."""
