"""Names of people in the form of EMPIAR: a text like ``('Chang', 'YW')``."""

from __future__ import annotations

import re
from typing import Final

__all__ = ["initials_of", "parse_name", "parse_printed", "printed_name", "tuple_name"]

_TUPLE: Final = re.compile(r"\('([^0-9!\"£$%^&*()]+)', '([^0-9!\"£$%^&*()]+)'\)")


def initials_of(given: str) -> str:
    """Return the initials of first names.

    Examples
    --------
    >>> initials_of("Yi-Wei"), initials_of("John William"), initials_of("J. W."), initials_of("JW")
    ('YW', 'JW', 'JW', 'JW')
    """
    words = [w for w in re.split(r"[\s.\-‐‑]+", given) if w]
    if len(words) == 1 and len(words[0]) <= 4 and words[0].isupper():
        return words[0]
    return "".join(w[0].upper() for w in words if w[0].isalpha())


def tuple_name(family: str, initials: str) -> str:
    """Return a name in the form of EMPIAR.

    An apostrophe becomes the typographic one: the plain one would end the quotation.
    """
    quoted = [part.replace("'", "’") for part in (family, initials)]
    return f"('{quoted[0]}', '{quoted[1]}')"


def parse_name(value: object) -> tuple[str, str] | None:
    """Return surname and initials of a name in the form of EMPIAR; None when it has another."""
    found = _TUPLE.fullmatch(value) if isinstance(value, str) else None
    return (found[1], found[2]) if found and "', '" not in found[1] + found[2] else None


def printed_name(family: str, initials: str) -> str:
    """Return a name as author lists print it: ``Chang YW``."""
    return f"{family} {initials}"


def parse_printed(name: str) -> tuple[str, str] | None:
    """Return surname and initials of a printed name; None when they cannot be told apart.

    Examples
    --------
    >>> parse_printed("Chang YW"), parse_printed("Chang, Yi-Wei"), parse_printed("van der Berg J.")
    (('Chang', 'YW'), ('Chang', 'YW'), ('van der Berg', 'J'))
    >>> parse_printed("Yi-Wei Chang") is None
    True
    """
    family, comma, given = (part.strip() for part in name.partition(","))
    if comma:
        initials = initials_of(given)
        return (family, initials) if family and initials else None
    words = name.split()
    last: list[str] = []
    while len(words) > 1 and _is_initials(words[-1]):
        last.insert(0, re.sub(r"[.-]", "", words.pop()))
    return (" ".join(words), "".join(last)) if last else None


def _is_initials(word: str) -> bool:
    letters = re.sub(r"[.-]", "", word)
    return 0 < len(letters) <= 4 and letters.isalpha() and letters.isupper()
