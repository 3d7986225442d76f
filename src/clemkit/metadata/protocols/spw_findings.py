"""What is said about a document of the widget that could not be read or written field by field."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from functools import partial
from typing import Any

from clemkit.errors import Problem
from clemkit.metadata.protocols.spw_differences import Difference
from clemkit.metadata.protocols.spw_steps import Remark

__all__ = ["kept_problems", "remark_problem", "silent_problem", "stale_problem"]

Location = tuple[str | int, ...]


def kept_problems(changes: Sequence[Difference], where: Location) -> Iterator[Problem]:
    """Yield a finding for each value that only a difference holds; spellings are none."""
    for change in changes:
        if change["at"] in ([], ["ordernumber"], ["method"]):
            continue
        yield from map(partial(_kept_problem, where), _unsaid(change))


def _unsaid(change: Difference) -> Iterator[tuple[str, Any]]:
    place = "/".join(map(str, change["at"]))
    was, now = change.get("was"), change.get("is")
    if "is" not in change or now in (None, "", [], {}):
        return
    if "was" not in change or (isinstance(was, dict) and not was):
        yield place, now
    elif isinstance(was, dict) and isinstance(now, dict):
        spelt = {"starttemperature", "endtemperature"} if "starttemperature" in now else set()
        for key in sorted(set(now) - set(was) - spelt):
            yield f"{place}/{key}", now[key]
    elif isinstance(now, list | dict) or (isinstance(was, str) and isinstance(now, str)):
        yield place, now


def _kept_problem(where: Location, found: tuple[str, Any]) -> Problem:
    place, value = found
    shown = json.dumps(value, ensure_ascii=False)
    shown = shown if len(shown) <= 80 else f"{shown[:77]}…"
    message = f"{place}: no field of the model, or no value with its unit: {shown}"
    hint = "kept, and written back to SPW; say it in the step if it matters"
    return Problem(where, "spw-kept", "warning", message, hint)


def remark_problem(remark: Remark, where: Location) -> Problem:
    """Return what happened to one value on its way into the form."""
    said = {
        "spw-converted": "the form has no such unit; written",
        "spw-named": "the widget lists it by another name; written",
        "spw-in-notes": "the form has no field for it; written in the notes:",
        "spw-out-of-date": "a value has changed since it was read;",
    }[remark.rule]
    place = (*where, *(remark.slot.split("/") if remark.slot else ()))
    return Problem(place, remark.rule, "warning", f"{said} {remark.words}")


def silent_problem(words: str, steps: Sequence[int], place: int) -> Problem:
    """Return what the form has no place for at all, once for all the steps that have it."""
    listed = ", ".join(map(str, steps[:12])) + (", …" if len(steps) > 12 else "")
    message = f"SPW has no place for {words} (steps {listed})"
    hint = "they stay in the description"
    return Problem(("protocols", place, "steps"), "spw-not-said", "warning", message, hint)


def stale_problem(change: Difference, where: Location) -> Problem:
    """Return that a difference no longer fits what it was found against."""
    shown = json.dumps(change.get("is"), ensure_ascii=False)
    words = f"the document that was read had {shown}"
    return remark_problem(Remark("spw-out-of-date", "/".join(map(str, change["at"])), words), where)
