"""The execution core: ledger, nouns, rules, signatures, projections, batch record, verifier.

Imports nothing of ours, so the rules outlive every screen, driver and adapter built on them.
Third parties: msgspec for canonical bytes, sqlalchemy for the stores, cryptography and argon2 for
keys and secrets. `core/verify` knows the standard library alone: it travels with every export.
"""
