"""A plant's evidence taken away while it works, and brought back with the proof that it is whole.

A backup is a folder or a zip: SQLite copies of the databases (a PostgreSQL ledger is written into
one too), telemetry segments, anchors, the newest checkpoint, and the signed list of all files.
It may import the ledger, its migrations and the projections.
"""
