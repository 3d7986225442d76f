"""The names that protocols use, as `ontology/lexicon` has them: plain data, loaded once."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from functools import cache
from typing import Any

from clemkit.metadata.model_map import GENERATED
from clemkit.metadata.protocols.forms import Form, FormTable

__all__ = ["form_table", "lexicon", "row_named"]

_INORGANIC = ("H2O", "H2O2")
_TABLES = {
    "material": ("materials", "solutions"),
    "instrument": ("instruments",),
    "process": ("processes",),
}


@cache
def lexicon() -> Mapping[str, Sequence[Mapping[str, Any]]]:
    """Return the tables: materials, solutions, ambiguous, guards, instruments and so on."""
    content: dict[str, Any] = json.loads((GENERATED / "lexicon.json").read_text(encoding="utf-8"))
    return content


@cache
def _rows(subject: str) -> Mapping[str, Mapping[str, Any]]:
    found = {}
    for table in _TABLES[subject]:
        for row in lexicon()[table]:
            found[row["name"]] = row
    return found


def row_named(subject: str, name: str) -> Mapping[str, Any]:
    """Return the row of a canonical name; *subject* is material, instrument or process."""
    return _rows(subject)[name]


@cache
def form_table(subject: str) -> FormTable:
    """Return all spellings of materials, instruments or processes, ready for search."""
    guards: Mapping[str, Mapping[str, Any]] = (
        {row["form"]: row for row in lexicon()["guards"]} if subject == "material" else {}
    )
    forms: dict[tuple[str, bool], Form] = {}

    def add(text: str, owner: str, case: bool, scanned: bool = True) -> None:
        guard = guards.get(text, {})
        forms.setdefault(
            (text if case else text.lower(), case),
            Form(
                text=text,
                owner=owner,
                case=case,
                scanned=scanned,
                not_before=tuple(w.strip().lower() for w in guard.get("not_before", ())),
                not_after=tuple(w.strip().lower() for w in guard.get("not_after", ())),
            ),
        )

    for row in _rows(subject).values():
        for text in (row["name"], *row.get("names", ())):
            plain = text.removeprefix("~")
            add(plain, row["name"], _is_abbreviation(plain), plain == text)
            if row.get("role") == "resin" and not plain.endswith("resin"):
                add(f"{plain} resin", row["name"], False)
        for text in row.get("abbreviations", ()):
            add(text, row["name"], True)
        if _is_telling(row.get("formula", "")):
            add(row["formula"], row["name"], True)
    if subject == "material":
        for row in lexicon()["ambiguous"]:
            add(row["form"], f"?{row['form']}", row["case"] == "exact", row["scan"] == "yes")
    return FormTable(forms.values())


def _is_abbreviation(text: str) -> bool:
    return len(text) <= 4 and text == text.upper()


def _is_telling(formula: str) -> bool:
    """Whether a formula names one substance: not one element, and not C, H, O of an isomer."""
    elements = set(re.findall(r"[A-Z][a-z]?", formula))
    several = len(elements) > 1 and not elements <= {"C", "H", "N", "O", "S"}
    return several or formula in _INORGANIC
