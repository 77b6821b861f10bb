"""Measures what a keyword index costs beside a vector index, and how fast it is searched."""
