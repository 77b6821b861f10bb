"""Syncs: scheduled, staged and published, one at a time for each pipeline."""
