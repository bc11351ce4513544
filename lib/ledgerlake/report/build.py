"""From the facts of a run to its page. Pure: the same facts give the same page."""

from __future__ import annotations

from decimal import Decimal

from ledgerlake.config.models import Chart
from ledgerlake.report.facts import Record, RunFacts
from ledgerlake.report.figures import count, duration, moment, plural
from ledgerlake.report.gates import blocking_reasons, gate_sections
from ledgerlake.report.loading import batch_rows, counts_of, fates, quarantine_rows, total
from ledgerlake.report.page import Alert, Page, Reason, RunMark, Series, StepRow, Tile, Tone
from ledgerlake.report.serving import publication_section, reconciliation, still_served


def build_page(facts: RunFacts) -> Page:
    """Return everything a run's report says."""
    report = facts.report
    return Page(
        title=f"{report.key.pipeline} · {report.key.date.isoformat()}",
        pipeline=report.key.pipeline,
        date=report.key.date.isoformat(),
        status=report.status,
        description=facts.description,
        facts=_header(facts),
        alert=alert(facts),
        message=report.message if report.status in ("unchanged", "published") else "",
        tiles=tiles(facts),
        runs=recent_runs(facts),
        fates=fates(facts.batches),
        gates=gate_sections(report.results, facts.tables, facts.checks),
        quarantine=quarantine_rows(facts.quarantine, report.run_id),
        publication=publication_section(facts.publication, facts.served),
        reconciliation=reconciliation(facts.books, facts.served),
        charts=tuple(_series(chart, rows) for chart, rows in facts.charts),
        batches=batch_rows(facts.batches),
        steps=tuple(StepRow(s.stage, s.subject, s.seconds, s.result) for s in report.steps),
    )


POINTS_SHOWN = 120


def _series(chart: Chart, rows: tuple[Record, ...]) -> Series:
    """Return a chart's latest points; rows without a value are left out."""
    points = sorted(
        (r["x"], Decimal(str(r["y"])), r["by"] or "") for r in rows if r["x"] is not None and r["y"] is not None
    )
    return Series(chart.title, chart.mart, tuple(points[-POINTS_SHOWN:]))


def _header(facts: RunFacts) -> tuple[tuple[str, str], ...]:
    report = facts.report
    return (
        ("Run", report.run_id),
        ("Publication", report.publication_id or "none"),
        ("Code version", facts.code_version),
        ("Configuration", facts.config_fingerprint[:16]),
        ("Started", moment(report.started_at)),
        ("Duration", duration((facts.ended_at - report.started_at).total_seconds())),
    )


def alert(facts: RunFacts) -> Alert | None:
    """Return why the run was blocked or failed and what readers see; None where it was not."""
    report = facts.report
    if report.status not in ("blocked", "failed"):
        return None
    reasons = _reasons(facts)
    then = report.error.then if report.error else ""
    title = f"{report.status.capitalize()}: {plural(len(reasons), 'reason')}, and nothing new was published"
    return Alert(title, reasons, still_served(facts.served), then)


def _reasons(facts: RunFacts) -> tuple[Reason, ...]:
    report = facts.report
    if report.status == "blocked":
        blocking = blocking_reasons(report.results, facts.tables)
        if blocking:
            return blocking
    if report.failures:
        return tuple(Reason(f.subject, f.error.what, str(f.error.where)) for f in report.failures)
    if report.error:
        return (Reason("", report.error.what, str(report.error.where)),)
    return (Reason("", report.message),)


def tiles(facts: RunFacts) -> tuple[Tile, ...]:
    """Return the summary of the run."""
    batches = facts.batches
    changes = total(counts_of(record) for record in batches)
    tables = len({record["table"] for record in batches})
    return (
        Tile("Changes read", count(changes.read), f"{plural(len(batches), 'batch')}, {plural(tables, 'table')}"),
        Tile("Applied", count(changes.applied), "now in silver"),
        Tile("Superseded", count(changes.superseded), "a newer change was there"),
        Tile("Duplicate", count(changes.duplicate), "read before"),
        _quarantined(batches),
        _accounted(batches),
        _checks(facts),
        _published(facts),
    )


def _quarantined(batches: tuple[Record, ...]) -> Tile:
    changes = total(counts_of(record) for record in batches)
    whole = sum(record["status"] == "quarantined" for record in batches)
    notes = [f"{count(changes.held)} of them held for a parent"] if changes.held else []
    notes += [f"and {plural(whole, 'batch')} whole"] if whole else []
    tone: Tone = "warn" if changes.quarantined or whole else "calm"
    note = ", ".join(notes) or ("rows refused" if changes.quarantined else "no row refused")
    return Tile("Quarantined", count(changes.quarantined), note, tone)


def _accounted(batches: tuple[Record, ...]) -> Tile:
    wrong = sum(not counts_of(record).balanced for record in batches)
    if wrong:
        return Tile("Accounted", "no", f"{plural(wrong, 'batch')} out of balance", "bad")
    note = "every change, once" if batches else "no batch to account for"
    return Tile("Accounted", "yes", note, "good" if batches else "calm")


def _checks(facts: RunFacts) -> Tile:
    checks = [check for result in facts.report.results.values() for check in result.checks]
    failed = sum(not check.success for check in checks)
    if not checks:
        return Tile("Checks", "0", "nothing had to be judged")
    blocked = bool(blocking_reasons(facts.report.results, facts.tables))
    tone: Tone = "bad" if blocked else "warn" if failed else "good"
    note = f"{count(failed)} failed" if failed else "all passed"
    return Tile("Checks passed", f"{count(len(checks) - failed)} of {count(len(checks))}", note, tone)


def _published(facts: RunFacts) -> Tile:
    own = facts.publication
    if own is None or not own.is_served:
        return Tile("Rows published", "0", "the last publication stays" if facts.served else "nothing served yet")
    return Tile("Rows published", count(sum(own.rows.values())), f"in {plural(len(own.rows), 'mart')}", "good")


def recent_runs(facts: RunFacts) -> tuple[RunMark, ...]:
    """Return the latest runs, oldest first, this one among them even where it left no record."""
    report = facts.report
    marks = [_mark(r, report.run_id) for r in facts.runs]
    if not any(mark.is_this for mark in marks):
        marks.append(RunMark(report.run_id, report.key.date.isoformat(), report.status, is_this=True))
    return tuple(marks)


def _mark(record: Record, run_id: str) -> RunMark:
    return RunMark(record["run_id"], record["logical_date"], record["status"], record["run_id"] == run_id)
