"""Revisions of the database `ledger`, the oldest first."""
