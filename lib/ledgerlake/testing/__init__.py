"""Hostile samples for users' own pipelines, one module a feed: deliver them, and see what happens.

They hold a table of people (``id``, ``owner``, ``city``) in each feed's own format. What must
happen to each stands beside it; the product's own tests run over the same samples.
"""
