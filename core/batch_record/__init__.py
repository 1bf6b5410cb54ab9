"""The batch record as one model: `model`, `build` from states, `matrix`, `read` from a ledger."""
