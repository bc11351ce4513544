"""The lake: bronze, silver, quarantine, marts and control tables, all Delta.

Transformations are SQL expressions built by functions from declarations (``contract``,
``stage``, ``silver``, ``history``). ``batch`` and ``masters`` write tables, ``candidates`` writes
marts, ``control`` what was done. ``reading`` opens any table as a relation, held here or by Spark;
``ledgerlake.engines`` runs relations, ``native`` merges few rows. Nothing here knows formats or
Snowflake.
"""
