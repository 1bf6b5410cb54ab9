"""Revisions of the database `telemetry`, the oldest first."""
