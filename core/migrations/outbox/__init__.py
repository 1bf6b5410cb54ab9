"""Revisions of the database `outbox`, the oldest first."""
