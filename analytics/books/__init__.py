"""Plant notebooks: Markdown with named SELECTs and declarative views, and nothing that runs code."""
