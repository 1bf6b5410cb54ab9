"""Qualification in the plant's own install: what is installed (IQ), and that it works (OQ)."""
