"""Sage X3 over its SOAP pool: two subprograms that the customer's partner publishes.

X3 publishes no ready service for a tracking with a lot: each customer publishes objects or
subprograms of its own. `fields` is the contract for the two we ask for, written with X3's own
dictionary names; which of X3's objects they use inside is the partner's.
"""
