"""Certificates: their content, page, signature, and the check that a stranger runs."""
