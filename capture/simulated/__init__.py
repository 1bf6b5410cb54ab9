"""Twins of the plant's devices on real sockets, for the demo and the tests; never an oracle."""
