"""A protocol as the rules see it: steps with substances, temperatures and times."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from clemkit.errors import Problem
from clemkit.metadata.protocols.amounts import Interval, celsius, hours, percent
from clemkit.metadata.protocols.plausibility.substances import substances_of

__all__ = ["CURING", "FREEZING", "Preparation", "Step", "Use", "materials_by_id", "warning"]

Location = tuple[str | int, ...]
CURING = ("OvenCuring", "UvPolymerization")
FREEZING = ("HighPressureFreezing", "PlungeFreezing")
_SLOTS = ("materials", "cryogens")
_SINGLE = ("to_material", "from_material", "filler", "carrier_coating")


@dataclass(frozen=True)
class Use:
    """A substance in a step, with what is known of its concentration."""

    slot: str
    name: str
    substances: frozenset[str]
    concentration: Any
    location: Location


@dataclass(frozen=True)
class Step:
    """A step; `position` counts from 0."""

    position: int
    kind: str
    data: Mapping[str, Any]
    uses: tuple[Use, ...]

    @property
    def location(self) -> Location:
        """Path into the protocol."""
        return ("steps", self.position)

    @cached_property
    def substances(self) -> frozenset[str]:
        """All that the step uses, without what it replaces."""
        used = (u.substances for u in self.uses if u.slot != "from_material")
        return frozenset().union(*used)

    @cached_property
    def words(self) -> str:
        """Words of the step, in small letters."""
        keys = ("name", "description", "notes", "light_conditions", "instrument_description")
        said = [str(self.data[k]) for k in keys if self.data.get(k)]
        spans = self.data.get("spans")
        said += [str(span.get("verbatim") or "") for span in _objects(spans)]
        return " ".join(said).lower()

    @cached_property
    def stages(self) -> tuple[Mapping[str, Any], ...]:
        """Stages of its ladder."""
        return tuple(_objects(self.data.get("ladder")))

    @cached_property
    def program(self) -> tuple[Mapping[str, Any], ...]:
        """Stages of its temperature programme."""
        return tuple(_objects(self.data.get("temperature_program")))

    @cached_property
    def temperature(self) -> Interval | None:
        """Lowest and highest temperature in degrees Celsius that is given anywhere in it."""
        keys = ("temperature", "start_temperature", "end_temperature")
        things = (self.data, *self.program, *self.stages)
        found = [t for thing in things for k in keys if (t := celsius(thing.get(k)))]
        return (min(t[0] for t in found), max(t[1] for t in found)) if found else None

    @cached_property
    def hours(self) -> Interval | None:
        """Shortest and longest time of the whole step, with repeats and stages."""
        things = self.stages or self.program or (self.data,)
        found = [
            (t, thing.get("repeats")) for thing in things if (t := hours(thing.get("duration")))
        ]
        if not found:
            return None
        times = [n if isinstance(n, int) and n > 0 else 1 for _, n in found]
        return (
            sum(t[0] * n for (t, _), n in zip(found, times, strict=True)),
            sum(t[1] * n for (t, _), n in zip(found, times, strict=True)),
        )

    @cached_property
    def has_time(self) -> bool:
        """Whether any time is given."""
        things = (self.data, *self.stages, *self.program)
        return any(thing.get("duration") for thing in things) or bool(self.data.get("microwave"))

    @cached_property
    def says_anything(self) -> bool:
        """Whether it says more than its class; words of a text may only mention a treatment."""
        read = bool(self.data.get("spans"))
        return not read or bool(self.uses or self.has_time or self.temperature)

    @cached_property
    def ladder_percent(self) -> tuple[Interval, ...]:
        """Concentrations of its stages in per cent, where they are given."""
        found = (percent(stage.get("stage_concentration")) for stage in self.stages)
        return tuple(p for p in found if p)

    @cached_property
    def ladder_parts(self) -> tuple[float, ...]:
        """Part of the first component in each stage given as a ratio, from 0 to 1."""
        return tuple(p for s in self.stages if (p := _first_part(s.get("stage_ratio"))) is not None)

    def using(self, *substances: str) -> list[Use]:
        """Return the uses of any of *substances*."""
        return [u for u in self.uses if u.slot != "from_material" and u.substances & {*substances}]


@dataclass(frozen=True)
class Preparation:
    """The steps of one protocol."""

    steps: tuple[Step, ...]

    @classmethod
    def of(
        cls, protocol: Mapping[str, Any], materials: Mapping[str, Mapping[str, Any]]
    ) -> Preparation:
        """Return the steps of *protocol*; *materials* by their ids."""
        given = protocol.get("steps")
        listed = enumerate(given if isinstance(given, list | tuple) else ())
        return cls(
            tuple(
                Step(i, str(s.get("type")), s, tuple(_uses(s, i, materials)))
                for i, s in listed
                if isinstance(s, Mapping)
            )
        )

    def of_kind(self, *kinds: str) -> list[Step]:
        """Return the steps of some classes."""
        return [s for s in self.steps if s.kind in kinds]

    def before(self, step: Step) -> list[Step]:
        """Return the steps before *step*, the nearest first."""
        return [s for s in reversed(self.steps) if s.position < step.position]

    def after(self, step: Step) -> list[Step]:
        """Return the steps after *step*, the nearest first."""
        return [s for s in self.steps if s.position > step.position]


def warning(location: Location, rule: str, message: str, hint: str) -> Problem:
    """Return a finding of a rule; chemistry knows exceptions, so it is never an error."""
    return Problem(location, rule, "warning", message, hint)


def _objects(value: Any) -> Iterator[Mapping[str, Any]]:
    for item in value if isinstance(value, list | tuple) else ():
        if isinstance(item, Mapping):
            yield item


def _first_part(ratio: Any) -> float | None:
    parts = [float(p.replace(",", ".")) for p in re.findall(r"\d+(?:[.,]\d+)?", str(ratio or ""))]
    total = sum(parts)
    return parts[0] / total if len(parts) == 2 and total > 0 else None


def _uses(
    step: Mapping[str, Any], position: int, materials: Mapping[str, Mapping[str, Any]]
) -> Iterator[Use]:
    place: Location = ("steps", position)
    for slot in _SLOTS:
        given = step.get(slot)
        for number, use in enumerate(given if isinstance(given, list | tuple) else ()):
            if isinstance(use, Mapping):
                yield from _use(use, slot, (*place, slot, number), materials)
    for slot in _SINGLE:
        if isinstance(step.get(slot), Mapping):
            yield from _use(step[slot], slot, (*place, slot), materials)
    if step.get("resin"):
        found = {"material": step["resin"]}
        yield from _use(found, "resin", (*place, "resin"), materials)


def _use(
    use: Mapping[str, Any],
    slot: str,
    place: Location,
    materials: Mapping[str, Mapping[str, Any]],
) -> Iterator[Use]:
    material = materials.get(str(use.get("material")), {})
    name = str(material.get("name") or use.get("material_name") or use.get("material") or "")
    found = substances_of(material, use.get("material_name"))
    yield Use(slot, name, found, use.get("concentration"), place)
    solvent = materials.get(str(use.get("solvent")), {})
    if dissolved := substances_of(solvent, use.get("solvent_name")):
        words = str(solvent.get("name") or use.get("solvent_name"))
        yield Use(slot, words, dissolved, None, place)
    for part in _objects(material.get("components")):
        if part.get("material") != use.get("material"):
            yield from _use(part, slot, place, _without(materials, use.get("material")))


def _without(
    materials: Mapping[str, Mapping[str, Any]], name: Any
) -> Mapping[str, Mapping[str, Any]]:
    # a solution that contains itself must not go round for ever
    return {k: v for k, v in materials.items() if k != name}


def materials_by_id(
    reagents: Mapping[str, Any] | Sequence[Any],
) -> dict[str, Mapping[str, Any]]:
    """Return materials by their ids, however they were listed."""
    listed = reagents.values() if isinstance(reagents, Mapping) else reagents
    return {str(r["id"]): r for r in listed if isinstance(r, Mapping) and "id" in r}
