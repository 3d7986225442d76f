"""Looking things up in a description, and reporting what it lacks."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from clemkit.errors import Problem
from clemkit.metadata.validate.quantities import base_value

__all__ = ["Described", "Location", "mappings", "missing", "nanometres", "note", "texts"]

Location = tuple[str | int, ...]


@dataclass(frozen=True)
class Described:
    """A description as plain data in long form, with its things by their ids.

    Attributes
    ----------
    data : mapping
        An experiment of the model.
    """

    data: Mapping[str, Any]

    @cached_property
    def _things(self) -> Mapping[str, tuple[Location, Mapping[str, Any]]]:
        found: dict[str, tuple[Location, Mapping[str, Any]]] = {}
        for key, value in self.data.items():
            for index, thing in enumerate(value if isinstance(value, list) else ()):
                if isinstance(thing, Mapping) and isinstance(thing.get("id"), str):
                    found.setdefault(thing["id"], ((key, index), thing))
        return found

    @property
    def study(self) -> Mapping[str, Any]:
        """The study; empty where none is described."""
        study = self.data.get("study")
        return study if isinstance(study, Mapping) else {}

    def thing(self, name: object) -> Mapping[str, Any]:
        """Return the thing with the id *name*; empty when there is none."""
        return self._things.get(str(name), ((), {}))[1]

    def place(self, name: object) -> Location:
        """Return where the thing with the id *name* stands; empty when there is none."""
        return self._things.get(str(name), ((), {}))[0]

    def all(self, key: str) -> Iterator[tuple[Location, Mapping[str, Any]]]:
        """Yield the things of a list of the experiment with their places."""
        value = self.data.get(key)
        for index, thing in enumerate(value if isinstance(value, list) else ()):
            if isinstance(thing, Mapping):
                yield (key, index), thing

    def named(self, name: object) -> str:
        """Return the name of a thing for people; its id when it has none."""
        return str(self.thing(name).get("name") or name)


def mappings(value: object) -> list[Mapping[str, Any]]:
    """Return the mappings in a list; an empty list for anything else."""
    return [v for v in value if isinstance(v, Mapping)] if isinstance(value, list) else []


def texts(value: object) -> list[str]:
    """Return the texts in a list; an empty list for anything else."""
    return [v for v in value if isinstance(v, str)] if isinstance(value, list) else []


def nanometres(quantity: object) -> float | None:
    """Return a length in nanometres, without the noise of the last binary digits."""
    metres = base_value(quantity)
    return None if metres is None else float(f"{metres * 1e9:.12g}")


def missing(place: Location, what: str, hint: str) -> Problem:
    """Return that a field is missing in the description; *place* is the field to fill in."""
    return Problem(place, "empiar-missing", "error", f"expected {what}; found none", hint)


def note(place: Location, rule: str, message: str, hint: str = "") -> Problem:
    """Return a remark on how something was done; it stops nothing."""
    return Problem(place, rule, "warning", message, hint)
