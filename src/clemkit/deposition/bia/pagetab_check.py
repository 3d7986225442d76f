"""Checking and repairing PageTab submissions of the BioImage Archive."""

from __future__ import annotations

import copy
from collections.abc import Mapping, Sequence
from typing import Any

from clemkit.deposition.bia.pagetab_references import check_sections
from clemkit.deposition.bia.pagetab_rules import Edit, Finding
from clemkit.deposition.bia.pagetab_values import check_values

__all__ = ["check_pagetab", "edited", "repaired_pagetab"]

# a repair may uncover another, such as an association once its section has a title
_ROUNDS = 4


def check_pagetab(data: Mapping[str, Any]) -> tuple[Finding, ...]:
    """Return what is wrong with a submission, each with the edits that repair it without loss.

    Parameters
    ----------
    data : mapping
        A submission in the form of PageTab JSON.
    """
    return (*check_values(data), *check_sections(data))


def repaired_pagetab(data: Mapping[str, Any]) -> tuple[dict[str, Any], tuple[Finding, ...]]:
    """Return a submission with what can be repaired without loss, and the findings repaired."""
    new: dict[str, Any] = copy.deepcopy(dict(data))
    done: list[Finding] = []
    for _ in range(_ROUNDS):
        todo = [f for f in check_pagetab(new) if f.edits]
        chosen = _compatible(todo)
        if not chosen:
            break
        new = edited(new, [e for f in chosen for e in f.edits])
        done += chosen
    return new, tuple(done)


def _compatible(findings: Sequence[Finding]) -> list[Finding]:
    """Return findings whose edits do not meet: no edit inside what another one deletes or sets."""
    chosen: list[Finding] = []
    taken: list[tuple[str | int, ...]] = []
    for item in findings:
        places = [e.location for e in item.edits]
        if not any(_meet(p, t) for p in places for t in taken):
            chosen.append(item)
            taken += places
    return chosen


def _meet(one: tuple[str | int, ...], other: tuple[str | int, ...]) -> bool:
    short, long = sorted((one, other), key=len)
    return long[: len(short)] == short


def edited(data: Mapping[str, Any], edits: Sequence[Edit]) -> dict[str, Any]:
    """Return a copy of *data* with *edits*; places in lists are those before any edit."""
    new: dict[str, Any] = copy.deepcopy(dict(data))
    # from the end to the begin, so that indices stay; at one place: set, delete, then insert
    order = {"set": 0, "delete": 1, "insert": 2}
    ranked = sorted(
        enumerate(edits), key=lambda e: (_sortable(e[1].location), -order[e[1].action], e[0])
    )
    for _, edit in reversed(ranked):
        *way, last = edit.location
        holder: Any = new
        for part in way:
            holder = holder[part]
        if edit.action == "set":
            holder[last] = copy.deepcopy(edit.value)
        elif edit.action == "delete":
            del holder[last]
        elif isinstance(holder, list):
            holder.insert(int(last), copy.deepcopy(edit.value))
    return new


def _sortable(location: tuple[str | int, ...]) -> tuple[tuple[int, int, str], ...]:
    return tuple((0, p, "") if isinstance(p, int) else (1, 0, p) for p in location)
