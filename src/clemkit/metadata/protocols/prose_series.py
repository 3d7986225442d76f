"""Ladders, mixing ratios and temperature programmes in prose."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from itertools import groupby
from typing import Any

from clemkit.metadata.protocols.prose_words import (
    duration,
    joined,
    number_of_times,
    quantity,
    temperature,
)

__all__ = ["from_to", "programme", "series"]

Stage = Mapping[str, Any]


def series(stages: Sequence[Stage], what: str, mixed: str, preposition: str) -> str:
    """Return a ladder: *in 50, 70 and 100 % ethanol (10 min each; 100 % twice)*.

    Parameters
    ----------
    stages : sequence of mapping
        Stages in order: by concentration, by mixing ratio, or of the pure material.
    what : str
        The material that comes in.
    mixed : str
        What the mixtures are called, such as *mixtures of propylene oxide and Epon*.
    preposition : str
        Word before each part: in, with.
    """
    parts = []
    for form, group in groupby(_repeated(stages), _form):
        run = list(group)
        if form == "ratio" and len(run) == 1 and mixed.startswith("mixtures "):
            one = mixed.replace("mixtures", f"a {run[0]['stage_ratio']} mixture", 1)
            parts.append(f"{preposition} {one} {_time(run[0])}".strip())
        elif form == "ratio":
            parts.append(f"{preposition} {mixed} ({_listed(run, '')})")
        elif form == "pure":
            times = joined(_time(s) for s in run)
            parts.append(f"{preposition} pure {what or 'resin'} {times}".strip())
        elif len(_blocks(run)) == 1 and len(run) > 1:
            values, note = _values(run, what)
            more = "; ".join(p for p in (_shared(run[0], each=True), note) if p)
            parts.append(f"{preposition} {values}{f' ({more})' if more else ''}")
        else:
            parts.append(f"{preposition} {_listed(run, what)}")
    return joined(parts)


def _repeated(stages: Sequence[Stage]) -> list[Stage]:
    """Return the stages, neighbours that are the same as one with its number of repeats."""
    found: list[Stage] = []
    for stage in stages:
        same = found and (_value(stage), _key(stage)) == (_value(found[-1]), _key(found[-1]))
        if same and _form(stage) != "pure":
            count = int(stage.get("repeats") or 1) + int(found[-1].get("repeats") or 1)
            found[-1] = {**found[-1], "repeats": count}
        else:
            found.append(stage)
    return found


def _form(stage: Stage) -> str:
    if stage.get("stage_ratio"):
        return "ratio"
    return "part" if stage.get("stage_concentration") else "pure"


def _key(stage: Stage) -> tuple[str, str]:
    return duration(stage.get("duration")), temperature(stage.get("temperature")) or from_to(stage)


def _blocks(run: Sequence[Stage]) -> list[list[Stage]]:
    """Return neighbours with the same time and temperature together."""
    return [list(group) for _, group in groupby(run, _key)]


def _listed(run: Sequence[Stage], what: str) -> str:
    """Return each block of stages with its time: ``30 and 50 % ethanol for 5 min each``."""
    parts = []
    for block in _blocks(run):
        values, note = _values(block, what)
        several = len(block) > 1 or int(block[0].get("repeats") or 1) > 1
        time, heat = _key(block[0])
        each = " each" if several and time.startswith("for ") else ""
        if len(block) == 1 and several:
            values, note = f"{values} {number_of_times(int(block[0]['repeats']))}", ""
        words = " ".join(p for p in (values, f"{time}{each}" if time else "", heat) if p)
        parts.append(f"{words} ({note})" if note else words)
        what = ""
    if len(parts) == len(run) or len(parts) < 2:
        return joined(parts)
    return f"{', '.join(parts[:-1])}, then {parts[-1]}"


def _values(block: Sequence[Stage], what: str) -> tuple[str, str]:
    """Return the values of a block with their unit once, and which of them are repeated."""
    shown = [_value(s) for s in block]
    repeated = [s for s in block if int(s.get("repeats") or 1) > 1]
    counts = {int(s["repeats"]) for s in repeated}
    if len(repeated) == len(block) > 1 and len(counts) == 1:
        note = number_of_times(counts.pop())
    else:
        note = joined(f"{_value(s)} {number_of_times(int(s['repeats']))}" for s in repeated)
    units = {(s.get("stage_concentration") or {}).get("unit") for s in block}
    if len(shown) > 1 and len(units) == 1 and units != {None}:
        unit = re.sub(r"^[0-9.,–−±\s]+", "", shown[-1])
        shown = [v.removesuffix(unit).rstrip() for v in shown[:-1]] + [shown[-1]]
    if len(block) == 1:
        note = ""
    return f"{joined(shown)} {what}".strip(), note


def _value(stage: Stage) -> str:
    return str(stage.get("stage_ratio") or quantity(stage.get("stage_concentration")))


def _shared(stage: Stage, *, each: bool) -> str:
    time, heat = _key(stage)
    shown = f"{time.removeprefix('for ')}{' each' if each and time.startswith('for ') else ''}"
    return " ".join(p for p in (shown, heat) if p)


def _time(stage: Stage) -> str:
    repeats = int(stage.get("repeats") or 1)
    time, heat = _key(stage)
    each = " each" if repeats > 1 and time.startswith("for ") else ""
    times = number_of_times(repeats) if repeats > 1 else ""
    return " ".join(p for p in (times, f"{time}{each}", heat) if p)


def from_to(stage: Stage) -> str:
    """Return ``from −90 °C to −20 °C``, or ``at 4 °C`` where both ends are the same."""
    start, end = stage.get("start_temperature"), stage.get("end_temperature")
    if start and end and quantity(start) != quantity(end):
        return f"from {quantity(start)} to {quantity(end)}"
    return temperature(start or end)


def programme(stages: Sequence[Stage], *, warming: bool) -> str:
    """Return a temperature programme.

    With *warming*, as what happens one after the other: *at −90 °C for 24 h, warmed to −20 °C at
    5 °C/h over 14 h and kept there for 8 h*; else as a list of times and temperatures.
    """
    if not warming:
        held = (_time({**s, "temperature": None}) for s in stages)
        return joined(p for p in held if p)
    parts: list[str] = []
    last: float | None = None
    timed = False
    for stage in stages:
        start, end = (_degrees(stage.get(k)) for k in ("start_temperature", "end_temperature"))
        start, time = start if start is not None else last, duration(stage.get("duration"))
        if end is not None and start is not None and end != start:
            verb = "warmed" if end > start else "cooled"
            if last is None and stage.get("start_temperature"):
                verb = f"{verb} from {quantity(stage['start_temperature'])}"
            rate = quantity(stage.get("ramp_rate"))
            parts += [
                " ".join(
                    p
                    for p in (
                        f"{verb} to {quantity(stage.get('end_temperature'))}",
                        f"at {rate}" if rate else "",
                        f"over {time.removeprefix('for ')}" if time else "",
                    )
                    if p
                )
            ]
        elif parts and start == last and start is not None:
            if time and not timed:
                parts[-1] += f" {time}"
            elif time:
                parts.append(f"kept there {time}")
        else:
            where = from_to(stage)
            kept = "kept" if parts and where else ""
            parts.append(" ".join(p for p in (kept, where, time) if p))
        timed = timed or bool(time)
        last = end if end is not None else start
    return joined(_verbs_once(parts)) or joined(str(s.get("verbatim") or "") for s in stages)


def _degrees(value: Mapping[str, Any] | None) -> float | None:
    if not value:
        return None
    number = value.get("value")
    ends = [value[k] for k in ("minimum", "maximum") if value.get(k) is not None]
    return float(number) if number is not None else sum(ends) / len(ends) if ends else None


def _verbs_once(parts: Sequence[str]) -> Iterator[str]:
    """Leave out a verb that the part before has too: ``warmed to A and to B``."""
    before = ""
    for part in parts:
        verb = part.split(" ", 1)[0]
        again = verb in ("warmed", "cooled") and before == verb
        yield part.removeprefix(f"{verb} ") if again else part
        before = verb
