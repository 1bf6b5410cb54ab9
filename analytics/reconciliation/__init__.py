"""The three-way match in DuckDB: rows are put in, judged where something moved, and read by page.

It imports `core` alone; whoever owns the sources hands their records in.
"""
