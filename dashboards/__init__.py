"""What people see: the server, sessions, pages, the REST interface and the manual.

May import every other package; nothing imports this one. Panel, HoloViews, Bokeh, FastAPI and
uvicorn live here. `server.py` puts everything together, `pages.py` lists the pages, `visit.py`
is the only module that reads `pn.state`.
"""
