"""What differs between two deposition documents; lists are matched by what their items name."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final, Literal

from clemkit.deposition.empiar.codes import PAIRED_FIELDS, label_of

__all__ = ["DepositionChange", "DepositionDifference", "diff_depositions"]

Location = tuple[str, ...]
_LONGEST: Final = 120  # characters of a value in a line


@dataclass(frozen=True, slots=True)
class DepositionChange:
    """One difference.

    Attributes
    ----------
    kind : {"added", "removed", "changed"}
        What happened from the first document to the second.
    location : tuple of str
        Path; items of lists are named, not numbered.
    before, after : object
        Values; None where there is none.
    """

    kind: Literal["added", "removed", "changed"]
    location: Location
    before: Any = None
    after: Any = None

    def __str__(self) -> str:
        where = " / ".join(self.location)
        field = self.location[-1] if self.location else ""
        before, after = self.before, self.after
        if isinstance(before, str) and isinstance(after, str):
            before, after = _differing(before, after)
        before, after = _shown(field, before), _shown(field, after)
        if self.kind == "added":
            return f"+ {where}: {after}"
        return (
            f"- {where}: {before}" if self.kind == "removed" else f"~ {where}: {before} -> {after}"
        )


@dataclass(frozen=True, slots=True)
class DepositionDifference:
    """All differences of two documents, in the order of the first one."""

    changes: tuple[DepositionChange, ...]

    def __bool__(self) -> bool:
        return bool(self.changes)

    def lines(self) -> Iterator[str]:
        """Yield one line per difference and a summary."""
        for change in self.changes:
            yield str(change)
        kinds = [c.kind for c in self.changes]
        if not kinds:
            yield "no difference"
        else:
            yield ", ".join(f"{kinds.count(k)} {k}" for k in ("added", "removed", "changed"))

    def to_dict(self) -> dict[str, Any]:
        """Return JSON-ready data."""
        changes = [
            {"kind": c.kind, "location": list(c.location), "before": c.before, "after": c.after}
            for c in self.changes
        ]
        return {"same": not changes, "changes": changes}


def diff_depositions(first: Mapping[str, Any], second: Mapping[str, Any]) -> DepositionDifference:
    """Return what differs from *first* to *second*.

    Image sets are matched by their folders, then by their names; people by their names, references
    by what they refer to, citations by DOI or title. A null and a key that is absent are the same.

    Parameters
    ----------
    first, second : mapping
        Deposition documents.
    """
    return DepositionDifference(tuple(_mapping(first, second, ())))


def _mapping(one: Mapping[str, Any], two: Mapping[str, Any], place: Location) -> Iterator[Any]:
    for key in dict.fromkeys([*one, *two]):
        yield from _value(one.get(key), two.get(key), (*place, str(key)))


def _value(one: Any, two: Any, place: Location) -> Iterator[DepositionChange]:
    one, two = (None if v in ([], {}) else v for v in (one, two))
    if one == two and isinstance(one, bool) is isinstance(two, bool):
        return
    if isinstance(one, Mapping) and isinstance(two, Mapping):
        yield from _mapping(one, two, place)
    elif isinstance(one, list | None) and isinstance(two, list | None) and (one or two):
        yield from _list(one or [], two or [], place)
    elif one is None:
        yield DepositionChange("added", place, None, two)
    elif two is None:
        yield DepositionChange("removed", place, one, None)
    else:
        yield DepositionChange("changed", place, one, two)


def _list(one: list[Any], two: list[Any], place: Location) -> Iterator[DepositionChange]:
    pairs = _matched(one, two, _NAMES.get(place[-1], ()))
    taken = {j for _, j in pairs}
    partner = dict(pairs)
    for i, item in enumerate(one):
        where = (*place, _title(item, i))
        if i in partner:
            yield from _value(item, two[partner[i]], where)
        else:
            yield DepositionChange("removed", where, item, None)
    for j, item in enumerate(two):
        if j not in taken:
            yield DepositionChange("added", (*place, _title(item, j)), None, item)


def _matched(
    one: list[Any], two: list[Any], names: tuple[Callable[[Any], Any], ...]
) -> list[tuple[int, int]]:
    pairs: list[tuple[int, int]] = []
    for name in (*names, lambda item: item):
        left = [i for i in range(len(one)) if i not in {a for a, _ in pairs}]
        right = [j for j in range(len(two)) if j not in {b for _, b in pairs}]
        for i in left:
            key = _named(name, one[i])
            found = next((j for j in right if key and _named(name, two[j]) == key), None)
            if found is not None:
                pairs.append((i, found))
                right.remove(found)
    return pairs


def _named(name: Callable[[Any], Any], item: Any) -> Any:
    try:
        return name(item)
    except (AttributeError, TypeError):
        return None


def _key(key: str) -> Callable[[Any], Any]:
    return lambda item: item.get(key)


def _folder(item: Any) -> str:
    return str(item.get("directory") or "").strip("/")


_NAMES: Final[Mapping[str, tuple[Callable[[Any], Any], ...]]] = {
    "imagesets": (_folder, _key("name")),
    "authors": (_key("name"), _key("author_orcid")),
    "editors": (_key("name"), _key("author_orcid")),
    "principal_investigator": (_key("author_orcid"), _key("last_name"), _key("email")),
    "citation": (_key("doi"), _key("title")),
    "cross_references": (_key("name"),),
    "biostudies_references": (_key("name"),),
    "idr_references": (_key("name"),),
    "empiar_references": (_key("name"),),
    "workflows": (_key("url"),),
}


def _title(item: Any, index: int) -> str:
    if isinstance(item, Mapping):
        for key in ("name", "last_name", "title", "url", "directory"):
            if item.get(key):
                return str(item[key])
    return str(index)


def _differing(before: str, after: str) -> tuple[str, str]:
    """Return what differs in two long texts, with the word before and after it."""
    if max(len(before), len(after)) <= _LONGEST:
        return before, after
    one, two = before.split(), after.split()
    start = 0
    while start < min(len(one), len(two)) and one[start] == two[start]:
        start += 1
    end = 0
    while end < min(len(one), len(two)) - start and one[-1 - end] == two[-1 - end]:
        end += 1
    first = max(start - 2, 0)
    parts = [words[first : len(words) - max(end - 2, 0)] for words in (one, two)]
    marks = ("… " if first else "", " …" if end > 2 else "")
    texts = [f"{marks[0]}{' '.join(part)}{marks[1]}" for part in parts]
    return texts[0], texts[1]


def _shown(field: str, value: Any) -> str:
    if field in PAIRED_FIELDS and (label := label_of(field, value)):
        return f"{label} {value}"
    if isinstance(value, Mapping):
        return _title(value, 0)
    text = value if isinstance(value, str) else repr(value)
    return text if len(text) <= _LONGEST else f"{text[: _LONGEST - 3]}..."
