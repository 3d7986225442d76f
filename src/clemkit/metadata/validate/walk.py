"""Walk through a description: every object with its class and place, as the model declares them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from clemkit.metadata.model_map import model_map
from clemkit.metadata.shorthand import concrete_class

__all__ = ["Thing", "things"]


@dataclass(frozen=True, slots=True)
class Thing:
    """One object of a description: its class, its place, its fields, the slot that holds it."""

    name: str
    location: tuple[str | int, ...]
    data: Mapping[str, Any]
    slot: str


def things(
    data: Any, declared: str | None = None, location: tuple[str | int, ...] = (), slot: str = ""
) -> Iterator[Thing]:
    """Yield every object inside *data* that has a class; others are for layer L1 to report."""
    mapping = model_map()
    declared = declared or mapping["root"]
    if not isinstance(data, Mapping) or (name := concrete_class(str(declared), data)) is None:
        return
    yield Thing(name, location, data, slot)
    for key, value in data.items():
        entry = mapping["slots"].get(key)
        if entry is None or entry["kind"] != "class" or not entry["inlined"]:
            continue
        if isinstance(value, list):
            for index, item in enumerate(value):
                yield from things(item, entry["range"], (*location, key, index), key)
        else:
            yield from things(value, entry["range"], (*location, key), key)
