"""Plays some weeks of a pay-later shop: history with bad records in it, and a day that is refused."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import date

from ledgerlake.config.models import Pipeline, Table
from ledgerlake.demo.bnpl.simtom_server import SimtomServer
from ledgerlake.demo.stage import Demo, Setting, Stage
from ledgerlake.lake.quarantine import kind_of
from ledgerlake.ops.untaken import open_quarantine
from ledgerlake.ports.secrets import ReferencedSecrets

FRIDAY, SATURDAY = date(2024, 11, 29), date(2024, 11, 30)
HISTORY_STARTS, SMALL_STARTS = date(2024, 9, 26), date(2024, 11, 23)
BI = "FINANCE.BNPL_BI"


@dataclass
class Sources:
    """The simulated service, since when its history is loaded, and what its user changes in the declarations."""

    simtom: SimtomServer
    first: date
    small: bool
    asked_again: bool = False

    @property
    def secrets(self) -> ReferencedSecrets:
        """Return the references of ``conf/environments/local.yml``, resolved to this service."""
        return ReferencedSecrets({"SIMTOM_BASE_URL": self.simtom.url})

    def declared(self, pipeline: Pipeline) -> Pipeline:
        """Return the pipeline with a tenth of its volumes in the small demo, and Saturday to be asked for once more."""
        table, spec = pipeline.tables["raw_transactions"], pipeline.spec
        if self.asked_again:
            changed = table.model_dump() | {"feed": {**table.feed, "resync": {SATURDAY: 1}}}
            table = Table.model_validate(changed)
        if self.small:
            source = spec.sources["simtom"]
            tenth = {
                kind: [n // 10 for n in bounds]
                for kind, bounds in source.options["volume"].items()
                if kind != "country"
            }
            volume = {"volume": source.options["volume"] | tenth, "minimum": source.options["minimum"] // 10}
            sources = {"simtom": source.model_copy(update={"options": source.options | volume})}
            spec = spec.model_copy(update={"sources": sources})
        return pipeline.model_copy(update={"spec": spec, "tables": {table.table: table}})


@contextmanager
def running(setting: Setting) -> Iterator[Sources]:
    """Run the service; the small demo has a week of history instead of nine, of smaller days."""
    simtom = SimtomServer(tampered={FRIDAY: "spoiled", SATURDAY: "inflated"})
    with simtom.running():
        yield Sources(simtom, SMALL_STARTS if setting.small else HISTORY_STARTS, setting.small)


def play(stage: Stage, sources: Sources) -> None:
    """Tell the whole story; raise TerminalError where a chapter does not end as it must."""
    simtom, stage.declared = sources.simtom, sources.declared
    stage.say(
        "History",
        f"backfill of {sources.first} to {FRIDAY} with one run; a stream breaks off, and some records are malformed",
    )
    simtom.fail_next("cut")
    report = stage.run(FRIDAY, "published", first=sources.first)
    asked = [r for r in simtom.requests if r["start_date"] == str(sources.first)]
    stage.expect(len(asked) == 2, "a stream that broke off was taken for a day")
    stage.expect(sum(b["quarantined"] for b in report.batches) > 0, "malformed records passed")
    _quarantine(stage)
    stage.say("History again", "the same command a second time")
    stage.run(FRIDAY, "unchanged", first=sources.first)
    stage.say("Saturday", "half of the amounts arrive in another unit: the day is refused")
    stage.run(SATURDAY, "blocked")
    _serving(stage, "What Snowflake serves while Saturday is blocked", SATURDAY)
    stage.say("Saturday, asked again", f"the service is mended; the table declares `resync: {{{SATURDAY}: 1}}`")
    del simtom.tampered[SATURDAY]
    sources.asked_again = True
    stage.run(SATURDAY, "published")
    _answers(stage)


def _quarantine(stage: Stage) -> None:
    reasons = Counter(kind_of(reason) for row in open_quarantine(stage.workspace()) for reason in row["reasons"])
    stage.note("[bold]ledgerlake quarantine list[/]")
    for reason, rows in sorted(reasons.items()):
        stage.console.print(f"    {rows:>3} × {reason}", markup=False, soft_wrap=True)


def _serving(stage: Stage, title: str, refused: date) -> None:
    rows = stage.ask(
        title,
        f"SELECT transaction_date, day_type, transactions, mean_amount, amount_drift FROM {BI}.RPT_DAILY_QUALITY"
        " WHERE transaction_date >= '2024-11-25' ORDER BY transaction_date",
    )
    stage.expect(refused not in [r[0] for r in rows], "a refused day is served")


def _answers(stage: Stage) -> None:
    stage.say("Answers", "from the published marts")
    stage.ask(
        "Volumes by type of day",
        f"SELECT day_type, count(*) AS days, min(transactions) AS least, max(transactions) AS most FROM {BI}.RPT_DAILY_QUALITY GROUP BY day_type ORDER BY day_type",
    )
    stage.ask(
        "The training set: days whose outcome is known, split by customer",
        f"SELECT split, count(*) AS transactions, count(DISTINCT customer_id) AS customers, sum(CASE WHEN label THEN 1 ELSE 0 END) AS defaults FROM {BI}.MART_BNPL_ML_TRAINING_SET GROUP BY split ORDER BY split",
    )
    doubled = stage.query(
        f"SELECT customer_id FROM {BI}.MART_BNPL_ML_TRAINING_SET GROUP BY customer_id HAVING count(DISTINCT split) > 1"
    )
    stage.expect(not doubled, "a customer stands on two sides of the split")


DEMO = Demo("bnpl", "pay-later transactions from a streaming service to risk features", running, play)
