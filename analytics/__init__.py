"""The numbers: DuckDB projector, certified relations, OEE, trends, genealogy, books.

May import core and config. Never capture or erp: it reads entries and telemetry that were stored,
so every number can be computed again from the same evidence. Everything here can be dropped.
"""
