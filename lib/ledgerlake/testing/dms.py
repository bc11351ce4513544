"""Hostile DMS files for a table ``people`` of columns id (key), owner, city.

>>> from ledgerlake.testing.dms import HOSTILE

Names begin with the layout that must be declared: ``header`` (the default, with
``sequence_column: seq``), ``moving`` (the same for a table with ``keys_can_change``),
``headerless``, ``parquet`` (no sequence), ``inserts`` (``op_column: null``), ``timed``
(``timestamp_column: ts``) or ``transactions`` (``cdc_path: txn``, resource ``public/people``;
their paths are below the source's location).
"""

from __future__ import annotations

import gzip

from ledgerlake.testing.samples import Hostile

_CDC = "20260301-120000000.csv"
_LOAD = "LOAD00000001.csv"
_TXN = "txn/CDC_TXN-20260301120000000.csv"
_HEAD = b"Op,id,owner,city,seq\n"

HOSTILE: tuple[Hostile, ...] = (
    Hostile("header:empty file", {_CDC: b""}, "refused", "the file is empty"),
    Hostile("header:truncated", {_CDC: _HEAD + b"I,1,Ann,Bo"}, "quarantined", "4 columns where 5 are declared"),
    Hostile("header:gzip", {_CDC: gzip.compress(_HEAD + b"I,1,Ann,Bonn,1\n", mtime=0)}, "accepted"),
    Hostile("header:no header", {_CDC: b"I,1,Ann,Bonn,7\n"}, "refused", "the column 'Op' is missing"),
    Hostile("header:no Op", {_CDC: b"id,owner,city,seq\n1,Ann,Bonn,1\n"}, "refused", "the column 'Op' is missing"),
    Hostile("header:a column twice", {_CDC: b"Op,id,owner,owner,seq\nI,1,Ann,Bonn,1\n"}, "refused", "stand twice"),
    Hostile("header:no sequence column", {_CDC: b"Op,id,owner,city\nI,1,Ann,Bonn\n"}, "refused", "the column 'seq' is missing"),
    Hostile("header:a row of another width", {_CDC: _HEAD + b"I,1,Ann,Bonn,1,more\n"}, "quarantined", "6 columns where 5 are declared"),
    Hostile("header:unknown Op", {_CDC: _HEAD + b"X,1,Ann,Bonn,1\n"}, "quarantined", "unknown Op"),
    Hostile("header:no sequence", {_CDC: _HEAD + b"I,1,Ann,Bonn,\n"}, "quarantined", "no change sequence"),
    Hostile("header:a sequence that is no number", {_CDC: _HEAD + b"I,1,Ann,Bonn,1e3\n"}, "quarantined", "no change sequence"),
    Hostile("header:no key", {_CDC: _HEAD + b"D,,Ann,Bonn,1\n"}, "quarantined", "id: null"),
    Hostile("header:not UTF-8", {_CDC: _HEAD + "I,1,Jos\xe9,Bonn,1\n".encode("latin-1")}, "refused", "line 2: not utf-8"),
    Hostile("header:one place, two contents", {_CDC: _HEAD + b"I,1,Ann,Bonn,7\nI,1,Bob,Kiel,7\n"}, "quarantined", "two different changes"),
    Hostile("moving:no before images", {_CDC: _HEAD + b"U,1,Ann,Bonn,1\n"}, "refused", "add-before-image-columns"),
    Hostile("headerless:a header", {_CDC: b"Op,id,owner,city\nI,1,Ann,Bonn\n"}, "refused", "has a header where none is declared"),
    Hostile("headerless:a new column", {_CDC: b"I,1,Ann,Bonn,new\n"}, "refused", "5 columns where 4 are declared"),
    Hostile("headerless:changes without Op", {_CDC: b"1,Ann,Bonn\n"}, "refused", "3 columns where 4 are declared"),
    Hostile("headerless:a full load without Op", {_LOAD: b"1,Ann,Bonn\n"}, "accepted"),
    Hostile("parquet:truncated", {"20260301-120000000.parquet": b"PAR1\x15\x04"}, "refused", "not a whole Parquet file"),
    Hostile("inserts:an Op after all", {_CDC: b"Op,id,owner,city\nD,1,Ann,Bonn\n"}, "refused", "`op_column: null`"),
    Hostile("timed:no commit time", {_CDC: b"Op,ts,id,owner,city\nI,,1,Ann,Bonn\n"}, "quarantined", "no commit time"),
    Hostile("transactions:another name", {"txn/20260301-120000000.csv": b"I,people,public,1,Ann,Bonn\n"}, "refused", "CDC_TXN-timestamp"),
    Hostile("transactions:truncated", {_TXN: b'I,people,public,1,Ann,"Bo'}, "refused", "never closed"),
    Hostile("transactions:no table", {_TXN: b"I,1\n"}, "refused", "begin with operation, table, schema"),
    Hostile("transactions:another width", {_TXN: b"I,people,public,1,Ann,Bonn,new\n"}, "refused", "`column_orders`"),
    Hostile("transactions:a row cut in the middle", {_TXN: b"I,people,public,1,Ann,Bonn\nU\n"}, "quarantined", "without table and schema"),
    Hostile("transactions:a new column inside a file", {_TXN: b"I,people,public,1,Ann,Bonn\nU,people,public,1,Ann,Bonn,new\n"}, "quarantined", "7 columns where 6 are declared"),
)  # fmt: skip
