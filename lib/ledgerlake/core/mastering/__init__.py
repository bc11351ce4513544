"""The pure core of mastering: which records are one customer, and which value of each field survives.

No Spark, no files, no clock: everything here is a function of the records' own histories, so
that late changes, replays and any split into batches end in the same masters (ADR 0010).
"""
