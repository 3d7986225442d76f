"""Words that stand for quantities: room temperature, on ice, overnight, half an hour, twice.

What such a word means is an interpretation and marked as one; the figures are conventions.
"""
# ruff: noqa: E501  a pattern is read in one piece

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

__all__ = ["Phrase", "find_phrases"]


@dataclass(frozen=True, slots=True)
class Phrase:
    """A word that stands for a quantity."""

    start: int
    end: int
    kind: str
    unit: str
    value: float | None
    minimum: float | None
    maximum: float | None
    interpreted: bool
    rule: str
    confidence: float


# pattern, kind, unit, value or (low, high), interpreted, rule, confidence
_TABLE: Final = (
    (r"(?i:\broom[-\s]?temp(?:erature|\b\.?))(?:\s?\((?:RT|r\.t\.)\))?", "temperature", "degC",
     (20.0, 25.0), True, "room-temperature", 0.9),
    (r"(?i:\bambient\s(?:temperature|conditions)|\braumtemperatur\b|\bzimmertemperatur\b)(?:\s?\(RT\))?",
     "temperature", "degC", (20.0, 25.0), True, "room-temperature", 0.9),
    (r"\bRT\b(?!-?\s?(?:PCR|qPCR|[A-Z]?\d{4,}))(?<!-RT)|\b[rR]\.\s?[tT]\.(?!\w)|(?<=[ (,@])r/t\b|(?<=[ (,@])rt\b",
     "temperature", "degC", (20.0, 25.0), True, "room-temperature", 0.85),
    (r"(?i:\bon\s(?:wet\s)?ice\b(?!\s?crystal)|\bauf\seis\b|\bin\san?\sice\sbath\b|(?<=[,;]\s)(?:ice|Eis)(?=\s*(?:->|→|[,;.)|]|\Z|\n)))", "temperature", "degC",
     (0.0, 4.0), True, "on-ice", 0.85),
    (r"(?i:\bice[-\s]?cold\b|\bchilled\son\sice\b)", "temperature", "degC", (0.0, 4.0), True, "ice-cold", 0.7),
    (r"(?i:\bliquid\s(?:nitrogen|N2)\stemperature\b)", "temperature", "degC", -196.0, True, "liquid-nitrogen-temperature", 0.9),
    (r"(?i:\bover\s?-?night\b|(?<![\w/])o\s?/\s?n(?![\w/])|\bo\.\s?n\.(?!\w)|\büber\snacht\b|\bü\.\s?N\.)"
     r"|\bON\b(?!\s?/\s?OFF|[-/]|\s(?:and|OFF|time|switch))(?<!/ON)(?<!-ON)", "duration", "h",
     (12.0, 18.0), True, "overnight", 0.85),
    (r"(?i:\bover\s(?:the\s)?week-?end\b|\bübers?\s(?:das\s)?wochenende\b)", "duration", "h",
     (48.0, 72.0), True, "over-the-weekend", 0.8),
    (r"(?i:\b(?:for\s)?half\san?\shour\b)", "duration", "h", 0.5, False, "words", 0.95),
    (r"(?i:\b(?:a|one)\squarter\sof\san\shour\b)", "duration", "h", 0.25, False, "words", 0.95),
    (r"(?i:\bhalf\sa\sday\b)", "duration", "d", 0.5, False, "words", 0.9),
    (r"(?i:\b(?:one|an?)\sand\sa\shalf\shours?\b|\ban?\shour\sand\sa\shalf\b)", "duration", "h", 1.5, False, "words", 0.95),
    (r"(?i:\ban\shour\b)", "duration", "h", 1.0, False, "words", 0.95),
    (r"(?i:\ba\sminute\b)", "duration", "min", 1.0, False, "words", 0.9),
    (r"(?i:(?<!once )(?<!twice )(?<!times )\ba\sday\b(?!\s(?:before|after|later|prior)))", "duration", "d", 1.0, False, "words", 0.8),
    (r"(?i:(?<!once )(?<!twice )(?<!times )\ba\sweek\b(?!\s(?:before|after|later|prior)))", "duration", "wk", 1.0, False, "words", 0.8),
    (r"(?i:\ba\scouple\s(?:of\s)?hours\b)", "duration", "h", 2.0, True, "couple", 0.6),
    (r"(?i:\ba\scouple\s(?:of\s)?days\b)", "duration", "d", 2.0, True, "couple", 0.6),
    (r"(?i:\ba\scouple\s(?:of\s)?minutes\b)", "duration", "min", 2.0, True, "couple", 0.6),
    (r"(?i:\btwice\b(?!\s(?:a|per|daily|as)\b|\sthe\s(?:volume|size|amount|concentration|weight))|\bzweimal\b)", "count", "count", 2.0, False, "times", 0.95),
    (r"(?i:\bthrice\b|\bdreimal\b)", "count", "count", 3.0, False, "times", 0.95),
)  # fmt: skip
_COMPILED = tuple((re.compile(row[0]), row[1:]) for row in _TABLE)


def find_phrases(text: str) -> Iterator[Phrase]:
    """Yield the words of *text* that stand for quantities."""
    for pattern, (kind, unit, value, interpreted, rule, confidence) in _COMPILED:
        for found in pattern.finditer(text):
            low, high = value if isinstance(value, tuple) else (None, None)
            single = None if isinstance(value, tuple) else float(value)
            start = found.start() + 4 if found[0].lower().startswith("for ") else found.start()
            yield Phrase(
                start, found.end(), kind, unit, single, low, high, interpreted, rule, confidence
            )
