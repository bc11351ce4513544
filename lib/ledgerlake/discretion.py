"""What must never be shown: credentials in addresses, and every secret that this process resolved.

The last guard, not the first: messages are written without secrets, and every text of an error
goes through :func:`hidden` once, where it is made. So one that slips into a message (a driver's
text, an address with a password) reaches no terminal, record, report or webhook.
"""

from __future__ import annotations

import re
import threading
from urllib.parse import parse_qsl, unquote, urlsplit

MASK = "***"
WHOLE_LENGTH_MIN = 8  # what is shorter is only hidden where it stands as a word by itself
WORD_LENGTH_MAX = 15  # so are letters alone up to here: a local password `postgres` must not eat `postgresql://`
LENGTH_MIN = 3
SEGMENT_LENGTH_MIN = 16  # a webhook's secret is a part of its path

_ADDRESS = re.compile(r"\b((?:jdbc:)?[a-z][a-z0-9+.-]*)://([^\s'\"<>]+)", re.IGNORECASE)
_DSN_VALUE = re.compile(r"\b(?:password|passfile|sslpassword|passwd|pwd|token|secret)\s*=\s*('(?:[^'\\]|\\.)*'|[^\s&;]+)", re.IGNORECASE)  # fmt: skip

_known: set[str] = set()
_lock = threading.Lock()


def address(text: str) -> str:
    """Return ``text`` with each address in it as scheme, host and path: without user, password and query."""

    def bare(found: re.Match[str]) -> str:
        rest = re.split(r"[?#]", found[2], maxsplit=1)[0]
        host, slash, path = rest.partition("/")
        return f"{found[1]}://{host.rpartition('@')[2]}{slash}{path}"

    return _ADDRESS.sub(bare, text)


def remember(secret: str) -> None:
    """Hide ``secret`` from now on; of an address or a connection string only what is secret in it."""
    parts = _secret_parts(secret)
    with _lock:
        _known.update(p for p in parts if len(p) >= LENGTH_MIN)


def hidden(text: str) -> str:
    """Return ``text`` as it may be shown: addresses bare, connection passwords and known secrets masked."""
    shown = _DSN_VALUE.sub(lambda found: found[0].replace(found[1], MASK), address(text))
    with _lock:
        known = sorted(_known, key=len, reverse=True)
    for secret in known:
        if secret in shown:
            shown = _masked(shown, secret)
    return shown


def _masked(text: str, secret: str) -> str:
    plain_word = secret.isalpha() and len(secret) <= WORD_LENGTH_MAX
    if len(secret) >= WHOLE_LENGTH_MIN and not plain_word:
        return text.replace(secret, MASK)
    return re.sub(rf"(?<!\w){re.escape(secret)}(?!\w)", MASK, text)


def _secret_parts(secret: str) -> set[str]:
    """Return what of a resolved value must not be shown."""
    if "://" in secret and "\n" not in secret:
        return _address_parts(secret)
    values = {m[1].strip("'") for m in _DSN_VALUE.finditer(secret)}
    if values:
        return values
    return {line.strip() for line in secret.splitlines() if len(line.strip()) >= WHOLE_LENGTH_MIN} | {secret.strip()}


def _address_parts(secret: str) -> set[str]:
    parts = urlsplit(secret.removeprefix("jdbc:"))
    login = parts.netloc.rpartition("@")[0]
    found = {login, login.partition(":")[2], parts.query} | {value for _, value in parse_qsl(parts.query)}
    found |= {segment for segment in parts.path.split("/") if len(segment) >= SEGMENT_LENGTH_MIN}
    return found | {unquote(part) for part in found}
