"""The demos: one folder a pipeline, each a seeded world whose sources speak their real formats and protocols.

``stage`` is what every story plays on: it runs days, checks how they end, asks the warehouse and
prints. ``demos`` names them all; ``serving`` runs a simulated service; ``local_snowflake`` is the
local warehouse, ``snowflake_server``, ``_sessions``, ``_numbers`` and ``_arrow`` what it serves. Nothing outside this folder depends on it, except that a local environment uses
``local_snowflake``.
"""
