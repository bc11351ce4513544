"""Write the event export: gzipped JSON lines, one record per line in order of offset."""

from __future__ import annotations

import gzip

from ledgerlake.demo.ledgerbox.events import EventFile


def event_body(file: EventFile) -> bytes:
    """Return the file's bytes; the same lines always give the same bytes."""
    text = "".join(line + "\n" for line in file.lines)
    return gzip.compress(text.encode(), compresslevel=5, mtime=0)
