"""Hostile CSV files; names begin with the layout that must be declared: ``csv`` (a header) or ``headerless``."""

from __future__ import annotations

import gzip

from ledgerlake.testing.samples import Hostile

_NAME = "people_2026-03-01.csv"

HOSTILE: tuple[Hostile, ...] = (
    Hostile("csv:empty file", {_NAME: b""}, "refused", "the file is empty"),
    Hostile("csv:cut inside quotes", {_NAME: b'id,owner,city\n1,Ann,"Bo'}, "refused", "never closed"),
    Hostile("csv:cut in the middle of a row", {_NAME: b"id,owner,city\n1,An"}, "quarantined", "2 columns where 3 are declared"),
    Hostile("csv:a quote inside an unquoted field", {_NAME: b'id,owner,city\n1,5" pipe,Bonn\n'}, "quarantined", "line 2: a quote inside an unquoted field"),
    Hostile("csv:text after a closing quote", {_NAME: b'id,owner,city\n1,"Ann"y,Bonn\n'}, "quarantined", "line 2: text after a closing quote"),
    Hostile("csv:a quote that swallows rows", {_NAME: b'id,owner,city\n1,"Ann,Bonn\n2,"Bob",Kiel\n'}, "refused", "where rows begin is unknown"),
    Hostile("csv:two ends of lines", {_NAME: b"id,owner,city\n1,Ann,Bonn\r\n"}, "quarantined", "line 2: a carriage return"),
    Hostile("csv:a column in another case", {_NAME: b"id,Owner,city\n1,Ann,Bonn\n"}, "refused", "did you mean 'Owner'"),
    Hostile("csv:a gzip stream cut short", {_NAME: gzip.compress(b"id,owner,city\n1,Ann,Bonn\n", mtime=0)[:-9]}, "refused", "cut short"),
    Hostile("csv:a column twice", {_NAME: b"id,owner,owner\n1,Ann,Bonn\n"}, "refused", "stand twice"),
    Hostile("csv:a row of another width", {_NAME: b"id,owner,city\n1,Ann,Bonn,extra\n"}, "quarantined", "line 2: 4 columns where 3 are declared"),
    Hostile("csv:not UTF-8", {_NAME: "id,owner,city\n1,Jos\xe9,Bonn\n".encode("latin-1")}, "refused", "line 2: not utf-8"),
    Hostile("csv:no key", {_NAME: b"id,owner,city\n,Ann,Bonn\n"}, "quarantined", "id: null"),
    Hostile("headerless:a header", {_NAME: b"id,owner,city\n1,Ann,Bonn\n"}, "refused", "has a header where none is declared"),
    Hostile("headerless:another width", {_NAME: b"1,Ann\n"}, "refused", "2 columns where 3 are declared"),
    Hostile("headerless:a byte order mark", {_NAME: b"\xef\xbb\xbf1,Ann,Bonn\n"}, "accepted"),
)  # fmt: skip
