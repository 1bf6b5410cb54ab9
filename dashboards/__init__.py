"""What people see: server, sessions, pages, REST API, command line, in-app help.

May import every other package, and nothing imports it: screens come last. Panel, Bokeh, HoloViews,
FastAPI and Typer live here. Local time exists in this package alone.
"""
