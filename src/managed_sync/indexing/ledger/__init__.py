"""The ledger: the record, on disk, of what is in the index."""
