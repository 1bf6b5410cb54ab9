"""The sandbox ERP: a small, strict ERP of its own, for the demo, the tests and a first integration.

It runs as a separate process on its own SQLite file, keeps stock and general ledger at its own
standard cost, and knows the MES only by the wire contract: it imports `erp.contract`,
`erp.signing` and nothing of the sending side.
"""
