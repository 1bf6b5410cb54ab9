"""Plant notebooks: Markdown with named SELECTs and declarative views; nothing runs code."""
