"""Asks Salesforce for what a gap event could not tell: records by their ids, or a whole object.

What is fetched is written as lines in the shape of events, so that one reader understands both.
Source: REST API Developer Guide, "Query" (``totalSize``, ``done``, ``nextRecordsUrl``).
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any
from urllib.parse import quote

from ledgerlake.config.models import Column, Table
from ledgerlake.errors import SourceError, TransientError, Where
from ledgerlake.feeds.salesforce.events import HEADER, Refetch
from ledgerlake.ports.http import Http, Request, Retries

IDS_PER_QUERY = 200  # 200 ids are 4,200 characters; the service takes URLs of 16,384
PAGES_MAX = 100_000
_PATH = re.compile(r"/services/data/[A-Za-z0-9._/-]+")


@dataclass(frozen=True)
class Org:
    """One Salesforce org and how to speak to it; ``access_token`` is never shown."""

    http: Http
    retries: Retries
    base_url: str
    access_token: str
    api_version: str

    def query(self, soql: str) -> list[dict[str, Any]]:
        """Return all records of a query, numbers as their text.

        Raises :class:`TransientError` where Salesforce does not answer or an answer is cut.
        """
        path: str | None = f"/services/data/v{self.api_version}/query?q={quote(soql)}"
        records: list[dict[str, Any]] = []
        for _ in range(PAGES_MAX):
            if path is None:
                return records
            page = self.retries.call(lambda at=path: self._page(at))  # type: ignore[misc]
            records += page["records"]
            path = _next(page, len(records))
        raise SourceError(f"an answer of more than {PAGES_MAX} pages", where=Where(file=self.base_url))

    def _page(self, path: str) -> dict[str, Any]:
        headers = {"Authorization": f"Bearer {self.access_token}", "Accept": "application/json"}
        body = b"\n".join(self.http.lines(Request("GET", self.base_url.rstrip("/") + path, headers)))
        try:
            page = json.loads(body, parse_float=str, parse_int=str)
            return {**page, "records": [dict(r) for r in page["records"]], "totalSize": int(page["totalSize"])}
        except (ValueError, KeyError, TypeError):
            raise TransientError("the answer is not a whole page of records", then="run again") from None


def _next(page: Mapping[str, Any], received: int) -> str | None:
    if page.get("done") is True:
        if received != page["totalSize"]:
            raise TransientError(f"{received} of {page['totalSize']} records arrived", then="run again")
        return None
    path = str(page.get("nextRecordsUrl"))
    if not _PATH.fullmatch(path):  # the token goes to the declared host only
        raise SourceError("nextRecordsUrl is not a path of the service")
    return path


@dataclass(frozen=True)
class Fetched:
    """Which requests Salesforce answered, and the lines that say what it knows."""

    done: tuple[Refetch, ...]
    lines: tuple[bytes, ...]


def fetch(org: Org, table: Table, entity: str, requests: Sequence[Refetch], rest_fields: Mapping[str, str]) -> Fetched:
    """Fulfil as many requests as Salesforce answers: the others are to be asked again."""
    fields = {c.source_name: rest_field(c.source_name, rest_fields) for c in table.columns}
    select = f"SELECT {', '.join(dict.fromkeys(['Id', *fields.values()]))} FROM {entity}"
    done: list[Refetch] = []
    lines: list[bytes] = []
    for part in _parts(requests):
        where = f" WHERE Id IN ({', '.join(repr(i) for i in sorted({r.record_id for r in part}))})"
        try:
            rows = org.query(select + (where if part[0].record_id else ""))
        except TransientError:
            continue
        found = {str(r["Id"]): _shaped(r, table, fields) for r in rows}
        for request in part:
            lines += _lines(request, entity, found)
        done += part
    return Fetched(tuple(done), tuple(lines))


def _parts(requests: Sequence[Refetch]) -> Iterator[list[Refetch]]:
    yield from ([r] for r in requests if r.kind == "object")
    records = [r for r in requests if r.kind == "record"]
    yield from (records[n : n + IDS_PER_QUERY] for n in range(0, len(records), IDS_PER_QUERY))


def _lines(request: Refetch, entity: str, found: Mapping[str, dict[str, Any]]) -> Iterator[bytes]:
    if request.kind == "object":
        yield _line(request, entity, "RESYNC", request.record_id, {})
        yield from (_line(request, entity, "REFETCHED", i, row) for i, row in sorted(found.items()))
    elif request.record_id in found:
        yield _line(request, entity, "REFETCHED", request.record_id, found[request.record_id])
    else:
        yield _line(request, entity, "REFETCHED_DELETE", request.record_id, {})


def _line(request: Refetch, entity: str, kind: str, record_id: str, row: Mapping[str, Any]) -> bytes:
    commit, sequence = request.after.split("|")
    header = {
        "entityName": entity, "recordIds": [record_id], "changeType": kind, "reason": request.reason,
        "commitNumber": int(commit), "sequenceNumber": int(sequence),
    }  # fmt: skip
    return json.dumps({"payload": {HEADER: header, **row}}, ensure_ascii=False).encode()


def _shaped(record: Mapping[str, Any], table: Table, fields: Mapping[str, str]) -> dict[str, Any]:
    """Return a record in the shape of an event: components below their compound field."""
    row: dict[str, Any] = {}
    for column in table.columns:
        field = fields[column.source_name]
        if field not in record:
            raise SourceError(f"the answer lacks {field}", where=Where(table=table.table, column=column.name))
        parent, _, leaf = column.source_name.rpartition(".")
        (row.setdefault(parent, {}) if parent else row)[leaf] = _value(column, record[field])
    return row


def _value(column: Column, value: Any) -> Any:
    """Return a value as events hold it; REST writes zones as ``+0000``, which no cast understands."""
    if column.type == "timestamp" and isinstance(value, str):
        return datetime.fromisoformat(value).astimezone(UTC).isoformat()
    return value


def rest_field(path: str, declared: Mapping[str, str]) -> str:
    """Return the record's field for a field of the event, whose components are named differently.

    ``BillingAddress.Street`` is ``BillingStreet``, ``Name.LastName`` is ``LastName``, and
    ``Place__c.Latitude`` is ``Place__Latitude__s``. Raises :class:`SourceError` for others.
    """
    parent, _, leaf = path.rpartition(".")
    if path in declared or not parent:
        return declared.get(path, path)
    if parent.endswith("__c"):
        return f"{parent.removesuffix('__c')}__{leaf}__s"
    if parent == "Name" or parent.endswith("Address"):
        return parent.removesuffix("Name").removesuffix("Address") + leaf
    raise SourceError(f"no field of the record is known for {path}", then=f"declare `rest_fields: {{{path}: …}}`")
