"""Input and output of the ledger: tables, sessions, the append transaction, derived tables."""
