"""Currencies and their exponents (ISO 4217), with Stripe's documented special cases.

Sources: ISO 4217 list one; Stripe "Supported currencies, zero-decimal / three-decimal".
Unknown currencies are refused: nothing is ever divided by 100 by default.
"""

from __future__ import annotations

from decimal import Decimal

from ledgerlake.errors import SourceError

_TWO = (
    "AED AFN ALL AMD ANG AOA ARS AUD AWG AZN BAM BBD BDT BGN BMD BND BOB BRL BSD BWP BYN BZD"
    " CAD CDF CHF CNY COP CRC CVE CZK DKK DOP DZD EGP ETB EUR FJD FKP GBP GEL GIP GMD GTQ GYD"
    " HKD HNL HTG HUF IDR ILS INR JMD KES KGS KHR KYD KZT LAK LBP LKR LRD LSL MAD MDL MKD MMK"
    " MNT MOP MUR MVR MWK MXN MYR MZN NAD NGN NIO NOK NPR NZD PAB PEN PGK PHP PKR PLN QAR RON"
    " RSD RUB SAR SBD SCR SEK SGD SHP SLE SOS SRD STN SZL THB TJS TOP TRY TTD TWD TZS UAH USD"
    " UYU UZS WST XCD YER ZAR ZMW"
)
EXPONENTS: dict[str, int] = (
    dict.fromkeys(_TWO.split(), 2)
    | dict.fromkeys(
        [
            "BIF",
            "CLP",
            "DJF",
            "GNF",
            "ISK",
            "JPY",
            "KMF",
            "KRW",
            "PYG",
            "RWF",
            "UGX",
            "VND",
            "VUV",
            "XAF",
            "XOF",
            "XPF",
        ],
        0,
    )
    | dict.fromkeys(["BHD", "IQD", "JOD", "KWD", "LYD", "OMR", "TND"], 3)
)
"""ISO 4217 code → number of decimals of the currency's minor unit."""

STRIPE_EXPONENTS: dict[str, int] = EXPONENTS | {"ISK": 2, "UGX": 2, "MGA": 0}
"""As Stripe's API writes amounts: ISK and UGX are given as two-decimal for compatibility."""


def exponent(currency: str) -> int:
    """Return the currency's number of decimals; raise :class:`SourceError` for an unknown one."""
    try:
        return EXPONENTS[currency.upper()]
    except KeyError:
        raise SourceError(
            "unknown currency code", then="add the currency to ledgerlake.core.money with its source"
        ) from None


def from_minor_units(amount: int, currency: str, exponents: dict[str, int] | None = None) -> Decimal:
    """Return ``amount`` minor units (cents, yen, fils) as a decimal in major units."""
    table = EXPONENTS if exponents is None else exponents
    if currency.upper() not in table:
        exponent(currency)
    return Decimal(amount).scaleb(-table[currency.upper()])
