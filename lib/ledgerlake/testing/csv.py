"""Hostile CSV files; names begin with the layout that must be declared: ``csv`` (a header) or ``headerless``."""

from __future__ import annotations

from ledgerlake.testing.samples import Hostile

_NAME = "people_2026-03-01.csv"

HOSTILE: tuple[Hostile, ...] = (
    Hostile("csv:empty file", {_NAME: b""}, "refused", "the file is empty"),
    Hostile("csv:truncated", {_NAME: b"id,owner,city\n1,Ann,Bo"}, "refused", "truncated"),
    Hostile("csv:a column twice", {_NAME: b"id,owner,owner\n1,Ann,Bonn\n"}, "refused", "stand twice"),
    Hostile("csv:a row of another width", {_NAME: b"id,owner,city\n1,Ann,Bonn,extra\n"}, "quarantined", "wrong number of columns"),
    Hostile("csv:not UTF-8", {_NAME: "id,owner,city\n1,Jos\xe9,Bonn\n".encode("latin-1")}, "quarantined", "owner: not UTF-8"),
    Hostile("csv:no key", {_NAME: b"id,owner,city\n,Ann,Bonn\n"}, "quarantined", "id: null"),
    Hostile("headerless:a header", {_NAME: b"id,owner,city\n1,Ann,Bonn\n"}, "refused", "has a header where none is declared"),
    Hostile("headerless:another width", {_NAME: b"1,Ann\n"}, "refused", "2 columns where 3 are declared"),
    Hostile("headerless:a byte order mark", {_NAME: b"\xef\xbb\xbf1,Ann,Bonn\n"}, "refused", "byte order mark"),
)  # fmt: skip
