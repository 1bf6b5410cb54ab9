"""What the floor sends: scales, machines, scanners and label printers, and their telemetry.

May import `core` and `config`; never `erp`, `analytics` or `dashboards`. Wire formats become
our own nouns here, and the raw line is kept as evidence. Rules about what may be used live
in `core`; this package only reports what a device said, and that it said nothing.
"""
