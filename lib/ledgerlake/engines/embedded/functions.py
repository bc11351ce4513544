"""Functions of text, time, arrays and maps; aggregates and windows."""

from __future__ import annotations

import json
import re
from dataclasses import replace

from sqlglot import exp

from ledgerlake.engines.embedded import kinds
from ledgerlake.engines.embedded.kinds import VOID, named, text
from ledgerlake.engines.embedded.operators import (
    cast,
    constant,
    merged,
    number,
    quotient,
    spark_name,
    strings,
    unscaled,
)
from ledgerlake.engines.embedded.regex import re2
from ledgerlake.engines.embedded.translate import (
    RULES,
    Rule,
    Scope,
    Sql,
    _boolean,
    _order,
    _unsupported,
    call,
    expression,
    rule,
)

# --- text ---------------------------------------------------------------------------------------


@rule(exp.Concat, exp.DPipe)
def _concat(node: exp.Expr, scope: Scope) -> Sql:
    parts = [node.this, node.expression] if isinstance(node, exp.DPipe) else node.expressions
    values = [_text_of(n, scope) for n in parts]
    if any(v.kind.startswith("array<") for v in values):
        arrays, kind = merged([v if v.kind.startswith("array<") else _refuse(node, "concat of mixed types") for v in values])
        return Sql(f"ledger_joined([{', '.join(a.text for a in arrays)}])", kind)
    return Sql(f"({' || '.join(v.text for v in values)})", "string")


def _refuse(node: exp.Expr, what: str) -> Sql:
    raise _unsupported(node, what)


def _text_of(node: exp.Expr, scope: Scope) -> Sql:
    value = expression(node, scope)
    if value.kind.startswith("array<") or value.kind == "string":
        return value
    return cast(value, "string", node)


@rule(exp.ConcatWs)
def _concat_ws(node: exp.ConcatWs, scope: Scope) -> Sql:
    parts = [*([node.this] if node.args.get("this") else []), *node.expressions]
    separator, values = strings(parts[0], scope), [_text_of(n, scope) for n in parts[1:]]
    said = [f"array_to_string({v.text}, {separator.text})" if v.kind.startswith("array<") else v.text for v in values]
    if any(v.kind.startswith("array<") for v in values):
        if len(values) > 1:
            raise _unsupported(node, "concat_ws of an array and more")
        return Sql(f"coalesce({said[0]}, '')", "string")
    if not said:
        return Sql("''", "string")
    return Sql(f"concat_ws({separator.text}, {', '.join(said)})", "string")


@rule(exp.Length)
def _length(node: exp.Length, scope: Scope) -> Sql:
    return Sql(f"CAST(length({strings(node.this, scope).text}) AS INTEGER)", "int")


@rule(exp.Upper, exp.Lower)
def _case(node: exp.Func, scope: Scope) -> Sql:
    word = "upper" if isinstance(node, exp.Upper) else "lower"
    return Sql(f"ledger_{word}({strings(node.this, scope).text})", "string")


@rule(exp.Trim)
def _trim(node: exp.Trim, scope: Scope) -> Sql:
    word = {"LEADING": "ltrim", "TRAILING": "rtrim"}.get((node.args.get("position") or "").upper(), "trim")
    letters = strings(node.expression, scope).text if node.args.get("expression") else "' '"
    return Sql(f"{word}({strings(node.this, scope).text}, {letters})", "string")


@rule(exp.Replace)
def _replace(node: exp.Replace, scope: Scope) -> Sql:
    if not constant(node.expression):
        raise _unsupported(node, "replace() of other than a constant text")
    parts = (node.this, node.expression, node.args.get("replacement") or exp.Literal.string(""))
    return Sql(f"replace({', '.join(strings(n, scope).text for n in parts)})", "string")


@rule(exp.Substring)
def _substring(node: exp.Substring, scope: Scope) -> Sql:
    start, size, whole = node.args.get("start"), node.args.get("length"), node.this
    if isinstance(whole, exp.Cast) and spark_name(whole.to) == "binary" and isinstance(whole.this, exp.Cast):
        if not kinds.is_whole(expression(whole.this.this, scope).kind):
            raise _unsupported(node, "bytes of other than a number's digits")
        whole = whole.this  # digits are a byte each
    place = expression(start, scope) if start is not None else None
    if start is None or place is None or not kinds.is_whole(place.kind):
        raise _unsupported(node, "substring() from other than a place")
    # Places below one count from the end, or from before the first letter: not alike in both engines.
    at = place.text if (number(start) or 0) >= 1 else f"CASE WHEN {place.text} >= 1 THEN {place.text} ELSE CAST(error('a place below one') AS INTEGER) END"
    parts = [strings(whole, scope).text, at]
    if size is not None:
        parts.append(f"greatest(0, {expression(size, scope).text})")
    return Sql(f"substring({', '.join(parts)})", "string")


@rule(exp.SubstringIndex)
def _substring_index(node: exp.SubstringIndex, scope: Scope) -> Sql:
    mark, count = constant(node.args["delimiter"]), number(node.args["count"])
    if not mark or count not in (1, -1):
        raise _unsupported(node, "substring_index() with other than one constant mark")
    return Sql(f"split_part({strings(node.this, scope).text}, {text(mark)}, {count})", "string")


@rule(exp.SplitPart)
def _split_part(node: exp.SplitPart, scope: Scope) -> Sql:
    mark, index = constant(node.args["delimiter"]), number(node.args["part_index"])
    if not mark or not index or index < 1:
        raise _unsupported(node, "split_part() with other than a constant place")
    return Sql(f"split_part({strings(node.this, scope).text}, {text(mark)}, {index})", "string")


@rule(exp.RegexpSplit)
def _split(node: exp.RegexpSplit, scope: Scope) -> Sql:
    mark = constant(node.expression)
    if mark not in ("\n", ",", ";", " ", "-", "_", ":", "/", "\\n") or node.args.get("limit"):
        raise _unsupported(node, "split() by a pattern")
    mark = "\n" if mark == "\\n" else mark
    return Sql(f"string_split({strings(node.this, scope).text}, {text(mark)})", "array<string>")


@rule(exp.StrPosition)
def _position(node: exp.StrPosition, scope: Scope) -> Sql:
    if node.args.get("position") or node.args.get("occurrence"):
        raise _unsupported(node)
    whole, part = strings(node.this, scope), strings(node.args["substr"], scope)
    return Sql(f"CAST(instr({whole.text}, {part.text}) AS INTEGER)", "int")


@rule(exp.Pad)
def _pad(node: exp.Pad, scope: Scope) -> Sql:
    size, fill = number(node.expression), node.args.get("fill_pattern")
    letters = constant(fill) if fill is not None else " "
    if size is None or not letters or len(letters) != 1:
        raise _unsupported(node, "lpad() or rpad() to other than a constant width")
    word = "lpad" if node.args.get("is_left") else "rpad"
    return Sql(f"{word}({strings(node.this, scope).text}, {size}, {text(letters)})", "string")


@rule(exp.StartsWith)
def _starts(node: exp.StartsWith, scope: Scope) -> Sql:
    return Sql(f"starts_with({strings(node.this, scope).text}, {strings(node.expression, scope).text})", "boolean")


@rule(exp.EndsWith)
def _ends(node: exp.EndsWith, scope: Scope) -> Sql:
    return Sql(f"ends_with({strings(node.this, scope).text}, {strings(node.expression, scope).text})", "boolean")


@rule(exp.Contains)
def _contains(node: exp.Contains, scope: Scope) -> Sql:
    return Sql(f"contains({strings(node.this, scope).text}, {strings(node.expression, scope).text})", "boolean")


@rule(exp.RegexpExtract)
def _extract(node: exp.RegexpExtract, scope: Scope) -> Sql:
    pattern, group = constant(node.expression), node.args.get("group")
    place = 1 if group is None else number(group)
    if pattern is None or place is None:
        raise _unsupported(node, "regexp_extract() by other than a constant pattern")
    return Sql(f"regexp_extract({strings(node.this, scope).text}, {text(re2(pattern))}, {place})", "string")


@rule(exp.RegexpReplace)
def _regexp_replace(node: exp.RegexpReplace, scope: Scope) -> Sql:
    pattern, by = constant(node.expression), constant(node.args.get("replacement") or exp.Literal.string(""))
    if pattern is None or by is None or "\\" in by or "$" in by.replace("$0", ""):
        raise _unsupported(node, "regexp_replace() by other than constants")
    said = by.replace("$0", "\\0")
    return Sql(f"regexp_replace({strings(node.this, scope).text}, {text(re2(pattern))}, {text(said)}, 'g')", "string")


@rule(exp.MD5)
def _md5(node: exp.MD5, scope: Scope) -> Sql:
    return Sql(f"md5({strings(node.this, scope).text})", "string")


@rule(exp.SHA2)
def _sha2(node: exp.SHA2, scope: Scope) -> Sql:
    if number(node.args.get("length") or exp.Literal.number(256)) not in (0, 256):
        raise _unsupported(node, "sha2() of other than 256 bits")
    return Sql(f"sha256({strings(node.this, scope).text})", "string")


@call("crc32")
def _crc32(node: exp.Anonymous, scope: Scope) -> Sql:
    return Sql(f"ledger_crc32({strings(node.expressions[0], scope).text})", "bigint")


@rule(exp.Decode)
def _decode(node: exp.Decode, scope: Scope) -> Sql:
    inner = node.this
    if not (isinstance(inner, exp.Cast) and constant(node.args["charset"]) == "UTF-8"):
        raise _unsupported(node)
    return strings(inner.this, scope)  # texts are UTF-8 here, or could not have come


@call("conv")
def _conv(node: exp.Anonymous, scope: Scope) -> Sql:
    digits, base, wanted = node.expressions
    if (number(base), number(wanted)) != (16, 10):
        raise _unsupported(node, "conv() of other than hexadecimal text")
    return Sql(f"CAST(CAST('0x' || {strings(digits, scope).text} AS BIGINT) AS VARCHAR)", "string")


# --- numbers ------------------------------------------------------------------------------------


@rule(exp.Abs)
def _abs(node: exp.Abs, scope: Scope) -> Sql:
    value = expression(node.this, scope)
    if not kinds.is_number(value.kind):
        raise _unsupported(node, f"abs() of {value.kind}")
    return Sql(f"abs({value.text})", value.kind)


@rule(exp.Sign)
def _sign(node: exp.Sign, scope: Scope) -> Sql:
    value = expression(node.this, scope)
    if not kinds.is_number(value.kind) or value.kind in ("double", "float"):
        raise _unsupported(node, f"sign() of {value.kind}")
    return Sql(f"CAST(sign({value.text}) AS DOUBLE)", "double")


@rule(exp.Round)
def _round(node: exp.Round, scope: Scope) -> Sql:
    value, places = expression(node.this, scope), node.args.get("decimals")
    count, parts = 0 if places is None else number(places), kinds.decimal(value.kind)
    if count is None or count < 0 or parts is None:
        raise _unsupported(node, "round() of other than a decimal to a constant place")
    if count >= parts[1]:
        wanted = (min(kinds.DIGITS_MAX, parts[0] - parts[1] + parts[1] + 1), parts[1])
    else:
        wanted = (min(kinds.DIGITS_MAX, parts[0] - parts[1] + count + 1), count)
    return Sql(f"CAST({value.text} AS {kinds.duck(named(wanted))})", named(wanted))


@rule(exp.Floor)
def _floor(node: exp.Floor, scope: Scope) -> Sql:
    value = expression(node.this, scope)
    if not kinds.is_whole(value.kind):
        raise _unsupported(node, f"floor() of {value.kind}")
    return Sql(f"CAST({value.text} AS BIGINT)", "bigint")


@call("format_number")
def _format_number(node: exp.Anonymous, scope: Scope) -> Sql:
    value, places = expression(node.expressions[0], scope), number(node.expressions[1])
    form = _GROUPED.fullmatch(constant(node.expressions[1]) or "")
    if not kinds.as_decimal(value.kind) or (places is None and form is None):
        raise _unsupported(node, "format_number() of other than a decimal to a constant place")
    least, most = (places, places) if form is None else (len(form[1]), len(form[1]) + len(form[2]))
    return Sql(f"ledger_grouped(CAST({value.text} AS VARCHAR), {least}, {most})", "string")


_GROUPED = re.compile(r"#,##0[.](0*)(#*)")


@rule(exp.AddMonths)
def _add_months(node: exp.AddMonths, scope: Scope) -> Sql:
    count = number(node.expression)
    if count is None:
        raise _unsupported(node, "add_months() of other than a constant number")
    day = cast(_timely(node.this, scope), "date", node)
    return Sql(f"CAST({day.text} + INTERVAL ({count}) MONTH AS DATE)", "date")


@call("pmod")
def _pmod(node: exp.Anonymous, scope: Scope) -> Sql:
    values, kind = merged([expression(n, scope) for n in node.expressions])
    divisor = number(node.expressions[1])
    if not kinds.is_whole(kind) or not divisor or divisor < 1:
        raise _unsupported(node, "pmod() by other than a constant")
    return Sql(f"((({values[0].text} % {divisor}) + {divisor}) % {divisor})", kind)


# --- days and moments -----------------------------------------------------------------------------


def _timely(node: exp.Expr, scope: Scope) -> Sql:
    """Return a day or a moment; of one, the casts that sqlglot puts around it are left out."""
    wrapped = isinstance(node, exp.TsOrDsToDate | exp.TimeStrToTime | exp.TsOrDsToTimestamp) or (
        isinstance(node, exp.Cast) and not isinstance(node, exp.TryCast) and node.is_type("timestamp")
    )
    inner = expression(node.this, scope) if wrapped else expression(node, scope)
    if wrapped and inner.kind == "string":
        return expression(node, scope)
    while wrapped and isinstance(node.this, exp.TsOrDsToDate | exp.TimeStrToTime | exp.TsOrDsToTimestamp):
        node = node.this
        inner = _timely(node, scope)
    if inner.kind not in ("date", "timestamp"):
        raise _unsupported(node, f"a time function of {inner.kind}")
    return inner


@rule(exp.TsOrDsToDate)
def _to_date(node: exp.TsOrDsToDate, scope: Scope) -> Sql:
    if node.args.get("format"):
        raise _unsupported(node, "to_date() by a format")
    return cast(expression(node.this, scope), "date", node)


@rule(exp.TimeStrToTime)
def _to_time(node: exp.TimeStrToTime, scope: Scope) -> Sql:
    return cast(expression(node.this, scope), "timestamp", node)


@rule(exp.TsOrDsAdd)
def _date_add(node: exp.TsOrDsAdd, scope: Scope) -> Sql:
    unit = node.args.get("unit")
    if unit is not None and unit.name.upper() != "DAY":
        raise _unsupported(node, "date_add() of other than days")
    day, count = cast(_timely(node.this, scope), "date", node), expression(node.expression, scope)
    if not kinds.is_whole(count.kind):
        raise _unsupported(node, "date_add() of other than a whole number")
    return Sql(f"({day.text} + CAST({count.text} AS INTEGER))", "date")


@rule(exp.DateDiff)
def _date_diff(node: exp.DateDiff, scope: Scope) -> Sql:
    unit = node.args.get("unit")
    if unit is not None and unit.name.upper() != "DAY":
        raise _unsupported(node, "a difference in other than days")
    end, start = (cast(_timely(n, scope), "date", node) for n in (node.this, node.expression))
    return Sql(f"CAST(date_diff('day', {start.text}, {end.text}) AS INTEGER)", "int")


@rule(exp.UnixDate)
def _unix_date(node: exp.UnixDate, scope: Scope) -> Sql:
    day = cast(_timely(node.this, scope), "date", node)
    return Sql(f"CAST(date_diff('day', DATE '1970-01-01', {day.text}) AS INTEGER)", "int")


@call("date_from_unix_date")
def _of_unix_date(node: exp.Anonymous, scope: Scope) -> Sql:
    return Sql(f"(DATE '1970-01-01' + CAST({expression(node.expressions[0], scope).text} AS INTEGER))", "date")


@rule(exp.DateFromUnixDate)
def _of_unix_date_node(node: exp.DateFromUnixDate, scope: Scope) -> Sql:
    return Sql(f"(DATE '1970-01-01' + CAST({expression(node.this, scope).text} AS INTEGER))", "date")


@rule(exp.DateTrunc)
def _trunc(node: exp.DateTrunc, scope: Scope) -> Sql:
    unit = {"MM": "month", "MONTH": "month", "MON": "month", "YEAR": "year", "YYYY": "year", "YY": "year",
            "QUARTER": "quarter", "WEEK": "week"}.get(node.args["unit"].name.upper())  # fmt: skip
    if unit is None:
        raise _unsupported(node, f"trunc() to {node.args['unit'].name}")
    day = cast(_timely(node.this, scope), "date", node)
    return Sql(f"CAST(date_trunc('{unit}', {day.text}) AS DATE)", "date")


@rule(exp.TimestampTrunc)
def _date_trunc(node: exp.TimestampTrunc, scope: Scope) -> Sql:
    unit = node.args["unit"].name.lower()
    if unit not in ("year", "quarter", "month", "week", "day", "hour", "minute", "second"):
        raise _unsupported(node, f"date_trunc() to {unit}")
    moment = cast(_timely(node.this, scope), "timestamp", node)
    return Sql(f"CAST(date_trunc('{unit}', {moment.text}) AS TIMESTAMP)", "timestamp")


_PARTS = {exp.Year: "year", exp.Month: "month", exp.Day: "day", exp.Quarter: "quarter", exp.DayOfMonth: "day",
          exp.DayOfYear: "dayofyear", exp.WeekOfYear: "week"}  # fmt: skip


@rule(*_PARTS)
def _part(node: exp.Func, scope: Scope) -> Sql:
    return Sql(f"CAST({_PARTS[type(node)]}({_timely(node.this, scope).text}) AS INTEGER)", "int")


@rule(exp.Hour, exp.Minute, exp.Second)
def _clock_part(node: exp.Func, scope: Scope) -> Sql:
    word = type(node).__name__.lower()
    moment = cast(_timely(node.this, scope), "timestamp", node)
    return Sql(f"CAST({word}({moment.text}) AS INTEGER)", "int")


@rule(exp.DayOfWeek)
def _day_of_week(node: exp.DayOfWeek, scope: Scope) -> Sql:
    return Sql(f"CAST(dayofweek({_timely(node.this, scope).text}) + 1 AS INTEGER)", "int")


_FORMAT = re.compile(r"(%Y|%m|%d|%H|%M|%S|%f|[-/:. _T])+")


@rule(exp.TimeToStr)
def _date_format(node: exp.TimeToStr, scope: Scope) -> Sql:
    form = constant(node.args["format"])
    form = None if form is None else form.replace("SSSSSS", "%f").replace("strict", "")  # as the library reads MM
    if form is None or not _FORMAT.fullmatch(form):
        raise _unsupported(node, "date_format() with other than digits of years to microseconds")
    return Sql(f"strftime({_timely(node.this, scope).text}, {text(form)})", "string")


@rule(exp.UnixMicros)
def _unix_micros(node: exp.UnixMicros, scope: Scope) -> Sql:
    return Sql(f"epoch_us({_timely(node.this, scope).text})", "bigint")


@call("timestamp_micros", "timestamp_millis", "timestamp_seconds")
def _of_unix(node: exp.Anonymous, scope: Scope) -> Sql:
    return _of_epoch(expression(node.expressions[0], scope), node.name.lower().removeprefix("timestamp_"), node)


@rule(exp.UnixToTime)
def _unix_to_time(node: exp.UnixToTime, scope: Scope) -> Sql:
    scale = number(node.args.get("scale") or exp.Literal.number(0)) or 0
    return _of_epoch(expression(node.this, scope), {0: "seconds", 3: "millis", 6: "micros"}.get(scale, ""), node)


def _of_epoch(count: Sql, unit: str, node: exp.Expr) -> Sql:
    factor = {"seconds": 1_000_000, "millis": 1_000, "micros": 1}.get(unit)
    if factor is None or not kinds.is_whole(count.kind):
        raise _unsupported(node, "a moment of other than a whole number")
    return Sql(f"make_timestamp(CAST({count.text} AS BIGINT) * {factor})", "timestamp")


@rule(exp.FromTimeZone)
def _to_utc(node: exp.FromTimeZone, scope: Scope) -> Sql:
    return Sql(f"ledger_to_utc({_timely(node.this, scope).text}, {strings(node.args['zone'], scope).text})", "timestamp")


@rule(exp.AtTimeZone)
def _from_utc(node: exp.AtTimeZone, scope: Scope) -> Sql:
    return Sql(f"ledger_from_utc({_timely(node.this, scope).text}, {strings(node.args['zone'], scope).text})", "timestamp")


# --- arrays, maps, JSON ---------------------------------------------------------------------------


@rule(exp.Array)
def _array(node: exp.Array, scope: Scope) -> Sql:
    values, kind = merged([expression(n, scope) for n in node.expressions])
    return Sql(f"[{', '.join(v.text for v in values)}]", f"array<{kind}>")


@rule(exp.ArraySize)
def _size(node: exp.ArraySize, scope: Scope) -> Sql:
    value = expression(node.this, scope)
    kinds.element(value.kind)
    return Sql(f"CAST(coalesce(len({value.text}), -1) AS INTEGER)", "int")


@call("cardinality")
def _cardinality(node: exp.Anonymous, scope: Scope) -> Sql:
    value = expression(node.expressions[0], scope)
    kinds.element(value.kind)
    return Sql(f"CAST(coalesce(len({value.text}), -1) AS INTEGER)", "int")


@rule(exp.ArrayContains)
def _array_contains(node: exp.ArrayContains, scope: Scope) -> Sql:
    whole, item = expression(node.this, scope), expression(node.expression, scope)
    if kinds.element(whole.kind) != item.kind or constant(node.expression) is None:
        raise _unsupported(node, "array_contains() of other than a constant text")
    # As in Spark: null where the item is not found and another is null.
    return Sql(f"ledger_any(list_transform({whole.text}, lambda v: v = {item.text}))", "boolean")


@rule(exp.ArraySort, exp.SortArray)
def _array_sort(node: exp.Func, scope: Scope) -> Sql:
    whole = expression(node.this, scope)
    ascending = node.args.get("asc")
    if node.args.get("expression") or kinds.element(whole.kind) in ("double", "float"):
        raise _unsupported(node, "a sort by a function")
    if isinstance(ascending, exp.Boolean) and not ascending.this:
        return Sql(f"list_sort({whole.text}, 'DESC', 'NULLS LAST')", whole.kind)
    nulls = "NULLS FIRST" if isinstance(node, exp.SortArray) else "NULLS LAST"
    return Sql(f"list_sort({whole.text}, 'ASC', '{nulls}')", whole.kind)


@rule(exp.ArrayToString)
def _array_join(node: exp.ArrayToString, scope: Scope) -> Sql:
    whole, mark = expression(node.this, scope), constant(node.expression)
    if mark is None or node.args.get("null") or kinds.element(whole.kind) != "string":
        raise _unsupported(node, "array_join() of other than texts")
    return Sql(f"array_to_string({whole.text}, {text(mark)})", "string")


@rule(exp.GenerateSeries)
def _sequence(node: exp.GenerateSeries, scope: Scope) -> Sql:
    start, end = expression(node.args["start"], scope), expression(node.args["end"], scope)
    if node.args.get("step") or start.kind != "date" or end.kind != "date":
        raise _unsupported(node, "sequence() of other than days")
    return Sql(f"ledger_days({start.text}, {end.text})", "array<date>")


@rule(exp.Exists)
def _exists(node: exp.Exists, scope: Scope) -> Sql:
    made = node.args.get("expression")
    if not isinstance(made, exp.Lambda):
        raise _unsupported(node, "EXISTS with a query")
    whole, each, _ = _over(node.this, made, scope)
    # As in Spark: null where no item fulfils it and one cannot say.
    return Sql(f"ledger_any(list_transform({whole.text}, {each}))", "boolean")


def _over(array: exp.Expr, made: exp.Lambda, scope: Scope) -> tuple[Sql, str, Sql]:
    """Return an array, the function over its items, and what that gives for one."""
    whole, [variable] = expression(array, scope), made.expressions
    item = {variable.name.lower(): Sql(variable.name, kinds.element(whole.kind))}
    inner = expression(made.this, replace(scope, variables={**scope.variables, **item}))
    return whole, f"lambda {variable.name}: {inner.text}", inner


@rule(exp.ArrayFilter, exp.Transform)
def _each(node: exp.Func, scope: Scope) -> Sql:
    made = node.expression
    if not isinstance(made, exp.Lambda) or len(made.expressions) != 1:
        raise _unsupported(node)
    whole, each, inner = _over(node.this, made, scope)
    word = "list_filter" if isinstance(node, exp.ArrayFilter) else "list_transform"
    kind = whole.kind if isinstance(node, exp.ArrayFilter) else f"array<{inner.kind}>"
    return Sql(f"{word}({whole.text}, {each})", kind)


@rule(exp.ArraySlice)
def _slice(node: exp.ArraySlice, scope: Scope) -> Sql:
    whole, start, size = expression(node.this, scope), number(node.args["start"]), number(node.args["end"])
    if not start or start < 1 or size is None:
        raise _unsupported(node, "slice() by other than constants")
    return Sql(f"list_slice({whole.text}, {start}, {start + size - 1})", whole.kind)


@rule(exp.VarMap)
def _map(node: exp.VarMap, scope: Scope) -> Sql:
    keys, values = (expression(node.args[n], scope) for n in ("keys", "values"))
    return Sql(f"map({keys.text}, {values.text})", f"map<{kinds.element(keys.kind)},{kinds.element(values.kind)}>")


@call("map_filter")
def _map_filter(node: exp.Anonymous, scope: Scope) -> Sql:
    whole, made = expression(node.expressions[0], scope), node.expressions[1]
    if made.sql(dialect="spark").replace(" ", "").lower() != "(k,v)->notvisnull":
        raise _unsupported(node, "map_filter() by other than NOT NULL")
    return Sql(f"ledger_known({whole.text})", whole.kind)


@rule(exp.Explode)
def _explode(node: exp.Explode, scope: Scope) -> Sql:
    value = expression(node.this, scope)
    kind = kinds.element(value.kind)
    if "Outer" in type(node).__name__:
        empty = f"[CAST(NULL AS {kinds.duck(kind)})]"
        return Sql(f"unnest(CASE WHEN coalesce(len({value.text}), 0) = 0 THEN {empty} ELSE {value.text} END)", kind)
    return Sql(f"unnest({value.text})", kind)


@rule(exp.JSONFormat)
def _to_json(node: exp.JSONFormat, scope: Scope) -> Sql:
    inner = node.this
    if not isinstance(inner, exp.Struct):
        raise _unsupported(node, "to_json() of other than a struct")
    parts = []
    for item in inner.expressions:
        title = item.this.name if isinstance(item, exp.PropertyEQ) else item.alias_or_name
        value = _json_value(expression(item, scope), node)
        parts.append(f"{text(_json_text(title) + ':')} || {value}")
    return Sql(f"('{{' || concat_ws(',', {', '.join(parts)}) || '}}')", "string")


def _json_text(value: str) -> str:
    return json.dumps(value, ensure_ascii=False)


def _json_value(value: Sql, node: exp.Expr) -> str:
    if value.kind in ("string", VOID):
        return f"CAST(to_json({value.text}) AS VARCHAR)" if value.kind == "string" else "NULL"
    if value.kind in ("boolean",) or kinds.is_whole(value.kind) or kinds.decimal(value.kind):
        return f"CAST({value.text} AS VARCHAR)"
    if value.kind == "date":
        return f"'\"' || CAST({value.text} AS VARCHAR) || '\"'"
    if value.kind == "timestamp":
        return f"'\"' || CAST({value.text} AS VARCHAR) || 'Z\"'"
    raise _unsupported(node, f"to_json() of {value.kind}")


@rule(exp.FromJson)
def _from_json(node: exp.FromJson, scope: Scope) -> Sql:
    schema, body = (constant(node.expression) or "").strip(), strings(node.this, scope)
    listed = re.fullmatch(r"ARRAY<STRUCT<(.*)>>", schema, re.IGNORECASE)
    titles = _fields_of(listed[1].replace(":", " ") if listed else schema)
    if not titles:
        raise _unsupported(node, "from_json() to other than texts")
    kind = f"struct<{','.join(f'{n}:string' for n in titles)}>"
    if listed:
        parts = _texts_of("e", titles)
        made = f"list_transform(CAST(CAST({body.text} AS JSON) AS JSON[]), lambda e: struct_pack({parts}))"
        return Sql(f"(CASE WHEN json_type({body.text}) = 'ARRAY' THEN {made} ELSE ledger_no_json({body.text}) END)", f"array<{kind}>")
    made = f"struct_pack({_texts_of(f'CAST({body.text} AS JSON)', titles)})"
    nothing = ", ".join(f"{kinds.name(n)} := CAST(NULL AS VARCHAR)" for n in titles)
    return Sql(f"(CASE WHEN json_valid({body.text}) THEN {made} ELSE struct_pack({nothing}) END)", kind)


def _texts_of(whole: str, titles: list[str]) -> str:
    return ", ".join(f"{kinds.name(n)} := ledger_text({whole}, {text(_path(n))})" for n in titles)


def _path(title: str) -> str:
    return '$."' + title + '"'


def _fields_of(schema: str) -> list[str]:
    parts = [re.fullmatch(r"\s*`?([A-Za-z_][A-Za-z0-9_]*)`?\s+STRING\s*", p, re.IGNORECASE) for p in schema.split(",")]
    return [p[1] for p in parts if p] if all(parts) else []


# --- aggregates and windows -----------------------------------------------------------------------


@rule(exp.Count)
def _count(node: exp.Count, scope: Scope) -> Sql:
    if isinstance(node.this, exp.Star) or node.this is None:
        return Sql("count(*)", "bigint")
    if isinstance(node.this, exp.Distinct):
        values = [expression(n, scope).text for n in node.this.expressions]
        if len(values) > 1:
            raise _unsupported(node, "count(DISTINCT) of several columns")
        return Sql(f"count(DISTINCT {values[0]})", "bigint")
    if node.expressions:
        raise _unsupported(node, "count() of several columns")
    return Sql(f"count({expression(node.this, scope).text})", "bigint")


@rule(exp.CountIf)
def _count_if(node: exp.CountIf, scope: Scope) -> Sql:
    return Sql(f"count(CASE WHEN {_boolean(node.this, scope)} THEN 1 END)", "bigint")


@rule(exp.Sum)
def _sum(node: exp.Sum, scope: Scope) -> Sql:
    distinct = isinstance(node.this, exp.Distinct)
    value = expression(node.this.expressions[0] if distinct else node.this, scope)
    return Sql(f"sum({'DISTINCT ' if distinct else ''}{value.text})", _sum_kind(value, node))


def _sum_kind(value: Sql, node: exp.Expr) -> str:
    parts = kinds.decimal(value.kind)
    if parts:
        return named((min(kinds.DIGITS_MAX, parts[0] + 10), parts[1]))
    if kinds.is_whole(value.kind):
        return "bigint"
    raise _unsupported(node, f"sum() of {value.kind}")


@rule(exp.Avg)
def _avg(node: exp.Avg, scope: Scope) -> Sql:
    value = expression(node.this, scope)
    parts = kinds.decimal(value.kind)
    if kinds.is_whole(value.kind):
        return Sql(f"avg({value.text})", "double")
    if parts is None:
        raise _unsupported(node, f"avg() of {value.kind}")
    return Sql(f"avg({value.text})", named((min(kinds.DIGITS_MAX, parts[0] + 4), min(kinds.DIGITS_MAX, parts[1] + 4))))


@rule(exp.Max, exp.Min)
def _most(node: exp.Func, scope: Scope) -> Sql:
    value = expression(node.this, scope)
    if value.kind in ("double", "float"):
        raise _unsupported(node, f"max() of {value.kind}")
    return Sql(f"{'max' if isinstance(node, exp.Max) else 'min'}({value.text})", value.kind)


@rule(exp.LogicalOr, exp.LogicalAnd)
def _logical(node: exp.Func, scope: Scope) -> Sql:
    return Sql(f"{'bool_or' if isinstance(node, exp.LogicalOr) else 'bool_and'}({_boolean(node.this, scope)})", "boolean")


@rule(exp.ArgMax, exp.ArgMin)
def _by(node: exp.Func, scope: Scope) -> Sql:
    value, by = expression(node.this, scope), expression(node.expression, scope)
    word = "arg_max" if isinstance(node, exp.ArgMax) else "arg_min"
    return Sql(f"{word}(struct_pack(v := {value.text}), {by.text})", f"struct<v:{value.kind}>", None)


@rule(exp.ArrayUniqueAgg)
def _collect_set(node: exp.ArrayUniqueAgg, scope: Scope) -> Sql:
    value = expression(node.this, scope)
    return Sql(f"coalesce(list(DISTINCT {value.text}) FILTER (WHERE {value.text} IS NOT NULL), [])", f"array<{value.kind}>")


@rule(exp.ArrayAgg)
def _collect_list(node: exp.ArrayAgg, scope: Scope) -> Sql:
    if not isinstance(node.parent, exp.SortArray | exp.ArraySort):
        raise _unsupported(node, "collect_list(), whose order is any")
    value = expression(node.this, scope)
    return Sql(f"coalesce(list({value.text}) FILTER (WHERE {value.text} IS NOT NULL), [])", f"array<{value.kind}>")


def finished(value: Sql, words: str, node: exp.Expr) -> Sql:
    """Return an aggregate with what follows it (a filter, a window), in the type that Spark gives it."""
    said, kind = f"{value.text}{words}", value.kind
    if isinstance(node, exp.Sum):
        return Sql(f"CAST({said} AS {kinds.duck(kind)})", kind)
    if isinstance(node, exp.ArgMax | exp.ArgMin):
        return Sql(f"({said}).v", kind.removeprefix("struct<v:")[:-1])
    if isinstance(node, exp.Avg) and kind != "double":
        return _mean(value.text.removeprefix("avg(")[:-1], words, kind)
    return Sql(said, kind)


def _mean(inner: str, words: str, kind: str) -> Sql:
    wanted = kinds.decimal(kind)
    assert wanted is not None, "of decimals"
    scale = wanted[1] - 4
    total = Sql(f"sum({inner}){words}", named((kinds.DIGITS_MAX, scale)))
    return quotient(unscaled(total, scale), scale, f"CAST(count({inner}){words} AS HUGEINT)", 0, wanted)


_AGGREGATES = (exp.Count, exp.CountIf, exp.Sum, exp.Avg, exp.Max, exp.Min, exp.LogicalOr, exp.LogicalAnd, exp.ArgMax, exp.ArgMin)  # fmt: skip
_PLAIN: dict[type[exp.Expr], Rule] = {kind: RULES[kind] for kind in _AGGREGATES}
"""How aggregates are said before what follows them is known."""


def _alone(node: exp.Expr, scope: Scope) -> Sql:
    return finished(_PLAIN[type(node)](node, scope), "", node)


for _kind in _AGGREGATES:
    rule(_kind)(_alone)


@rule(exp.Filter)
def _filter(node: exp.Filter, scope: Scope) -> Sql:
    inner = node.this
    if type(inner) not in _PLAIN:
        raise _unsupported(node, "FILTER of other than a plain aggregate")
    condition = _boolean(node.expression.this, scope)
    return finished(_PLAIN[type(inner)](inner, scope), f" FILTER (WHERE {condition})", inner)


@rule(exp.Window)
def _window(node: exp.Window, scope: Scope) -> Sql:
    words = f" OVER ({_window_words(node, scope)})"
    inner, nulls = node.this, ""
    if isinstance(inner, exp.IgnoreNulls | exp.RespectNulls):
        nulls = " IGNORE NULLS" if isinstance(inner, exp.IgnoreNulls) else ""
        inner = inner.this
    if isinstance(inner, exp.Filter):
        condition = _boolean(inner.expression.this, scope)
        inner, words = inner.this, f" FILTER (WHERE {condition}){words}"
    if type(inner) in _PLAIN and not nulls:
        if isinstance(inner, exp.Count) and isinstance(inner.this, exp.Distinct):
            raise _unsupported(node, "count(DISTINCT) in a window")
        return finished(_PLAIN[type(inner)](inner, scope), words, inner)
    return _placed(inner, nulls, words, scope)


def _placed(inner: exp.Expr, nulls: str, words: str, scope: Scope) -> Sql:
    if isinstance(inner, exp.RowNumber | exp.Rank | exp.DenseRank):
        word = {exp.RowNumber: "row_number", exp.Rank: "rank", exp.DenseRank: "dense_rank"}[type(inner)]
        return Sql(f"CAST({word}(){words} AS INTEGER)", "int")
    if isinstance(inner, exp.Lead | exp.Lag):
        value = expression(inner.this, scope)
        offset = number(inner.args.get("offset") or exp.Literal.number(1))
        if offset is None or inner.args.get("default"):
            raise _unsupported(inner, "lead() or lag() with a default")
        word = "lead" if isinstance(inner, exp.Lead) else "lag"
        return Sql(f"{word}({value.text}, {offset}{nulls}){words}", value.kind)
    if isinstance(inner, exp.First | exp.Last | exp.FirstValue | exp.LastValue):
        value = expression(inner.this, scope)
        word = "first_value" if isinstance(inner, exp.First | exp.FirstValue) else "last_value"
        return Sql(f"{word}({value.text}{nulls}){words}", value.kind)
    raise _unsupported(inner)


def _window_words(node: exp.Window, scope: Scope) -> str:
    base = scope.windows.get(node.alias.lower()) if node.alias else None
    if node.alias and base is None:
        raise _unsupported(node, f"the window {node.alias}")
    partition = node.args.get("partition_by") or (base.args.get("partition_by") if base else None) or []
    order = node.args.get("order") or (base.args.get("order") if base else None)
    spec = node.args.get("spec") or (base.args.get("spec") if base else None)
    parts = []
    if partition:
        parts.append("PARTITION BY " + ", ".join(expression(p, scope).text for p in partition))
    if order:
        parts.append("ORDER BY " + _order(order, scope))
    if spec:
        keys = [expression(o.this, scope).kind for o in order.expressions] if order else []
        parts.append(_frame(spec, len(keys) == 1 and kinds.is_whole(keys[0])))
    return " ".join(parts)


def _frame(spec: exp.WindowSpec, by_number: bool) -> str:
    def edge(value: object, side: object) -> str:
        said = value if isinstance(value, str) else getattr(value, "name", str(value))
        return f"{said} {side}" if side else str(said)

    start = edge(spec.args["start"], spec.args.get("start_side"))
    end = edge(spec.args.get("end") or "CURRENT ROW", spec.args.get("end_side"))
    near = spec.args["kind"] == "RANGE" and ("UNBOUNDED" not in start or end not in ("CURRENT ROW", "UNBOUNDED FOLLOWING"))
    if spec.args.get("exclude") or (near and not by_number):
        raise _unsupported(spec, "a window by range")
    return f"{spec.args['kind']} BETWEEN {start} AND {end}"
