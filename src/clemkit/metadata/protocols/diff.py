"""Comparing two protocols: which steps, times and concentrations differ.

Steps are aligned by dynamic programming (Needleman & Wunsch 1970) on class, substances and
position; what stays alone on both sides and is alike was moved.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from difflib import SequenceMatcher
from typing import Any, Literal

from clemkit.metadata.protocols.step_fields import Field, names_of, step_fields
from clemkit.metadata.protocols.step_words import class_words, step_words

__all__ = ["FieldDifference", "ProtocolDifference", "StepDifference", "diff_protocols"]

_RELATED = (
    {"PostFixation", "EnBlocStaining", "Staining"},
    {"EnBlocStaining", "PostStaining", "Staining"},
    {"ChemicalFixation", "Perfusion"},
    {"Rinsing", "Incubation", "Quenching"},
    {"OvenCuring", "UvPolymerization"},
    {"Dissection", "Trimming", "Sectioning"},
    {"HighPressureFreezing", "PlungeFreezing"},
)
_PAIR, _MOVED = 0.45, 0.75  # how alike two steps must be to be one


@dataclass(frozen=True, slots=True)
class FieldDifference:
    """One field that differs; an empty string where a side does not have it."""

    field: str
    first: str
    second: str


@dataclass(frozen=True, slots=True)
class StepDifference:
    """One step that differs.

    Attributes
    ----------
    kind : {"changed", "added", "removed", "moved"}
        Seen from the first protocol; a moved step may have changed too.
    first, second : int or None
        Number of the step in each protocol, from 1.
    title : str
        Class and content in words.
    fields : tuple of FieldDifference
        What differs within it.
    """

    kind: Literal["changed", "added", "removed", "moved"]
    first: int | None
    second: int | None
    title: str
    fields: tuple[FieldDifference, ...] = ()


@dataclass(frozen=True, slots=True)
class ProtocolDifference:
    """All differences between two protocols, in the order of steps."""

    first_name: str
    second_name: str
    steps: tuple[StepDifference, ...]

    @property
    def is_empty(self) -> bool:
        """Whether nothing differs."""
        return not self.steps

    def to_dict(self) -> dict[str, Any]:
        """Return plain data."""
        steps = [
            {
                "kind": s.kind,
                "first": s.first,
                "second": s.second,
                "title": s.title,
                "fields": [
                    {"field": f.field, "first": f.first, "second": f.second} for f in s.fields
                ],
            }
            for s in self.steps
        ]
        return {"first": self.first_name, "second": self.second_name, "steps": steps}

    def lines(self) -> list[str]:
        """Return a table for people: one line for each step, its fields below."""
        if self.is_empty:
            return [f"{self.first_name} and {self.second_name}: no differences"]
        rows = list(self._rows())
        widths = [min(max(len(r[i]) for r in rows), (7, 34, 28)[i]) for i in range(3)]
        return [
            f"{a:{widths[0]}}  {b:{widths[1]}}  {c:{widths[2]}}  {d}".rstrip()
            for a, b, c, d in rows
        ]

    def _rows(self) -> Iterator[tuple[str, str, str, str]]:
        yield "step", "", self.first_name, self.second_name
        sign = {"changed": "", "added": "+", "removed": "-", "moved": "~"}
        for step in self.steps:
            numbers = [str(n) for n in (step.first, step.second) if n is not None]
            place = (
                ">".join(dict.fromkeys(numbers))
                if step.kind == "moved"
                else "/".join(dict.fromkeys(numbers))
            )
            where = f"{sign[step.kind]}{place}"
            if step.kind == "added":
                yield where, "added", "", step.title
            elif step.kind == "removed":
                yield where, "removed", step.title, ""
            else:
                yield where, step.title, "", ""
            for field in step.fields:
                yield "", f"  {field.field}", field.first or "–", field.second or "–"


@dataclass(frozen=True)
class _Side:
    step: Mapping[str, Any]
    fields: dict[str, Field]
    substances: frozenset[str]

    @property
    def kind(self) -> str:
        return str(self.step.get("type"))


def diff_protocols(
    a: Mapping[str, Any],
    b: Mapping[str, Any],
    reagents_a: Mapping[str, Any] | Sequence[Mapping[str, Any]] = (),
    reagents_b: Mapping[str, Any] | Sequence[Mapping[str, Any]] | None = None,
) -> ProtocolDifference:
    """Return what differs between two protocols.

    Parameters
    ----------
    a, b : mapping
        Protocols in long form.
    reagents_a, reagents_b : mapping or sequence of mapping
        The reagents that each refers to; those of *a* are also those of *b* unless given. Without
        them materials are compared by their ids.

    Returns
    -------
    ProtocolDifference
        Empty when both say the same, in whatever units.
    """
    names_a = names_of(reagents_a)
    names_b = names_a if reagents_b is None else names_of(reagents_b)
    first, second = _sides(a, names_a), _sides(b, names_b)
    likeness = [
        [_likeness(x, y, i / len(first), j / len(second)) for j, y in enumerate(second)]
        for i, x in enumerate(first)
    ]
    pairs = _aligned(likeness)
    moved = _moved(first, second, likeness, pairs)
    title_a = {i: _title(s, names_a) for i, s in enumerate(first)}
    title_b = {j: _title(s, names_b) for j, s in enumerate(second)}
    found: list[tuple[float, StepDifference]] = []
    for i, j in pairs:
        if fields := tuple(_different(first[i], second[j])):
            found.append((j, StepDifference("changed", i + 1, j + 1, title_b[j], fields)))
    for i, j in moved:
        fields = tuple(_different(first[i], second[j]))
        found.append((j, StepDifference("moved", i + 1, j + 1, title_b[j], fields)))
    taken = [*pairs, *moved]
    found += [
        (j, StepDifference("added", None, j + 1, title_b[j]))
        for j in sorted(set(range(len(second))) - {j for _, j in taken})
    ]
    for i in sorted(set(range(len(first))) - {i for i, _ in taken}):
        before = max((j for k, j in pairs if k < i), default=-1)
        found.append((before + 0.5, StepDifference("removed", i + 1, None, title_a[i])))
    found.sort(key=lambda item: item[0])
    return ProtocolDifference(_name(a, "first"), _name(b, "second"), tuple(s for _, s in found))


def _name(protocol: Mapping[str, Any], otherwise: str) -> str:
    return str(protocol.get("name") or protocol.get("id") or otherwise)


def _sides(protocol: Mapping[str, Any], names: Mapping[str, Mapping[str, Any]]) -> list[_Side]:
    sides = []
    for step in protocol.get("steps") or ():
        fields = step_fields(step, names)
        sides.append(_Side(step, fields, _substances(step, names)))
    return sides


def _substances(step: Mapping[str, Any], names: Mapping[str, Mapping[str, Any]]) -> frozenset[str]:
    keys = ("materials", "cryogens", "to_material", "resin")
    given = {k: v for k, v in step.items() if k in keys}
    values = (f.value for f in step_fields(given, names).values())
    return frozenset(v for v in values if isinstance(v, str))


def _title(side: _Side, names: Mapping[str, Mapping[str, Any]]) -> str:
    shown = {k: str(m.get("name") or k) for k, m in names.items()}
    content = step_words({"type": "OtherStep", **side.step}, shown)
    words = f"{class_words(side.kind)}: {content}" if content else class_words(side.kind)
    return words if len(words) <= 90 else f"{words[:89]}…"


def _likeness(x: _Side, y: _Side, at_x: float, at_y: float) -> float:
    """How alike two steps are, from 0 to 1; 1 only where nothing differs but the place."""
    if x.kind == y.kind:
        kind = 1.0
    else:
        kind = 0.5 if any({x.kind, y.kind} <= group for group in _RELATED) else 0.0
    if "unparsed_text" in x.step or "unparsed_text" in y.step:
        one, other = (
            str(s.step.get("unparsed_text") or s.step.get("description", "")) for s in (x, y)
        )
        return 0.3 * kind + 0.7 * SequenceMatcher(None, one, other, autojunk=False).ratio()
    either = x.substances | y.substances
    shared = len(x.substances & y.substances) / len(either) if either else 1.0
    keys = x.fields.keys() | y.fields.keys()
    equal = sum(k in x.fields and x.fields[k].same(y.fields.get(k)) for k in keys)
    fields = equal / len(keys) if keys else 1.0
    # the place only decides between equals, so it never makes a step unlike itself
    return 0.45 * kind + 0.35 * shared + 0.2 * fields - 0.01 * abs(at_x - at_y)


def _aligned(likeness: Sequence[Sequence[float]]) -> list[tuple[int, int]]:
    rows, columns = len(likeness), len(likeness[0]) if likeness else 0
    best = [[0.0] * (columns + 1) for _ in range(rows + 1)]
    for i in reversed(range(rows)):
        for j in reversed(range(columns)):
            paired = likeness[i][j] - _PAIR + best[i + 1][j + 1]
            best[i][j] = max(paired, best[i + 1][j], best[i][j + 1])
    pairs, i, j = [], 0, 0
    while i < rows and j < columns:
        if best[i][j] == likeness[i][j] - _PAIR + best[i + 1][j + 1] and likeness[i][j] > _PAIR:
            pairs.append((i, j))
            i, j = i + 1, j + 1
        elif best[i][j] == best[i + 1][j]:
            i += 1
        else:
            j += 1
    return pairs


def _moved(
    first: Sequence[_Side],
    second: Sequence[_Side],
    likeness: Sequence[Sequence[float]],
    pairs: Sequence[tuple[int, int]],
) -> list[tuple[int, int]]:
    left = set(range(len(first))) - {i for i, _ in pairs}
    right = set(range(len(second))) - {j for _, j in pairs}
    options = sorted(
        ((likeness[i][j], i, j) for i in left for j in right), key=lambda o: (-o[0], o[1], o[2])
    )
    found = []
    for alike, i, j in options:
        # a rinse is like any other: it was left out here and put in there
        if alike >= _MOVED and i in left and j in right and first[i].kind != "Rinsing":
            found.append((i, j))
            left.remove(i)
            right.remove(j)
    return found


def _different(x: _Side, y: _Side) -> Iterator[FieldDifference]:
    if x.kind != y.kind:
        yield FieldDifference("class", class_words(x.kind), class_words(y.kind))
    gone, new = x.fields.keys() - y.fields.keys(), y.fields.keys() - x.fields.keys()
    renamed = {
        old: now
        for old in gone
        for now in new
        if x.fields[old].same(y.fields[now]) and isinstance(x.fields[old].value, str)
    }
    aliases = {x.fields[o].words: y.fields[n].words for o, n in renamed.items()}
    skip: set[str] = set(renamed.values())
    for key, field in x.fields.items():
        other = y.fields.get(key)
        if other is None:
            twin = renamed.get(key) or _with_new_names(key, aliases)
            if twin and twin in y.fields:
                skip.add(twin)
                other = y.fields[twin]
        if not field.same(other):
            yield FieldDifference(key, field.words, other.words if other else "")
    for key, field in y.fields.items():
        if key not in x.fields and key not in skip:
            yield FieldDifference(key, "", field.words)


def _with_new_names(key: str, aliases: Mapping[str, str]) -> str | None:
    """Return the same field of a material that goes by another name there."""
    for old, now in aliases.items():
        if old and key.endswith(f" of {old}"):
            return f"{key.removesuffix(old)}{now}"
    return None
