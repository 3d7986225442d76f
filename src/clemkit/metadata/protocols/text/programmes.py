"""Several times, temperatures or concentrations of one step, in order: ladders and programmes."""

from __future__ import annotations

import re
from typing import Any

from clemkit.metadata.protocols.text.filled_step import FilledStep
from clemkit.metadata.protocols.text.quantities import FoundQuantity

__all__ = ["ladder_stages", "temperature_stages"]

# a number of repeats behind these words is not one of the stage before
_ANEW = re.compile(r";|\n|\b(?:followed|then|pure|fresh|finally|neat)\b", re.I)
_FROM = re.compile(r"\b(?:from|von)\s\Z", re.I)
# between the two temperatures of a stage
_LEADS = re.compile(r"(?:\s?°\s?C)?\s*(?:to|bis|up\sto|→|->|\|)\s*", re.I)
Placed = dict[str, tuple[Any, FoundQuantity]]


def ladder_stages(step: FilledStep, quantities: list[FoundQuantity]) -> list[FoundQuantity]:
    """Fill the ladder of *step*; return the quantities that are no part of it.

    A concentration or ratio opens a stage; a time holds for the stages before it that have none.
    A number of repeats belongs to the concentration or time that follows, or to what it follows.
    """
    text, rest, stages = step.text, [], list[Placed]()
    pending: FoundQuantity | None = None
    early: FoundQuantity | None = None
    over_all: FoundQuantity | None = None
    timed = 0
    for i, quantity in enumerate(quantities):
        following = quantities[i + 1] if i + 1 < len(quantities) else None
        kind = quantity.kind
        if kind in ("concentration", "ratio"):
            slot = "stage_concentration" if kind == "concentration" else "stage_ratio"
            value = quantity.plain() if kind == "concentration" else _ratio(quantity)
            stages.append({slot: (value, quantity)})
            if early is not None and following is not None and following.kind == "duration":
                rest.append(early)  # of all stages together
                early = None
            if early is not None:
                stages[-1]["duration"] = (early.plain(), early)
                early, over_all, timed = None, early, len(stages)
            if pending is not None:
                stages[-1]["repeats"] = (int(pending.value or 1), pending)
                pending = None
        elif kind == "count":
            opens = following is not None and following.kind in ("concentration", "ratio")
            anew = (
                bool(stages)
                and "duration" in stages[-1]
                and _ANEW.search(text[stages[-1]["duration"][1].end : quantity.start])
            )
            near = following is not None and following.start - quantity.end < 4
            if (opens and near) or not stages:
                pending = quantity
            elif "repeats" not in stages[-1] and not anew:
                stages[-1]["repeats"] = (int(quantity.value or 1), quantity)
            else:
                stages.append({"repeats": (int(quantity.value or 1), quantity)})
        elif kind == "duration":
            opens = following is not None and following.kind in ("concentration", "ratio")
            if not stages and (early is not None or not opens):
                rest.append(quantity)
            elif not stages:
                early = quantity  # left overnight in a 1:1 mixture
            elif "duration" in stages[-1]:
                stages.append({"duration": (quantity.plain(), quantity)})
                timed = len(stages)
            else:
                for stage in stages[timed:]:
                    stage["duration"] = (quantity.plain(), quantity)
                timed = len(stages)
        elif kind == "temperature" and (
            "temperature" in step.fields or "start_temperature" in step.fields
        ):
            if stages and "temperature" not in stages[-1]:
                stages[-1]["temperature"] = (quantity.plain(), quantity)
            else:
                rest.append(quantity)
        elif (
            kind == "temperature"
            and len([q for q in quantities if q.kind == "temperature"]) > 1
            and stages
        ):
            for stage in stages:
                stage.setdefault("temperature", (quantity.plain(), quantity))
        else:
            if kind != "temperature" or not step.put("temperature", quantity):
                rest.append(quantity)
    if pending is not None:
        rest.append(pending)
    if stages and over_all is not None:
        for stage in stages[1:]:
            if "duration" in stage:
                break
            stage["duration"] = (over_all.plain(), over_all)
    step.fields["ladder"] = [
        _emit(step, stage, f"ladder/{number}", text) for number, stage in enumerate(stages, 1)
    ]
    return rest


def temperature_stages(step: FilledStep, quantities: list[FoundQuantity]) -> list[FoundQuantity]:
    """Fill the temperature programme of *step*; return the quantities that are no part of it.

    A stage has one time, one temperature to which it leads, and a rate.
    """
    text, rest, stages = step.text, [], list[Placed]()
    for index, quantity in enumerate(quantities):
        if quantity.kind not in ("temperature", "duration", "ramp"):
            rest.append(quantity)
            continue
        before = text[max(0, quantity.start - 12) : quantity.start]
        slot = {"temperature": "end_temperature", "duration": "duration", "ramp": "ramp_rate"}[
            quantity.kind
        ]
        following = quantities[index + 1] if index + 1 < len(quantities) else None
        leads = (
            following is not None
            and following.kind == "temperature"
            and _LEADS.fullmatch(text[quantity.end : following.start])
        )
        if quantity.kind == "temperature" and (leads or _FROM.search(before)):
            slot = "start_temperature"
        ahead = following is not None and following.kind == "temperature"
        anew = quantity.kind == "ramp" and ahead and bool(stages) and "duration" in stages[-1]
        if (
            not stages
            or anew
            or slot in stages[-1]
            or (slot == "start_temperature" and len(stages[-1]))
        ):
            stages.append({})
        stages[-1][slot] = (quantity.plain(), quantity)
    numbers = [number for number, stage in enumerate(stages, 1) if stage]
    for number in numbers:
        stage = stages[number - 1]
        if (
            "end_temperature" in stage
            and "start_temperature" not in stage
            and "ramp_rate" not in stage
        ) and ("duration" in stage or number == 1):
            stage["start_temperature"] = stage["end_temperature"]
    step.fields["temperature_program"] = [
        _emit(step, stage, f"temperature_program/{number}", text)
        for number, stage in enumerate(stages, 1)
    ]
    return rest


def _ratio(quantity: FoundQuantity) -> str:
    return re.sub(r"\s*[:+/∶]\s*", ":", quantity.verbatim)


def _emit(step: FilledStep, stage: Placed, path: str, text: str) -> dict[str, Any]:
    entry: dict[str, Any] = {slot: value for slot, (value, _) in stage.items()}
    for slot, (_, quantity) in stage.items():
        step.mark(quantity, f"{path}/{slot}")
    places = [q for _, q in stage.values()]
    start, end = min(q.start for q in places), max(q.end for q in places)
    if end - start < 200:
        entry["verbatim"] = text[start:end]
    return entry
