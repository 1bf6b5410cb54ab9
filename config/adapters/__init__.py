"""Which ERP a plant is connected to: one typed record per adapter, read from `erp.toml`.

No secret stands in a plant pack: a record names the secret under which the vault keeps it.
"""
