"""Use cases of the ledger, one function each."""
