"""Numbers as protocols write them: decimal commas, thousands, fractions, words."""

from __future__ import annotations

import re
from typing import Final

__all__ = ["MINUS", "NUMBER", "SIGNED", "WORD_NUMBER", "number_of"]

MINUS: Final = "-−–‐‑‒—﹣－"
_FRACTIONS: Final = {"½": 0.5, "¼": 0.25, "¾": 0.75, "⅓": 1 / 3, "⅔": 2 / 3}
_WORDS: Final = {
    "half": 0.5, "a": 1.0, "an": 1.0, "one": 1.0, "two": 2.0, "three": 3.0, "four": 4.0,
    "five": 5.0, "six": 6.0, "seven": 7.0, "eight": 8.0, "nine": 9.0, "ten": 10.0, "eleven": 11.0,
    "twelve": 12.0, "fifteen": 15.0, "sixteen": 16.0, "eighteen": 18.0, "twenty": 20.0,
    "twenty-four": 24.0, "thirty": 30.0, "forty": 40.0, "forty-five": 45.0, "forty-eight": 48.0,
    "fifty": 50.0, "sixty": 60.0, "seventy-two": 72.0, "ninety": 90.0,
    "ein": 1.0, "eine": 1.0, "einer": 1.0, "zwei": 2.0, "drei": 3.0, "vier": 4.0, "fünf": 5.0,
    "zehn": 10.0, "zwanzig": 20.0, "dreißig": 30.0,
}  # fmt: skip

# 1,000 and 1 000 and 1'000 before decimals; a bare fraction such as 1/2; 1½
NUMBER: Final = (
    r"(?:\d{1,3}(?:[\u202f\u00a0' ]\d{3})+(?![\d,.]?\d)"
    r"|\d+(?:[.,·]\d+)?[½¼¾⅓⅔]?|[½¼¾⅓⅔]|(?<![\d\w])[.]\d+)"
)
SIGNED: Final = rf"(?:(?<![\w)%°])(?:[{MINUS}+]|minus\s)\s?)?{NUMBER}"
WORD_NUMBER: Final = (
    r"(?:" + "|".join(sorted((w for w in _WORDS if len(w) > 2), key=len, reverse=True)) + r")"
)


def number_of(text: str) -> float:
    """Return the number that *text* writes.

    A comma before exactly three digits separates thousands (``1,000``), unless a zero stands
    before it (``0,125``); any other comma is a decimal comma (``2,5``).
    """
    plain = text.strip().lower()
    if plain in _WORDS:
        return _WORDS[plain]
    sign = 1.0
    if plain.startswith("minus"):
        sign, plain = -1.0, plain[5:].strip()
    elif plain[0] in MINUS:
        sign, plain = -1.0, plain[1:].strip()
    elif plain[0] == "+":
        plain = plain[1:].strip()
    extra = 0.0
    if plain[-1] in _FRACTIONS:
        extra, plain = _FRACTIONS[plain[-1]], plain[:-1]
    if not plain:
        return sign * extra
    plain = re.sub(r"[\u202f\u00a0' ]", "", plain).replace("·", ".")
    if re.fullmatch(r"[1-9]\d{0,2},\d{3}", plain):
        plain = plain.replace(",", "")
    return sign * (float(plain.replace(",", ".")) + extra)
