"""Charts as Bokeh figures: made once per page, then only their data changes.

A chart takes plain values and knows nothing of lines or ledgers. Imports `dashboards.charts`.
"""
