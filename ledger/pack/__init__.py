"""Data of the audit pack: the one-file verifier and the README that go into it. Nothing here is imported by it."""
