"""The contract for the other side's team, generated from the boundary policy and the code.

Everything in it is read from what the relay itself uses: types, members, rules, schedule. A policy
that changes changes the contract.
"""
