"""The schemas of a plant's databases as numbers, and the forward-only steps between them.

Each database has a folder of alembic revisions, `NNNN_verb_noun.py`, one transaction each.
Revision 0001 makes the tables as they were when numbers began. A revision that was released is
never edited: a change is the next one. The table `entry` is created once and never altered.
"""
