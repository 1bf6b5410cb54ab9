"""Plant notebooks on screen: words, numbers and charts with their proof.

Imports `analytics.books` to read and run them, `dashboards.plots` to draw.
"""
