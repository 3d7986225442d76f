"""Entries of EMPIAR's public API in the form of deposition documents.

The API writes labels where a deposition has codes, numbers as text, empty text where a deposition
has null, references as bare text, and people inside an ``author`` object; and it adds what EMPIAR
itself knows: status, dates, size, DOI.

References
----------
.. [1] Entries of EMPIAR's API as stored in the tests of the BioImage Archive's ingest tools.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final

from clemkit.deposition.empiar.codes import (
    PAIRED_FIELDS,
    experiment_type_of,
    pair_of_label,
    parse_pair,
    scale_of,
)
from clemkit.deposition.empiar.countries import country_code
from clemkit.deposition.empiar.fields import CITATION, CONTACT, IMAGE_SET, Field
from clemkit.deposition.empiar.names import parse_name, parse_printed, tuple_name
from clemkit.errors import Problem

__all__ = ["ApiEntry", "api_entries", "as_deposition"]


@dataclass(frozen=True, slots=True)
class ApiEntry:
    """An entry of the API, taken apart.

    Attributes
    ----------
    accession : str
        Such as ``EMPIAR-12104``.
    document : dict
        What a deposition document holds as well, in its form.
    further : dict
        The rest, by the path it had, as the API wrote it.
    problems : tuple of Problem
        What could not be understood; locations are paths in the API entry.
    """

    accession: str
    document: dict[str, Any]
    further: dict[str, Any]
    problems: tuple[Problem, ...]


_REFERENCES: Final = (
    "cross_references", "biostudies_references", "idr_references", "empiar_references",
)  # fmt: skip
_PLAIN_TOP: Final = ("title", "workflows", "workflow_file")


def api_entries(content: Mapping[str, Any]) -> dict[str, Mapping[str, Any]]:
    """Return the entries of an answer of the API by their accessions; none for anything else.

    Parameters
    ----------
    content : mapping
        Entries keyed by accession, as the API answers, or one entry without its key.
    """
    if not content:
        return {}
    if all(
        isinstance(entry, Mapping) and (name.startswith("EMPIAR-") or "imagesets" in entry)
        for name, entry in content.items()
    ):
        return dict(content)
    label = content.get("experiment_type")
    if "entry_doi" in content or (isinstance(label, str) and experiment_type_of(label)):
        return {str(content.get("entry_doi") or "").rpartition("/")[2] or "EMPIAR-entry": content}
    return {}


def as_deposition(accession: str, entry: Mapping[str, Any]) -> ApiEntry:
    """Return an entry of the API in the form of a deposition document.

    Parameters
    ----------
    accession : str
        Its key in the answer.
    entry : mapping
        The entry.
    """
    reader = _Reader(accession)
    reader.top(entry)
    return ApiEntry(accession, reader.document, reader.further, tuple(reader.problems))


class _Reader:
    """Collects what is read from one entry."""

    def __init__(self, accession: str) -> None:
        self.accession = accession
        self.document: dict[str, Any] = {}
        self.further: dict[str, Any] = {}
        self.problems: list[Problem] = []

    def top(self, entry: Mapping[str, Any]) -> None:
        known = {
            "experiment_type": self._experiment_type,
            "scale": self._scale,
            "authors": self._authors,
            "corresponding_author": self._contact,
            "principal_investigator": self._contacts,
            "imagesets": self._image_sets,
            "citation": self._citations,
        }
        for key, value in entry.items():
            if value in (None, "", []):
                continue
            if key in known:
                known[key](value, (self.accession, key))
            elif key in _REFERENCES:
                self.document[key] = [_reference(v) for v in value]
            elif key in _PLAIN_TOP or (key == "release_date" and value in ("RE", "EP", "HP", "HO")):
                self.document[key] = value
            else:
                self.further[key] = value

    def _unread(self, place: tuple[str | int, ...], wanted: str, found: object) -> None:
        message = f"expected {wanted}; found {found!r}"
        hint = "fill it in after the import"
        self.problems.append(Problem(place, "empiar-unread", "warning", message, hint))

    def _experiment_type(self, value: object, place: tuple[str | int, ...]) -> None:
        code = value if isinstance(value, int) else experiment_type_of(str(value))
        if code is None:
            self._unread(place, "a type of experiment", value)
            self.further["experiment_type"] = value
        else:
            self.document["experiment_type"] = code

    def _scale(self, value: object, place: tuple[str | int, ...]) -> None:
        code = scale_of(str(value))
        if code is None:
            self._unread(place, "a scale", value)
            self.further["scale"] = value
        else:
            self.document["scale"] = code

    def _authors(self, value: Any, place: tuple[str | int, ...]) -> None:
        self.document["authors"] = list(self._people(value, place))

    def _people(self, value: Any, place: tuple[str | int, ...]) -> Iterator[dict[str, Any]]:
        for index, item in enumerate(value if isinstance(value, list) else []):
            person = _inside(item)
            name = str(person.get("name") or "")
            split = parse_name(name) or parse_printed(name)
            if split is None:
                self._unread((*place, index, "name"), "surname and initials", name)
            order = person.get("order_id")
            yield {
                "name": tuple_name(*split) if split else name,
                "order_id": order if isinstance(order, int) else index,
                "author_orcid": person.get("author_orcid") or None,
            }

    def _contacts(self, value: Any, place: tuple[str | int, ...]) -> None:
        people = value if isinstance(value, list) else [value]
        read = [self._one_contact(item, (*place, i)) for i, item in enumerate(people)]
        self.document["principal_investigator"] = [person for person in read if person]

    def _contact(self, value: Any, place: tuple[str | int, ...]) -> None:
        if person := self._one_contact(value, place):
            self.document["corresponding_author"] = person

    def _one_contact(self, value: Any, place: tuple[str | int, ...]) -> dict[str, Any]:
        person = dict(_inside(value))
        name = str(person.pop("name", None) or "")
        entry = {k: v for k in CONTACT if (v := person.pop(k, None)) not in (None, "")}
        if name and "last_name" not in entry:
            split = parse_name(name) or parse_printed(name)
            entry["last_name"] = split[0] if split else name
            if split:
                entry["first_name"] = split[1]
        if "country" in entry and (code := country_code(str(entry["country"]))):
            entry["country"] = code
        self._keep(person, place)
        return entry

    def _keep(self, rest: Mapping[str, Any], place: tuple[str | int, ...]) -> None:
        for key, value in rest.items():
            if value not in (None, "", []):
                self.further["/".join(str(p) for p in (*place[1:], key))] = value

    def _image_sets(self, value: Any, place: tuple[str | int, ...]) -> None:
        sets = []
        for index, item in enumerate(value if isinstance(value, list) else []):
            rest = dict(item)
            where = (*place, index)
            entry: dict[str, Any] = {}
            for key, field in IMAGE_SET.items():
                value = _typed(rest.get(key), key, field)
                if value is not None and isinstance(value, str) is (field.kind == "text"):
                    entry[key] = value
                    del rest[key]
                elif value is not None:
                    self._unread((*where, key), "a number", value)
            self._keep(rest, where)
            sets.append(entry)
        self.document["imagesets"] = sets

    def _citations(self, value: Any, place: tuple[str | int, ...]) -> None:
        papers = []
        for index, item in enumerate(value if isinstance(value, list) else []):
            rest = dict(item)
            where = (*place, index)
            entry: dict[str, Any] = {
                key: list(self._people(rest.pop(key), (*where, key)))
                for key in ("authors", "editors")
                if isinstance(rest.get(key), list)
            }
            for key, field in CITATION.items():
                if key in rest:
                    entry[key] = _typed(rest.pop(key), key, field)
            if isinstance(entry.get("country"), str):
                entry["country"] = country_code(entry["country"]) or entry["country"]
            self._keep(rest, where)
            papers.append(entry)
        self.document["citation"] = papers


def _inside(item: Any) -> Mapping[str, Any]:
    """Return the person inside ``{author: …}``, or the person itself."""
    if isinstance(item, Mapping) and isinstance(item.get("author"), Mapping):
        return {**{k: v for k, v in item.items() if k != "author"}, **item["author"]}
    return item if isinstance(item, Mapping) else {"name": str(item)}


def _reference(item: Any) -> dict[str, Any]:
    return dict(item) if isinstance(item, Mapping) else {"name": str(item)}


def _typed(value: Any, key: str, field: Field) -> Any:
    """Return a value in the type of the deposition: numbers from text, null from empty text."""
    if value == "":
        return None
    if key in PAIRED_FIELDS and isinstance(value, str) and parse_pair(value) is None:
        return pair_of_label(key, value)
    if field.kind in ("integer", "number") and isinstance(value, str):
        try:
            number = float(value)
        except ValueError:
            return value
        return int(number) if number.is_integer() and field.kind == "integer" else number
    if field.kind == "text" and isinstance(value, int | float) and not isinstance(value, bool):
        return str(value)
    return value
