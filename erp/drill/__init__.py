"""The outage drill: a real relay, a real ERP, and a network between them that fails on purpose."""
