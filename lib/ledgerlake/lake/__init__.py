"""The lake: bronze, silver, quarantine, marts and control tables, all Delta.

Transformations are SQL expressions built by functions from declarations (``contract``,
``stage``, ``silver``, ``history``). ``batch`` and ``masters`` write tables, ``candidates`` writes
marts, ``control`` what was done. ``reading`` opens any table by the engine that suits its size
(``arrow``, ``native``: few rows without Spark's scans and writers). Nothing here knows formats
or Snowflake.
"""
