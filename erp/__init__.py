"""The other side of the boundary: contract, outbox, relay, adapters, master data, sandbox ERP.

May import core and config. Never capture or analytics: what the ERP is told comes from the ledger
alone. The ERP's own words stop in this package; the core speaks ISA-95.
"""
