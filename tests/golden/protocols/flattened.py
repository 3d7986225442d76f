"""What a reader returned, flattened to what is scored."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from clemkit.metadata.model_map import model_map

Span = tuple[int, int]
# what a field measures, where the unit alone does not say it
KIND_OF_FIELD = {"target_thickness": "thickness", "chamber_humidity": "humidity"}
KIND_OF_DIMENSION = {
    "time": "duration", "temperature_rate": "ramp", "rotation_rate": "rotation",
    "fraction": "concentration", "mass_fraction": "concentration", "normality": "concentration",
    "volume_fraction": "concentration", "mass_volume_fraction": "concentration",
    "amount_concentration": "concentration", "mass_concentration": "concentration",
}  # fmt: skip
COUNTS = ("repeats", "microwave_cycles")


@dataclass(frozen=True)
class ReadQuantity:
    kind: str
    unit: str
    spans: tuple[Span, ...]
    value: float | None = None
    minimum: float | None = None
    maximum: float | None = None
    uncertainty: float | None = None
    ratio: tuple[float, ...] = ()
    interpreted: bool = False

    @property
    def content(self) -> tuple[Any, ...]:
        return (self.kind, self.unit, self.value, self.minimum, self.maximum, self.ratio)


@dataclass(frozen=True)
class ReadReagent:
    names: frozenset[str]
    terms: frozenset[str]


@dataclass(frozen=True)
class ReadStep:
    name: str
    spans: tuple[Span, ...]
    reagents: tuple[ReadReagent, ...]
    quantities: tuple[ReadQuantity, ...]

    @property
    def whole(self) -> Span:
        return min(s for s, _ in self.spans), max(e for _, e in self.spans)


def read_steps(data: Mapping[str, Any]) -> list[ReadStep]:
    """The steps of a description, flattened to what is scored."""
    materials = {m["id"]: m for m in data.get("reagents", ())}
    found = []
    for step in (s for p in data["protocols"] for s in p.get("steps", ())):
        spans = tuple(_spans(step))
        assert spans, f"a step of class {step['type']} has no spans"
        reagents = tuple(_reagents(step, materials))
        quantities = tuple(_quantities(step, list(step.get("spans", ())), ""))
        found.append(ReadStep(step["type"], spans, reagents, quantities))
    return found


def _spans(thing: Mapping[str, Any], path: str | None = None) -> Iterator[Span]:
    """Spans of *thing* itself: of the field at *path*, or all."""
    for span in thing.get("spans", ()):
        if path is None or span.get("span_field") == path:
            yield span["span_start"], span["span_end"]


def _reagents(
    step: Mapping[str, Any], materials: Mapping[str, Mapping[str, Any]]
) -> Iterator[ReadReagent]:
    named: list[tuple[str | None, str | None]] = []
    for thing in _objects(step):
        pairs = [(thing.get(k), thing.get(f"{k}_name")) for k in ("material", "solvent", "resin")]
        named += [pair for pair in pairs if any(pair)]
    for material, words in named:
        known = materials.get(str(material), {})
        yield _reagent(known, words)
        for part in known.get("components", ()):
            if part.get("spans"):  # read from the text, not known from the recipe
                yield _reagent(
                    materials.get(str(part.get("material")), {}), part.get("material_name")
                )


def _reagent(material: Mapping[str, Any], words: str | None) -> ReadReagent:
    names = [n for n in (material.get("name"), words) if n]
    term = material.get("substance_term")
    term = term.get("term") if isinstance(term, Mapping) else term
    return ReadReagent(frozenset(map(plain, names)), frozenset({term} if term else ()))


def _objects(value: Any) -> Iterator[Mapping[str, Any]]:
    if isinstance(value, Mapping):
        yield value
        for key, inner in value.items():
            if key != "spans":
                yield from _objects(inner)
    elif isinstance(value, list | tuple):
        for inner in value:
            yield from _objects(inner)


def _quantities(
    thing: Mapping[str, Any], step_spans: Sequence[Mapping[str, Any]], path: str
) -> Iterator[ReadQuantity]:
    """Every quantity, count and ratio inside a step, with the spans it may have been read at."""
    own = list(thing.get("spans", ()))
    for key, value in thing.items():
        if key == "spans":
            continue
        at = f"{path}/{key}" if path else key
        places = _places(own, key) or _places(step_spans, at) or _whole(own) or _whole(step_spans)
        if key in COUNTS:
            yield ReadQuantity("count", "1", places, value=float(value))
        elif key == "stage_ratio":
            yield ReadQuantity("ratio", "1", places, ratio=_parts(value))
        elif isinstance(value, Mapping) and "unit" in value:
            yield _quantity(key, value, places)
        elif isinstance(value, Mapping):
            yield from _quantities(value, step_spans, at)
        elif isinstance(value, list | tuple):
            for number, item in enumerate(value, 1):
                if isinstance(item, Mapping):
                    yield from _quantities(item, step_spans, f"{at}/{number}")
            parts = [m["parts"] for m in value if isinstance(m, Mapping) and m.get("parts")]
            if len(parts) > 1:
                yield ReadQuantity("ratio", "1", _whole(step_spans), ratio=tuple(map(float, parts)))


def _places(spans: Sequence[Mapping[str, Any]], path: str) -> tuple[Span, ...]:
    return tuple((s["span_start"], s["span_end"]) for s in spans if s.get("span_field") == path)


def _whole(spans: Sequence[Mapping[str, Any]]) -> tuple[Span, ...]:
    return tuple((s["span_start"], s["span_end"]) for s in spans if not s.get("span_field"))


def _parts(value: str) -> tuple[float, ...]:
    return tuple(float(p.replace(",", ".")) for p in re.findall(r"\d+(?:[.,]\d+)?", value))


def _quantity(key: str, value: Mapping[str, Any], places: tuple[Span, ...]) -> ReadQuantity:
    unit = model_map()["enums"]["Unit"]["values"][value["unit"]]
    kind = KIND_OF_FIELD.get(key) or KIND_OF_DIMENSION.get(unit["dimension"], unit["dimension"])
    numbers = {k: value.get(k) for k in ("value", "minimum", "maximum", "uncertainty")}
    interpreted = bool(value.get("is_interpretation"))
    code = "1" if kind == "count" else unit["ucum"]
    return ReadQuantity(kind, code, places, interpreted=interpreted, **numbers)


def plain(name: str) -> str:
    """A name without what does not make another substance."""
    text = name.casefold().replace("–", "-").replace("’", "'")
    text = re.sub(r"\b(solution|aqueous|anhydrous|aq\.?|liquid)\b", " ", text)
    return re.sub(r"[\s-]+", " ", text).strip(" .,")
