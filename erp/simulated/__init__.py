"""Strict simulators of other makers' ERPs: their paths, fields and refusals, over real HTTP.

For tests and trials without a licence. Each is a process of its own with its own SQLite file
(`python -m erp.simulated NAME`), and keeps every request it got, so that a test can hold them
against a published contract. None of them is the real thing: the manual says what was not tested.
"""
