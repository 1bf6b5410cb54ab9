"""The audit trail: search, one entry with its proof, and the check of the whole ledger."""
