"""The lake: bronze, silver, quarantine, marts and control tables, all Delta.

Transformations are SQL expressions built by functions from declarations (``contract``,
``stage``, ``silver``); the places where something is written are ``bronze``, ``silver``,
``quarantine``, ``marts`` and ``control``. Nothing here knows formats or Snowflake.
"""
