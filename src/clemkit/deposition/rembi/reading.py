"""What readers of REMBI documents share: fields that are taken, ids, what is left."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from clemkit.deposition.bia.identifiers import taxon_curie
from clemkit.deposition.kept import keep, not_in_model
from clemkit.errors import Problem

__all__ = ["Fields", "Reading", "organism", "plain"]

Location = tuple[str | int, ...]


def plain(value: Any) -> Any:
    """Return a value without empty parts; None where nothing is left."""
    if isinstance(value, Mapping):
        found = {k: p for k, v in value.items() if (p := plain(v)) is not None}
        return found or None
    if isinstance(value, list):
        items = [p for v in value if (p := plain(v)) is not None]
        return items or None
    text = value.strip() if isinstance(value, str) else value
    return None if text in ("", None) else value


class Fields:
    """One mapping of a document, from which fields are taken.

    Parameters
    ----------
    data : mapping
        The mapping.
    location : tuple of str or int
        Its place in the document.
    """

    def __init__(self, data: Any, location: Location) -> None:
        self.location = location
        content = plain(data)
        self._left: dict[str, Any] = dict(content) if isinstance(content, Mapping) else {}

    def text(self, name: str) -> str:
        """Take a field that is one text or number, and return it."""
        value = self._left.get(name)
        if isinstance(value, str | int | float) and not isinstance(value, bool):
            del self._left[name]
            return str(getattr(value, "written", value)).strip()
        return ""

    def texts(self, name: str) -> list[str]:
        """Take a field that is one text or several, and return them."""
        value = self._left.get(name)
        items = value if isinstance(value, list) else [value]
        if value is None or not all(isinstance(i, str | int | float) for i in items):
            return []
        del self._left[name]
        return [str(getattr(i, "written", i)).strip() for i in items]

    def items(self, name: str) -> list[tuple[Any, Location]]:
        """Take a field that is a list of mappings, and return them with their places."""
        value = self._left.get(name)
        items = value if isinstance(value, list) else [value]
        if value is None or not all(isinstance(i, Mapping) for i in items):
            return []
        del self._left[name]
        return [(item, (*self.location, name, i)) for i, item in enumerate(items)]

    def put_back(self, name: str, value: Any) -> None:
        """Put back what was taken and could not be used."""
        self._left[name] = value

    def rest(self) -> dict[str, Any]:
        """Return what nobody took."""
        return self._left


class Reading:
    """Ids and findings of one document.

    Parameters
    ----------
    form : str
        Name of the form, before what is kept.
    """

    def __init__(self, form: str) -> None:
        self.form = form
        self.found: list[Problem] = []
        self._taken: set[str] = {"study"}

    def new_id(self, wanted: str, fallback: str) -> str:
        """Return an id of the model, each once."""
        text = re.sub(r"[^A-Za-z0-9._-]+", "-", wanted).strip("-._")[:60].strip("-._") or fallback
        name, number = text, 2
        while name in self._taken:
            name, number = f"{text}-{number}", number + 1
        self._taken.add(name)
        return name

    def keep_rest(self, fields: Fields, thing: dict[str, Any]) -> None:
        """Keep what nobody took of *fields* in *thing*, and say so."""
        for name, value in fields.rest().items():
            keep(thing, self.form, name, value)
            place = (*fields.location, name)
            self.found.append(not_in_model(place, repr(name), str(thing.get("id", "it"))))


def organism(scientific: str, common: str, taxon: str) -> tuple[dict[str, str], str]:
    """Return an organism of the model, and a taxon identifier that is none."""
    found = {"scientific_name": scientific or common or "not named"}
    if common and scientific:
        found["common_name"] = common
    curie = taxon_curie(taxon) if taxon else None
    if curie:
        found["taxon_id"] = curie
    return found, "" if curie else taxon
