"""The annotated texts: what GUIDE.md describes, with offsets."""

from __future__ import annotations

import hashlib
import os
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

HERE = Path(__file__).parent
SETS = ("dev", "held_out")
# units that a value may leave to its words
PLAIN = re.compile(r"([−-]?\d+(?:\.\d+)?)[ -]?(%|°C|K|min|h|s|d|nm|µm|mM|M|W|mA|nA|bar)")
UCUM = {"°C": "Cel", "µm": "um", "mM": "mmol/L", "M": "mol/L"}
VALUE = re.compile(r"(?P<low>-?[\d.]*?)(?:(?P<sign>\.\.|±)(?P<high>-?[\d.]*))? (?P<unit>\S+)")


@dataclass(frozen=True)
class GoldQuantity:
    kind: str
    start: int
    end: int
    unit: str
    value: float | None = None
    minimum: float | None = None
    maximum: float | None = None
    uncertainty: float | None = None
    ratio: tuple[float, ...] = ()
    interpreted: bool = False


@dataclass(frozen=True)
class GoldReagent:
    name: str
    start: int
    end: int
    concentration: GoldQuantity | None = None


@dataclass(frozen=True)
class GoldStep:
    name: str  # of the class
    start: int
    end: int
    reagents: tuple[GoldReagent, ...]
    quantities: tuple[GoldQuantity, ...]  # with the concentrations of the reagents


@dataclass(frozen=True)
class GoldText:
    name: str
    set: str
    text: str
    about: str
    steps: tuple[GoldStep, ...]


def shared_texts() -> Path:
    """Folder of the texts that are not ours; it may be absent."""
    default = Path(__file__).parents[3] / "shared"
    return Path(os.environ.get("CLEMKIT_SHARED", default)) / "meta" / "protocols-text"


def load(which: str = "all") -> list[GoldText]:
    """Every text of a set with its answer; texts that are not ours only where they are."""
    sets = SETS if which == "all" else (which,)
    found = [_load(path, name) for name in sets for path in sorted((HERE / name).glob("*.yaml"))]
    return [text for text in found if text is not None]


def _load(path: Path, set_name: str) -> GoldText | None:
    data = yaml.safe_load(path.read_text(encoding="utf-8"))
    stem = path.name.removesuffix(".gold.yaml")
    if "shared" in data:
        source = shared_texts() / data["shared"]
        if not source.is_file():
            return None
        digest = hashlib.sha256(source.read_bytes()).hexdigest()
        assert digest == data["sha256"], f"{source}: another text than the one annotated"
    else:
        source = next(
            p for p in (path.parent / f"{stem}.txt", path.parent / f"{stem}.md") if p.is_file()
        )
    text = source.read_bytes().decode("utf-8")
    steps: list[GoldStep] = []
    for number, entry in enumerate(data["steps"], 1):
        after = steps[-1].start if steps else 0
        steps.append(_step(text, entry, after, f"{path.name}, step {number} ({entry['class']})"))
    return GoldText(stem, set_name, text, data["about"], tuple(steps))


def _step(text: str, entry: dict[str, Any], after: int, place: str) -> GoldStep:
    unknown = set(entry) - {"class", "words", "reagents", "quantities"}
    assert not unknown, f"{place}: {unknown}"
    first, last = entry["words"] if isinstance(entry["words"], list) else (entry["words"],) * 2
    if isinstance(first, int):
        start, end = first, last
    else:
        start, _ = find(text, first, after, len(text), place)
        _, end = find(text, last, start, len(text), place)
    seen: dict[str, int] = {}

    def words(value: Any) -> tuple[int, int]:
        if isinstance(value, list):
            assert start <= value[0] < value[1] <= end, f"{place}: {value}"
            return value[0], value[1]
        found = find(text, str(value), seen.get(str(value), start), end, place)
        seen[str(value)] = found[1]
        return found

    reagents = []
    for name, at, *more in entry.get("reagents", ()):
        begin, finish = words(at)
        concentration = quantity("concentration", text, words(more[0]), more[1:]) if more else None
        reagents.append(GoldReagent(name, begin, finish, concentration))
    quantities = [r.concentration for r in reagents if r.concentration]
    quantities += [
        quantity(kind, text, words(at), more) for kind, at, *more in entry.get("quantities", ())
    ]
    return GoldStep(entry["class"], start, end, tuple(reagents), tuple(quantities))


def find(text: str, words: str, start: int, end: int, place: str) -> tuple[int, int]:
    """The next occurrence of *words* that is not a part of a longer word or number."""
    before = (
        r"(?<!\d)(?<!\d[.,])"
        if words[0].isdigit()
        else r"(?<![^\W\d_])"
        if words[0].isalpha()
        else ""
    )
    behind = (
        r"(?!\d)(?![.,]\d)"
        if words[-1].isdigit()
        else r"(?![^\W\d_])"
        if words[-1].isalpha()
        else ""
    )
    found = re.compile(before + re.escape(words) + behind).search(text, start, end)
    assert found, f"{place}: {words!r} is not there"
    return found.span()


def quantity(kind: str, text: str, span: tuple[int, int], more: list[Any]) -> GoldQuantity:
    """A quantity of *kind* whose value is given, or plain enough to be taken from its words."""
    written = text[slice(*span)]
    interpreted = "interpreted" in more
    value = next((v for v in more if v != "interpreted"), None)
    if kind == "ratio":
        parts = tuple(float(p) for p in str(value).split(":"))
        return GoldQuantity(kind, *span, unit="1", ratio=parts)
    if value is None:
        plain = PLAIN.fullmatch(written)
        assert plain, f"{written!r} needs a value"
        value = f"{plain[1].replace('−', '-')} {UCUM.get(plain[2], plain[2])}"
    if isinstance(value, int):
        value = f"{value} 1"
    parsed = VALUE.fullmatch(value)
    assert parsed, f"{value!r} is not a value"
    low, sign, high, unit = parsed.group("low", "sign", "high", "unit")
    number = {"value": float(low)} if not sign else {}
    if sign == "±":
        number = {"value": float(low), "uncertainty": float(high)}
    elif sign == "..":
        number = {k: float(v) for k, v in (("minimum", low), ("maximum", high)) if v}
    return GoldQuantity(kind, *span, unit=unit, interpreted=interpreted, **number)
