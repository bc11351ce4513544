"""Which functions declared SQL may call: those that Spark has, without those whose answer is not the data's.

A mart, a rule or a partition is a function of its inputs: built again, on another day or machine,
it must give the same rows, and it must not reach beyond them. So clocks, chance, the session, the
machine and the files behind a table are refused, each with what to use instead.
"""

from __future__ import annotations

import difflib
from functools import cache
from importlib import resources

_CLOCK = ("gives another answer each day", "use a time of the input: the source's own, or `_extracted_at`")
_CHANCE = ("gives another answer each time", "derive it from a key of the row, e.g. pmod(hash(key), n) or md5(key)")
_SESSION = ("depends on who runs it and where", "write the value that is meant")
_MACHINE = ("reaches beyond the data", "compute it from columns of the inputs")
_FILES = ("depends on how files are laid out", "use the origin columns `_object`, `_ordinal` and `_batch_id`")

REFUSED: dict[str, tuple[str, str]] = {
    **dict.fromkeys(("curdate", "current_date", "current_time", "current_timestamp", "getdate", "localtimestamp", "now", "sysdate"), _CLOCK),
    **dict.fromkeys(("aes_encrypt", "rand", "randn", "random", "shuffle", "uuid"), _CHANCE),
    **dict.fromkeys(("current_catalog", "current_database", "current_schema", "current_timezone", "current_user", "session_user", "user", "version"), _SESSION),
    **dict.fromkeys(("identifier", "java_method", "reflect", "try_reflect"), _MACHINE),
    **dict.fromkeys(("input_file_block_length", "input_file_block_start", "input_file_name", "monotonically_increasing_id", "spark_partition_id"), _FILES),
}  # fmt: skip
"""Function → why it is refused, and what to use instead."""

NOT_CALLS = frozenset({"all", "and", "any", "as", "by", "except", "exists", "filter", "from", "having", "in",
                       "intersect", "join", "not", "on", "or", "over", "row", "select", "some", "then", "union",
                       "using", "values", "when", "where", "with"})  # fmt: skip
"""Words that stand before a parenthesis and call nothing."""


@cache
def spark_functions() -> frozenset[str]:
    """Return the names of Spark 3.5's built-in functions, from ``SHOW SYSTEM FUNCTIONS``."""
    return frozenset(resources.files(__package__).joinpath("spark_functions.txt").read_text(encoding="utf-8").split())


def near(name: str) -> str:
    """Return what to do about a function that Spark does not have."""
    close = difflib.get_close_matches(name, spark_functions() - REFUSED.keys(), 1)
    return f"did you mean {close[0]}?" if close else "use a built-in function of Spark SQL"
