"""Check digits of identifiers: ORCID (ISO 7064 MOD 11-2), ROR (MOD 97-10), CAS."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Final

__all__ = ["CHECK_DIGITS", "cas_check_digit", "orcid_check_digit", "ror_check_digits"]

_CROCKFORD = "0123456789abcdefghjkmnpqrstvwxyz"


def orcid_check_digit(digits: str) -> str:
    """Return the last character of an ORCID iD from its first fifteen digits."""
    total = 0
    for digit in digits:
        total = (total + int(digit)) * 2
    result = (12 - total % 11) % 11
    return "X" if result == 10 else str(result)


def ror_check_digits(body: str) -> str:
    """Return the two last digits of a ROR identifier from its six characters after the 0."""
    number = 0
    for character in body:
        number = number * 32 + _CROCKFORD.index(character)
    return f"{98 - (number * 100) % 97:02d}"


def cas_check_digit(digits: str) -> str:
    """Return the last digit of a CAS number from the digits before it."""
    return str(sum(i * int(d) for i, d in enumerate(reversed(digits), 1)) % 10)


def _orcid(value: str) -> str:
    wanted = orcid_check_digit(value.replace("-", "")[:15])
    found = value[-1]
    return "" if wanted == found else f"expected check digit {wanted}; found {value!r}"


def _ror(value: str) -> str:
    body = value[1:7]
    if any(c not in _CROCKFORD for c in body):
        return f"expected no i, l, o, u; found {value!r}"
    wanted = ror_check_digits(body)
    return "" if wanted == value[7:] else f"expected check digits {wanted}; found {value!r}"


def _cas(value: str) -> str:
    wanted = cas_check_digit(value.replace("-", "")[:-1])
    return "" if wanted == value[-1] else f"expected check digit {wanted}; found {value!r}"


CHECK_DIGITS: Final[Mapping[str, Callable[[str], str]]] = {
    "orcid": _orcid,
    "ror": _ror,
    "cas_number": _cas,
}
