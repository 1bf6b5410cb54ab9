"""Operations: what the lines lost and why, and how often quality had to step in.

`figures` computes once per process and watermark; pages only draw. Imports analytics and core.
"""
