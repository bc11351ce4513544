"""The end of the story: one merged customer explained, now and as of the day before, and who looked."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from ledgerlake.demo.customer_master.people import moment
from ledgerlake.demo.customer_master.sources import Sources
from ledgerlake.demo.stage import Stage
from ledgerlake.ops.explain import Clearance, explain


def explained(stage: Stage, sources: Sources) -> None:
    """Explain the first of the twins; raise TerminalError where the answers are not those planted."""
    twin = sources.world.cast.twins[0]
    key = f"salesforce:{twin.crm_id}"
    before = _explain(stage, key, moment(0, 12))
    now = _explain(stage, key, None)
    stage.expect(before["customer_id"] != now["customer_id"], "the twin was not merged")
    stage.expect(len(before["records"]) == 2, "before the merge Salesforce knew an account and a contact")
    old = explain(stage.workspace(), _master(stage), before["customer_id"])
    stage.expect(old["customer_id"] == now["customer_id"], "the id that was merged away leads nowhere")
    stage.note(f"{before['customer_id']} was merged into {now['customer_id']}: the old id goes on leading there")
    clear = explain(stage.workspace(), _master(stage), key, clearance=Clearance("demo", "ticket 4711"))
    values = {f["field"]: f["value"] for f in clear["fields"]}
    stage.expect(values["email"] == twin.email, "the surviving e-mail is not the one that is billed")
    seen = stage.workspace().control.read("access")
    stage.note(
        f"[dim]ledgerlake access[/] {seen[-1]['who']} saw personal data of key {seen[-1]['key_hash']}: {seen[-1]['reason']}"
    )


def _master(stage: Stage) -> Any:
    return stage.workspace().pipeline.spec.masters[0]


def _explain(stage: Stage, key: str, as_of: datetime | None) -> dict[str, Any]:
    facts = explain(stage.workspace(), _master(stage), key, as_of)
    moment_ = f" --as-of {as_of:%Y-%m-%dT%H:%M:%S}" if as_of else ""
    stage.say("Explain", f"ledgerlake explain customer_master --key {key}{moment_}")
    stage.note(f"customer {facts['customer_id']}, {len(facts['records'])} records")
    for field in facts["fields"]:
        origin = (
            f"{field['source']} {field['record']}, rule {field['rule']}"
            if field["source"]
            else "no source says anything"
        )
        lost = "".join(f"; lost: {k['value']} of {k['source']} by {k['lost_by']}" for k in field["losers"])
        stage.console.print(
            f"  {field['field']:<20} {field['value']!s:<28} {origin}{lost}", markup=False, soft_wrap=True
        )
    return facts
