"""The records of a run: listed, changed, or single ones, each confirmed before it is believed."""
