"""Currencies and their exponents (ISO 4217), with Stripe's documented special cases.

Sources: ISO 4217 list one; Stripe "Supported currencies, zero-decimal / three-decimal".
Unknown currencies are refused: nothing is ever divided by 100 by default.
"""

from __future__ import annotations

from decimal import Decimal

from ledgerlake.errors import SourceError

_TWO = (
    "AED AFN ALL AMD ANG AOA ARS AUD AWG AZN BAM BBD BDT BGN BMD BND BOB BOV BRL BSD BTN BWP BYN"
    " BZD CAD CDF CHE CHF CHW CNY COP COU CRC CUP CVE CZK DKK DOP DZD EGP ERN ETB EUR FJD FKP GBP"
    " GEL GHS GIP GMD GTQ GYD HKD HNL HTG HUF IDR ILS INR IRR JMD KES KGS KHR KPW KYD KZT LAK LBP"
    " LKR LRD LSL MAD MDL MGA MKD MMK MNT MOP MRU MUR MVR MWK MXN MXV MYR MZN NAD NGN NIO NOK NPR"
    " NZD PAB PEN PGK PHP PKR PLN QAR RON RSD RUB SAR SBD SCR SDG SEK SGD SHP SLE SOS SRD SSP STN"
    " SVC SYP SZL THB TJS TMT TOP TRY TTD TWD TZS UAH USD USN UYU UZS VED VES WST XAD XCD XCG YER"
    " ZAR ZMW ZWG"
)
CURRENCY_DIGITS = (0, 2, 3, 4)
"""How many decimals a currency's minor unit can have."""
_NONE = "BIF CLP DJF GNF ISK JPY KMF KRW PYG RWF UGX UYI VND VUV XAF XOF XPF"
_THREE = "BHD IQD JOD KWD LYD OMR TND"
_FOUR = "CLF UYW"
EXPONENTS: dict[str, int] = {
    code: digits for digits, codes in ((2, _TWO), (0, _NONE), (3, _THREE), (4, _FOUR)) for code in codes.split()
}
"""ISO 4217 code → number of decimals of the currency's minor unit; a project adds others in ``conf/currencies.yml``."""

STRIPE_EXPONENTS: dict[str, int] = EXPONENTS | {"ISK": 2, "UGX": 2, "MGA": 0}
"""As Stripe's API writes amounts: ISK and UGX are given as two-decimal for compatibility."""


def exponent(currency: str) -> int:
    """Return the currency's number of decimals; raise :class:`SourceError` for an unknown one."""
    try:
        return EXPONENTS[currency.upper()]
    except KeyError:
        raise SourceError(
            "unknown currency code", then="declare its decimals in conf/currencies.yml (`GGP: 2`)"
        ) from None


def from_minor_units(amount: int, currency: str, exponents: dict[str, int] | None = None) -> Decimal:
    """Return ``amount`` minor units (cents, yen, fils) as a decimal in major units."""
    table = EXPONENTS if exponents is None else exponents
    if currency.upper() not in table:
        exponent(currency)
    return Decimal(amount).scaleb(-table[currency.upper()])
