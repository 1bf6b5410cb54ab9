"""What is read back from the ledger, kept in step within each commit, and can be rebuilt."""
