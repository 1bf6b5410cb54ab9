"""Revisions of the database `credentials`, the oldest first."""
