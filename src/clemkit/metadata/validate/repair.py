"""Repairs that lose nothing: addresses for identifiers, spellings of licences, letter case.

A repair replaces one value on its own line, keeps everything else of the file, and is made only
where the new value is the only one that can be meant.
"""

from __future__ import annotations

import difflib
import re
from collections.abc import Callable, Mapping
from typing import Any, Final

from clemkit.errors import Problem
from clemkit.metadata.load import Document
from clemkit.metadata.model_map import model_map
from clemkit.metadata.validate.check_digits import CHECK_DIGITS

__all__ = ["diff", "repaired", "repaired_value"]

_REPAIRED_RULES = ("L1-pattern", "L1-value")


def _orcid(value: str) -> str:
    digits = re.sub(r"^(https?://)?(www[.])?orcid[.]org/", "", value.strip(), flags=re.IGNORECASE)
    digits = re.sub(r"[\s-]", "", digits).upper()
    return "-".join(digits[i : i + 4] for i in range(0, 16, 4)) if len(digits) == 16 else value


def _ror(value: str) -> str:
    return re.sub(r"^(https?://)?ror[.]org/", "", value.strip().lower())


def _doi(value: str) -> str:
    text = re.sub(
        r"^(doi:\s*)?(https?://(dx[.])?doi[.]org/)?", "", value.strip(), flags=re.IGNORECASE
    )
    return text.rstrip(".")


def _pubmed(value: str) -> str:
    return re.sub(r"^(pmid:?\s*|https?://pubmed[.]ncbi[.]nlm[.]nih[.]gov/)|/$", "", value.lower())


def _taxon(value: str) -> str:
    found = re.fullmatch(
        r"(?:NCBI:?txid|NCBITaxon[_:]|taxon:|txid)?([1-9][0-9]*)", value, re.IGNORECASE
    )
    return f"NCBITaxon:{found[1]}" if found else value


def _rrid(value: str) -> str:
    return f"RRID:{value}" if re.fullmatch(r"[A-Za-z]+_[A-Za-z0-9_:-]+", value) else value


_OF_SLOT: Final[Mapping[str, Callable[[str], str]]] = {
    "orcid": _orcid,
    "ror": _ror,
    "doi": _doi,
    "pubmed_id": _pubmed,
    "taxon_id": _taxon,
    "rrid": _rrid,
}


def repaired_value(slot_name: str, value: str) -> str | None:
    """Return what *value* can only mean in a field; None when that cannot be told.

    Parameters
    ----------
    slot_name : str
        Field of the model.
    value : str
        What is there.
    """
    slot = model_map()["slots"][slot_name]
    if slot["kind"] == "enum":
        names = model_map()["enums"][slot["range"]]["values"]
        found = [name for name in names if _letters(name) == _letters(value)]
        return found[0] if len(found) == 1 and found[0] != value else None
    new = _OF_SLOT.get(slot_name, str)(value)
    if new == value or not re.search(slot.get("pattern") or "", new):
        return None
    check = CHECK_DIGITS.get(slot_name)
    return None if check and check(new) else new


def _letters(text: str) -> str:
    return re.sub(r"[^a-z0-9.]", "", text.lower())


def repaired(document: Document, text: str, problems: tuple[Problem, ...]) -> str:
    """Return the *text* of a description with what can be repaired without loss.

    Parameters
    ----------
    document : Document
        The description in *text*.
    text : str
        Content of its file.
    problems : tuple of Problem
        What the validation found.
    """
    lines = text.splitlines(keepends=True)
    for problem in problems:
        slot = next((p for p in reversed(problem.location) if isinstance(p, str)), "")
        value = _value_at(document.data, problem.location)
        if problem.rule == "L1-type" and slot == "taxon_id" and type(value) is int:
            value = str(value)  # the number alone
        elif problem.rule not in _REPAIRED_RULES or not isinstance(value, str):
            continue
        new = repaired_value(slot, value)
        number = document.line_of(problem.location) - 1
        if new is not None and lines[number].count(value) == 1:
            lines[number] = lines[number].replace(value, new)
    return "".join(lines)


def _value_at(data: Any, location: tuple[str | int, ...]) -> Any:
    try:
        for part in location:
            data = data[part]
    except (KeyError, IndexError, TypeError):
        return None
    return data


def diff(before: str, after: str, name: str) -> str:
    """Return the difference of two texts as a unified diff; empty when there is none."""
    lines = difflib.unified_diff(
        before.splitlines(keepends=True), after.splitlines(keepends=True), name, name, n=0
    )
    return "".join(line if line.endswith("\n") else line + "\n" for line in lines)
