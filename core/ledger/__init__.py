"""The ledger: append-only entries under a signed Merkle tree, on SQLite or PostgreSQL.

`entry` is the canonical bytes, `merkle` the tree, `checkpoint` the signed note, `store` what is
read (`sqlite` and `postgres` are its two homes), `writer` the only way to append, `anchor` the
copy outside the database, `timestamp` an authority's word for it, `audit` the check of what is
stored, `export` what leaves the plant. It knows nothing of weighing or batches: nouns, rules and
projections reach it through `Job` and `Hooks`. It may import `core.errors`, `core.clock` and
`core.migrations`, and nothing else of ours.
"""
