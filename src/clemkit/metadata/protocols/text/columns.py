"""Tables: what a column holds by its header, and bare numbers with the unit of their column."""
# ruff: noqa: E501  a pattern is read in one piece

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from clemkit.metadata.protocols.text.numbers import NUMBER, number_of
from clemkit.metadata.protocols.text.quantities import FoundQuantity
from clemkit.metadata.protocols.text.segments import Segment, trimmed
from clemkit.metadata.protocols.text.unit_words import unit_of

__all__ = ["Column", "cells_of", "column_quantities", "columns_of", "label_of"]


@dataclass(frozen=True, slots=True)
class Column:
    """What a column holds: ``kind`` of quantity or ``label``, ``words``; unit where one is known."""

    kind: str
    unit: str | None = None
    is_default: bool = False


# header words in English and German, kind, unit where the header names none
_HEADERS = (
    (r"#|no\.?|nr\.?|number|step\s?(?:no\.?|nr\.?|number|#)|schritt\s?(?:nr\.?)?|lfd\.?\s?nr\.?|order", "label", None),
    (r"(?:incubation\s?)?time|duration|period|dauer|zeit|einwirkzeit|incubation", "duration", None),
    (r"temp\.?(?:erature)?|t|temperatur", "temperature", "degC"),
    (r"repeats?|repetitions?|changes?|times|cycles|wiederholung(?:en)?|anzahl|wechsel|n|[x×]", "count", "count"),
    (r"conc\.?|concentrations?|konz\.?|konzentration|percentage|gehalt", "concentration", None),
    (r"power|watt(?:age|s)?|leistung", "power", "W"),
    (r"volume|vol\.?|volumen", "volume", None),
    (r"pressure|druck|vacuum|vakuum", "pressure", None),
    (r"rate|slope|ramp", "ramp", None),
    (r"step|action|procedure|process|treatment|schritt|vorgang|arbeitsschritt|what", "words", None),
    (r"reagents?|solutions?|chemicals?|medium|media|fluid|lösung|reagenz(?:ien)?|substanz|chemikalie", "words", None),
    (r"notes?|comments?|remarks?|bemerkung(?:en)?|anmerkung(?:en)?|kommentar|hinweise?|safety", "words", None),
    (r"from|start|von", "temperature", "degC"),
    (r"to|end|bis", "temperature", "degC"),
)  # fmt: skip
_UNIT = re.compile(r"[\[(/,]\s*(?:in\s)?([^\])]+?)\s*[\])]?\s*\Z|\bin\s(\S+)\s*\Z")
_BARE = re.compile(rf"({NUMBER})(?:\s?(?:[-–]|to|bis)\s?({NUMBER}))?")


def cells_of(text: str, segment: Segment) -> list[tuple[int, int]]:
    """Return the offsets of the cells of a row, without white space at their ends."""
    start, end = segment.start, segment.end
    piece = text[start:end]
    sign = "\t" if "\t" in piece and "|" not in piece else "|"
    if sign == "|":
        start += len(piece) - len(piece.lstrip("|"))
        end -= len(piece) - len(piece.rstrip("|"))
    cells, at = [], start
    for cell in text[start:end].split(sign):
        cells.append(trimmed(text, at, at + len(cell)))
        at += len(cell) + 1
    return cells


def columns_of(text: str, segment: Segment) -> list[Column] | None:
    """Return what the columns hold, if a row is a header: two cells that are known words."""
    columns = [_column(text[a:b]) for a, b in cells_of(text, segment)]
    known = [c for c in columns if c is not None]
    if len(known) < 2 or len(known) < len([1 for a, b in cells_of(text, segment) if b > a]) / 2:
        return None
    return [c or Column("words") for c in columns]


def column_quantities(
    text: str, segment: Segment, columns: Sequence[Column], found: Sequence[FoundQuantity]
) -> Iterator[FoundQuantity]:
    """Yield the bare numbers of a row whose unit is that of their column."""
    for column, (start, end) in zip(columns, cells_of(text, segment), strict=False):
        if column.unit is None or column.kind in ("words", "label"):
            continue
        match = _BARE.fullmatch(text[start:end])
        if match is None or any(q.start < end and start < q.end for q in found):
            continue
        low = number_of(match[1])
        if column.kind == "count" and low == 1 and not match[2]:
            continue  # done once is no number of repeats
        high = number_of(match[2]) if match[2] else None
        yield FoundQuantity(
            start=start, end=end, verbatim=text[start:end], kind=column.kind, unit=column.unit,
            value=low if high is None else None, minimum=low if high is not None else None,
            maximum=high, interpreted=column.is_default, rule="column",
            confidence=0.7 if column.is_default else 0.9,
        )  # fmt: skip


def label_of(text: str, segment: Segment, columns: Sequence[Column]) -> str:
    """Return the number of the step, where a column holds it."""
    for column, (start, end) in zip(columns, cells_of(text, segment), strict=False):
        if column.kind == "label" and re.fullmatch(r"\w{1,6}[.)]?", text[start:end]):
            return text[start:end].rstrip(".)")
    return ""


def _column(header: str) -> Column | None:
    plain = re.sub(r"[*_`]", "", header).strip()
    named = _UNIT.search(plain)
    unit = unit_of((named[1] or named[2]).strip()) if named else None
    words = plain[: named.start()].strip() if named else plain
    for pattern, kind, default in _HEADERS:
        if re.fullmatch(pattern, words, re.IGNORECASE):
            if unit is not None and unit.kind == kind:
                return Column(kind, unit.unit)
            return Column(kind, default, kind == "temperature")
    if (own := unit_of(plain)) is not None and plain:
        return Column(own.kind, own.unit)
    return None
