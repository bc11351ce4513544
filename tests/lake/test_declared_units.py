"""What shows that an object is written otherwise than declared refuses the object, never a hundredth of its amounts."""

from __future__ import annotations

import json

import pytest
from house import House, counts, lines, rows_of

PIPELINE = """
pipeline: bank
sources:
  files: {feed: dump, location: files}
publication: {database: FINANCE, schema: BANK, bi_schema: BANK_BI}
"""
FEES = """
table: fees
source: files
resource: fees
key: [id]
columns:
  - {name: id, type: string, nullable: false}
  - {name: currency, type: string}
  - {name: amount, type: "decimal(18,3)", currency: currency, unit: UNIT}
"""


def fee(key: str, amount: object, currency: str | None = "EUR") -> dict[str, object]:
    return {"id": key, "amount": amount, "currency": currency}


@pytest.mark.parametrize("unit", ["minor", "stripe"])
@pytest.mark.parametrize("evidence", ["10.00", 10.5, "7.", "0.99"])
def test_an_amount_with_decimals_under_minor_units_refuses_its_object(house: House, unit: str, evidence: object) -> None:
    house.declare(PIPELINE, FEES.replace("UNIT", unit))

    [record] = house.deliver("files/fees/1.jsonl", lines(fee("a", "10"), fee("b", evidence))).load()

    assert f"amount: contradicts what is declared: an amount with decimals under `unit: {unit}`" in record["reason"]
    assert "files/fees/1.jsonl" in record["reason"].replace("fees/1.jsonl", "files/fees/1.jsonl")
    assert rows_of(house.silver("fees")) == []


def test_whole_minor_units_load_and_zero_needs_no_currency(house: House) -> None:
    house.declare(PIPELINE, FEES.replace("UNIT", "minor"))
    rows = [fee("a", "1050"), fee("b", 0, None), fee("c", "-0", None), fee("d", "5", None), fee("e", "1050", "JPY"), fee("f", "1050", "XCG")]

    [record] = house.deliver("files/fees/1.jsonl", lines(*rows)).load()

    assert counts(record) == {"read": 6, "applied": 5, "quarantined": 1}
    assert house.reasons() == ["amount: no currency"]
    assert rows_of(house.silver("fees").select("id", "amount")) == [
        ("a", "10.500"), ("b", "0.000"), ("c", "0.000"), ("e", "1050.000"), ("f", "10.500"),
    ]  # fmt: skip


def test_a_project_declares_currencies_of_its_own(house: House) -> None:
    house.declare(PIPELINE, FEES.replace("UNIT", "minor"))
    (house.root / "conf" / "currencies.yml").write_text("GGP: 2\nQQQ: 0\n")

    house.deliver("files/fees/1.jsonl", lines(fee("a", 150, "GGP"), fee("b", 150, "qqq"), fee("c", 150, "XXQ"))).load()

    assert rows_of(house.silver("fees")) == [("a", "GGP", "1.500"), ("b", "QQQ", "150.000")]
    assert house.reasons() == ["currency: unknown currency"]


def test_a_record_that_says_a_field_twice_is_refused_and_a_replacement_character_is_text(house: House) -> None:
    house.declare(PIPELINE, FEES.replace("UNIT", "major"))
    twice = json.dumps(fee("a", "1.00"))[:-1] + ', "amount": "9.00"}\n'

    house.deliver("files/fees/1.jsonl", twice + lines(fee("caf\ufffd", "2.00"), fee("c", "1e-400"))).load()

    assert rows_of(house.silver("fees").select("id", "amount")) == [("caf\ufffd", "2.000")]
    assert house.reasons() == ["amount: not exact in decimal(18,3)", "record: a key stands twice in an object"]
