"""Numbers in prose, each with the unit behind it; numbers of citations and catalogues are left out."""
# ruff: noqa: E501  a pattern is read in one piece

from __future__ import annotations

import re
from dataclasses import dataclass

from clemkit.metadata.protocols.text.numbers import MINUS, SIGNED, WORD_NUMBER, number_of
from clemkit.metadata.protocols.text.unit_words import unit_of, unit_pattern

__all__ = ["Token", "number_tokens"]


@dataclass(frozen=True, slots=True)
class Token:
    """A number; ``end_number`` is its end, ``end`` that of its unit."""

    start: int
    end_number: int
    end: int
    value: float
    unit: tuple[str, str] | None
    confidence: float = 0.95


_NOT_NUMBERS = re.compile(
    r"""
    https?://\S+ | www\.\S+ | \b10\.\d{4,9}/\S+ | [\w.+-]+@[\w-]+\.\w+ | RRID:\s?\S+
    | !\[[^\]]*\]\([^)]*\)
    | \bR\s?\d(?:\.\d)?\s?/\s?\d+(?:\.\d)?(?=[\s,;)])
    | (?:\b(?:[Ff]igs?|[Ff]igures?|[Tt]ables?|[Ss]uppl\w*|Section(?=\s\d+(?:\.\d+)*\b(?!\s?[-–.]?\s?\d*\s?(?:nm|[µμu]m)))|[Ee]q|[Rr]efs?|[Pp]anels?
        |[Nn]os?|[Cc]at(?:alog(?:ue)?)?|[Ll]ot|[Oo]rder|[Pp]roduct|[Ii]tem|[Pp]art|[Ss]teps?|Schritte?|[Vv]ersion|[Vv]ol(?=\.\s\d+,)|[Cc]hapter)
        (?:\s?(?:no|nr|number|num|\#))?[.:]?\s?\#?\s?)[A-Z]{0,4}-?\d[\w.-]*(?:\s?(?:-|–|,|and|&)\s?\d+\w*\b(?!\s?[%°µμnmh]))*
    | \#\s?[A-Z]{0,4}-?\d[\w-]* | \[\s?\d+(?:\s?[-–,]\s?\d+)*\s?\]
    | \bet\sal\.?,?\s?\(?\d{4}[a-z]? | \([^()]{0,60}?\b(?:19|20)\d{2}[a-z]?\b[^()]{0,30}\)(?<!%\))(?<!h\))
    | \b(?:19|20)\d{2}s\b | \b\d{4}-\d{2}-\d{2}\b | \b[0-3]?\d[./][01]?\d[./](?:19|20)\d{2}\b
    | \b\d{2,7}-\d{2}-\d\b
    """,
    re.X,
)
_NUMBER = re.compile(
    rf"(?<![A-WYZa-wyzµμ_\d])(?<![A-Za-z][xX])(?<![A-Za-z][-]\d)(?<!\d[.,·])(?:{SIGNED})|\b{WORD_NUMBER}\b(?:\sand\sa\shalf\b)?",
    re.I,
)
_MINUTES = re.compile(r"\s?(?:['′`´’‘ʹ])(?![\w'′’-])(?!\s?,\s?\d+['′’]-)")
_SECONDS_MARK = re.compile(r"\s?(?:\"|″|”|''|′′|’’|``)(?!\w)(?!\s?Hg)")
_UNIT = re.compile(rf"(?:[ \t\u00a0\u2009\u202f]{{0,2}}-?|\n[ \t]*)({unit_pattern()})")
# the sign of a number whose unit comes later: -90 to -20 °C
_COLD_LATER = re.compile(
    rf"(?:\s*(?:,|/|to|and|or|bis|[{MINUS}])?\s*[{MINUS}+]?\s?\d+(?:[.,]\d+)?){{0,6}}\s{{0,2}}{unit_pattern('temperature')}"
)


_ANGLE = re.compile(
    r"(?:diatome|knife|angle|tilt\w*|rotat\w*|ultra|cryo|diamond)\W{0,3}(?:of\s)?\0|\0\s(?:\w+\s)?angle|\0\s?(?:(?:ultra|histo|cryo|trim)\s)?(?:angle|diamond|knife|tilt|wedge|clearance)",
    re.I,
)


def number_tokens(text: str) -> list[Token]:
    """Return the numbers of *text* with their units."""
    masked = [(m.start(), m.end()) for m in _NOT_NUMBERS.finditer(text)]
    tokens: list[Token] = []
    mask = 0
    for found in _NUMBER.finditer(text):
        while mask < len(masked) and masked[mask][1] <= found.start():
            mask += 1
        if (
            mask < len(masked)
            and masked[mask][0] <= found.start()
            and _is_bare(text, found, masked[mask])
        ):
            continue
        token = _token(text, found.start(), found.end(), found[0])
        if token is not None:
            tokens.append(token)
    return tokens


def _is_bare(text: str, found: re.Match[str], zone: tuple[int, int]) -> bool:
    """Whether a number of a citation is not, after all, a quantity in the same parentheses."""
    if text[zone[0]] != "(":
        return True
    unit = _UNIT.match(text, found.end())
    year = re.fullmatch(r"(?:19|20)\d{2}", found[0].strip())
    return unit is None or (year is not None and len(unit[1]) < 2)


def _token(text: str, start: int, end: int, words: str) -> Token | None:
    if words[0].isdigit() and _inside_name(text, start, end):
        return None
    if words.lower().endswith(" and a half"):
        value = number_of(words[: -len(" and a half")]) + 0.5
    else:
        value = number_of(words)
    unit, stop = _unit(text, start, end, value)
    if words[0] in MINUS or words[0] == "+":
        cold = unit[1] == "temperature" if unit else bool(_COLD_LATER.match(text, end))
        if not cold or re.search(r"[\d%°C/]\s?\Z", text[max(0, start - 3) : start]):
            # a hyphen, not a sign
            inner = re.search(r"[\d.½¼¾⅓⅔]", words)
            assert inner is not None  # a number has a digit
            start, value = start + inner.start(), abs(value)
    return Token(start, end, stop, value, unit)


def _inside_name(text: str, start: int, end: int) -> bool:
    """Whether the digits belong to a name: Hard-Plus 812, X-100, 3,3'-diaminobenzidine, H-12."""
    before, behind = text[max(0, start - 12) : start], text[end : end + 3]
    if re.search(r"\b(?:Tween|Triton|Brij)[\s-]\Z", before, re.I):
        return True
    if re.search(r"[A-Za-z]-\Z", before) and not re.match(r"\s?(?:%|°)", behind):
        return not re.search(r"(?:to|and|or|for|ca|min|h|for-)-\Z", before)
    if re.match(r"['′’]?-[A-Za-z]{4}", text[end : end + 6]) and re.search(
        r",\Z|\d\Z", before + text[start:end]
    ):
        return bool(re.match(r"['′’]-[A-Za-z]", behind)) or (
            "," in text[start:end] and not _UNIT.match(text, end)
        )
    return bool(re.match(r"['′’]-|,\d?['′’]", behind))


def _unit(text: str, start: int, end: int, value: float) -> tuple[tuple[str, str] | None, int]:
    found = _SECONDS_MARK.match(text, end)
    if found and value <= 120 and not _closes_quotation(text, start, found[0]):
        return ("s", "duration"), found.end()
    if (found := _MINUTES.match(text, end)) and not _closes_quotation(text, start, found[0]):
        return ("min", "duration"), found.end()
    found = _UNIT.match(text, end)
    if not found:
        return None, end
    word = unit_of(found[1])
    if word is None:
        return None, end
    if found[1].strip() in ("°", "º", "˚") and _ANGLE.search(
        text[max(0, start - 24) : start] + "\0" + text[found.end() : found.end() + 26]
    ):
        return ("deg", "angle"), found.end()
    if "\n" in found[0] and len(found[1].strip()) < 2 and found[1] != "%":
        return None, end
    stop = found.end()
    if word.unit == "M" and value > 60:
        return None, end  # a model, not a solution
    if (
        word.unit in ("s", "d")
        and found[0] in ("s", "d")
        and (value >= 1900 or (value == int(value) % 10 == 0 and value > 150))
    ):
        return None, end  # the 1980s
    if (
        word.unit == "degC"
        and found[1].strip() == "C"
        and re.search(r"(?i)(?:fig|panel|type|grade)\w*\.?\s\Z", text[max(0, start - 8) : start])
    ):
        return None, end
    return (word.unit, word.kind), stop


def _closes_quotation(text: str, start: int, mark: str) -> bool:
    sign = mark.strip()
    before = text[max(0, start - 60) : start].rpartition("\n")[2]
    if sign in ("’", "'", "‘"):
        opened = len(re.findall(r"(?<!\w)['‘](?=\w)", before))
        return opened > len(re.findall(r"(?<=[A-Za-z])['’](?!\w)", before))
    if sign == '"':
        return len(re.findall(r'(?<!\d)"', before)) % 2 == 1
    return sign == "”" and "“" in before and "”" not in before.rpartition("“")[2]
