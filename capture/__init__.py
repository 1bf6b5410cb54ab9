"""What the floor sends: scales, PLCs, barcodes, labels, eligibility, telemetry.

May import core and config. Never erp or analytics: a weighing must work while both are down.
Each device is a pure parser, a thin class that owns the I/O, and a small protocol between them.
"""
