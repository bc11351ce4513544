"""What feeds know from names and first bytes: order, dates, and what they refuse to land."""

from __future__ import annotations

import gzip
import io
import random
from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import strategies as st
from ledgerlake.config.models import Table
from ledgerlake.errors import SourceError
from ledgerlake.feeds import kafka_files
from ledgerlake.feeds.dms import feed as dms
from ledgerlake.feeds.event_export import feed as event_export
from ledgerlake.feeds.parquet_files import parquet_layout
from ledgerlake.feeds.query import feed as query

EUROPE_LATE = datetime(2026, 3, 2, tzinfo=UTC)
CSV = dms.DmsSource()
HEADERLESS = dms.DmsSource(header=False)
ORDER = dms.DmsTable(column_order=("id", "name"))
PARQUET = Table.model_validate(
    {"table": "t", "source": "s", "resource": "r", "key": ["id"], "columns": [{"name": "id", "type": "string", "nullable": False}]}
)  # fmt: skip


def as_parquet(**columns: list[object]) -> bytes:
    sink = io.BytesIO()
    pq.write_table(pa.table(columns), sink)
    return sink.getvalue()


def test_full_load_counters_are_hexadecimal_and_rank_below_changes() -> None:
    names = [
        "s/t/LOAD00000009.csv",
        "s/t/LOAD0000000A.csv",
        "s/t/LOAD00000010.csv",
        "s/t/20200101-000000000.csv",
        "s/t/20260301-120000000.csv",
    ]

    assert sorted(random.Random(7).sample(names, len(names)), key=dms.file_order) == names


@given(st.integers(0, 16**8 - 1), st.integers(0, 16**8 - 1))
def test_positions_of_full_load_files_compare_as_their_counters_do(a: int, b: int) -> None:
    order = [dms.file_order(f"s/t/LOAD{n:08X}.csv") for n in (a, b)]

    assert (order[0] < order[1]) == (a < b)


@pytest.mark.parametrize(
    ("name", "day"), [("2026/03/02/20260301-235959999.csv", date(2026, 3, 1)), ("LOAD00000001.csv", None)]
)
def test_a_cdc_file_belongs_to_the_day_in_its_name_not_to_its_folder(name: str, day: date | None) -> None:
    assert dms.file_date(name) == day


REFUSED_CSV: dict[str, tuple[bytes, dms.DmsSource, str]] = {
    "empty": (b"", CSV, "the file is empty"),
    "truncated": (b'Op,id,name\nI,1,"An', CSV, "never closed"),
    "a header where none is declared": (b"Op,id,name\nI,1,Ann\n", HEADERLESS, "has a header where none is declared"),
    "too wide": (b"I,1,Ann,extra\n", HEADERLESS, "4 columns where 3 are declared"),
    "too narrow": (b"I,1\n", HEADERLESS, "2 columns where 3 are declared"),
}


@pytest.mark.parametrize("name", REFUSED_CSV)
def test_a_csv_file_that_is_not_as_declared_is_refused(name: str) -> None:
    body, options, says = REFUSED_CSV[name]

    with pytest.raises(SourceError, match=says):
        dms.probe_csv("f.csv", body, options, ORDER)


def test_a_csv_layout_is_its_header_or_the_declared_order() -> None:
    layout = (("Op", "string"), ("id", "string"), ("name", "string"))

    assert dms.probe_csv("f.csv", b'Op,"id",name\n', CSV, dms.DmsTable()) == layout
    assert dms.probe_csv("f.csv", b"I,1,Ann\n", HEADERLESS, ORDER) == layout


def test_a_parquet_layout_is_its_footer_and_a_cut_file_has_none() -> None:
    body = as_parquet(id=["1"], count=[1])

    assert parquet_layout("f.parquet", body, PARQUET) == (("id", "string"), ("count", "bigint"))
    for cut in (b"", body[:-10], body[:20]):
        with pytest.raises(SourceError):
            parquet_layout("f.parquet", cut, PARQUET)


@pytest.mark.parametrize(
    ("arrow", "kind"),
    [
        (pa.decimal128(18, 3), "decimal(18,3)"), (pa.decimal256(50, 3), "decimal(50,3)"), (pa.timestamp("us"), "timestamp_ntz"),
        (pa.timestamp("us", "UTC"), "timestamp"), (pa.timestamp("ns"), "timestamp_ntz_ns"), (pa.timestamp("ns", "UTC"), "timestamp_ns"),
        (pa.large_string(), "string"), (pa.dictionary(pa.int32(), pa.string()), "string"), (pa.float64(), "double"),
        (pa.date32(), "date"), (pa.time64("us"), "time"), (pa.uint32(), "bigint"), (pa.uint64(), "decimal(20,0)"),
        (pa.binary(), "binary"), (pa.list_(pa.int32()), "array"), (pa.map_(pa.string(), pa.int32()), "map"),
        (pa.null(), "null"),
    ],
)  # fmt: skip
def test_parquet_types_have_the_names_of_typed_sources(arrow: pa.DataType, kind: str) -> None:
    sink = io.BytesIO()
    pq.write_table(pa.table({"id": ["1"], "v": pa.nulls(1, arrow)}), sink)

    assert parquet_layout("f.parquet", sink.getvalue(), PARQUET)[:2] == (("id", "string"), ("v", kind))


def test_event_files_are_ordered_by_partition_and_offset() -> None:
    assert event_export.file_order("t/dt=2026-03-01/t+3+0000000042.json.gz") == "000003|42"
    assert event_export.file_date("t/dt=2026-03-01/t+3+0000000042.json.gz") == date(2026, 3, 1)
    assert event_export.file_date("t/t+3+42.json") is None


GZ = gzip.compress(b'{"id": 1}\n')
REFUSED_EVENTS: dict[str, tuple[str, bytes, str]] = {
    "another layout of names": ("t/part-00000.json", b"{}", "topic.partition.startOffset"),
    "empty": ("t+0+0.json", b"", "the file is empty"),
    "Avro": ("t+0+0.json", b"Obj\x01....", "an Avro container"),
    "Confluent wire format": ("t+0+0.json", b"\x00\x00\x00\x00\x07{}", "Confluent wire format"),
    "gzip cut short": ("t+0+0.json.gz", GZ[:-6], "truncated"),
    "gzip with rubbish behind it": ("t+0+0.json.gz", GZ + b"{}", "not a gzip stream"),
}


@pytest.mark.parametrize("name", REFUSED_EVENTS)
def test_an_event_file_that_is_not_as_declared_is_refused(name: str) -> None:
    path, body, says = REFUSED_EVENTS[name]

    with pytest.raises(SourceError, match=says):
        kafka_files.probe(path, body)


def test_gzip_in_several_members_is_whole() -> None:
    assert kafka_files.probe("t+0+0.json.gz", GZ + GZ) == ()


HOUR = timedelta(hours=1)
WINDOWS: dict[str, tuple[tuple[str | None, datetime | None], tuple[datetime | None, datetime]]] = {
    "the first load has no lower bound": ((None, None), (None, EUROPE_LATE)),
    "later ones overlap": (("2026-03-01T00:00:00+00:00", None), (datetime(2026, 2, 28, 23, tzinfo=UTC), EUROPE_LATE)),
    "it ends below the oldest running transaction": (
        (None, datetime(2026, 3, 1, 22, tzinfo=UTC)), (None, datetime(2026, 3, 1, 22, tzinfo=UTC)),
    ),
    "a young transaction does not stretch it": ((None, datetime(2026, 3, 2, 1, tzinfo=UTC)), (None, EUROPE_LATE)),
}  # fmt: skip


@pytest.mark.parametrize("name", WINDOWS)
def test_the_query_window(name: str) -> None:
    (cursor, oldest), expected = WINDOWS[name]

    assert query.window(cursor, EUROPE_LATE, oldest, HOUR) == expected


moments = st.datetimes(datetime(2026, 1, 1), datetime(2026, 3, 1), timezones=st.just(UTC))


@given(
    st.lists(st.tuples(moments, st.timedeltas(timedelta(0), timedelta(minutes=59))), max_size=6),
    st.lists(moments, min_size=2, max_size=5, unique=True),
)
def test_no_row_falls_between_two_windows_however_late_it_commits(
    writes: list[tuple[datetime, timedelta]], ends: list[datetime]
) -> None:
    """A row is stamped when its transaction starts and seen once it commits, at most the overlap later."""
    seen: set[datetime] = set()
    cursor: str | None = None
    for end in sorted(ends):
        running = [at for at, lasts in writes if at <= end < at + lasts]
        since, until = query.window(cursor, end, min(running, default=None), HOUR)
        committed = [at for at, lasts in writes if at + lasts <= end]
        seen |= {at for at in committed if at < until and (since is None or at >= since)}
        cursor = max(filter(None, [cursor, until.isoformat()]))

    last = datetime.fromisoformat(cursor or "")
    assert seen >= {at for at, lasts in writes if at + lasts <= max(ends) and at < last}


@pytest.mark.parametrize(
    "check",
    [
        lambda: dms.DmsSource(formt="csv"),
        lambda: query.QuerySource(overlap_minutes=-1),
        lambda: event_export.EventTable(ops={"a": "merge"}),
    ],
)
def test_unknown_or_impossible_options_are_refused(check: Callable[[], object]) -> None:
    with pytest.raises(ValueError, match="validation error"):
        check()
