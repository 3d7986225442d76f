"""Entries and documents of EMPIAR back into the description, without losing anything.

What has a field in the model goes there. The description is then built again, and all that the
built document lacks or has differently is kept as ``archive_settings``: ``build(import(x)) == x``.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from clemkit.deposition.empiar.api_entry import api_entries, as_deposition
from clemkit.deposition.empiar.countries import country_code
from clemkit.deposition.empiar.description import mappings
from clemkit.deposition.empiar.document import build_deposition
from clemkit.deposition.empiar.imported_images import acquisitions_of, images_of
from clemkit.deposition.empiar.imported_study import people_of, publications_of, study_of
from clemkit.deposition.empiar.settings import as_setting, differences, is_gap
from clemkit.errors import ArgumentError, InvalidMetadataError, Problem

__all__ = ["ImportedEntry", "import_entry"]

_API = "empiar-api:"
_PLACED = ("entry_doi", "grant_references", "release_date")


@dataclass(frozen=True, slots=True)
class ImportedEntry:
    """A description read from EMPIAR.

    Attributes
    ----------
    data : dict
        The description as plain data in long form.
    problems : tuple of Problem
        What could not be understood, and what has no field in the model and is kept in
        ``archive_settings``; locations are paths in the document that was read.
    accession : str or None
        Accession of an entry; None for a deposition document.
    """

    data: dict[str, Any]
    problems: tuple[Problem, ...]
    accession: str | None = None


def import_entry(content: object, accession: str | None = None) -> ImportedEntry:
    """Return the description in an answer of EMPIAR's API or in a deposition document.

    Parameters
    ----------
    content : object
        The content of the JSON file: entries keyed by accession, or one deposition document.
    accession : str, optional
        Which entry, where the answer holds several.

    Raises
    ------
    InvalidMetadataError
        The content is neither.
    ArgumentError
        The answer holds several entries and none was chosen, or not the one that was.
    """
    if not isinstance(content, Mapping) or not content:
        found = type(content).__name__ if not isinstance(content, Mapping) else "an empty object"
        raise InvalidMetadataError(
            f"EMPIAR entry: expected entries keyed by accession, or a deposition document; "
            f"found {found}"
        )
    entries = api_entries(content)
    if not entries:
        return _imported(dict(content))
    listed = ", ".join(list(entries)[:5])
    if accession is None and len(entries) > 1:
        raise ArgumentError(f"EMPIAR entry: expected one; found {listed}; choose one by accession")
    chosen = accession or next(iter(entries))
    if chosen not in entries:
        raise ArgumentError(f"EMPIAR entry: expected {chosen}; found {listed}")
    entry = as_deposition(chosen, entries[chosen])
    read = _imported(entry.document, exact=False)
    _add_entry(read.data, chosen, entry.further)
    kept = [
        _leftover((chosen, *key.split("/")), key) for key in entry.further if key not in _PLACED
    ]
    return ImportedEntry(read.data, (*entry.problems, *read.problems, *kept), chosen)


def _imported(document: dict[str, Any], *, exact: bool = True) -> ImportedEntry:
    """Return the description of a document; not *exact* forgets gaps, which are to be filled."""
    agents, contributions = people_of(document)
    images = images_of(document)
    data: dict[str, Any] = {"id": "imported-entry"}
    data["study"] = study_of(document)
    if contributions:
        data["study"]["contributions"] = contributions
    if papers := publications_of(document):
        data["study"]["publications"] = papers
    if agents:
        data["agents"] = agents
    if acquisitions := acquisitions_of(document):
        data["acquisitions"] = acquisitions
        for image in images:
            image["acquired_by"] = acquisitions[0]["id"]
    if images:
        data["images"] = images
    return ImportedEntry(data, tuple(_keep_rest(data, document, exact)))


def _keep_rest(data: dict[str, Any], document: Mapping[str, Any], exact: bool) -> Iterator[Problem]:
    """Store what the description does not give back, and yield where that is."""
    built = build_deposition(data, draft=True).document
    for path, value in list(differences(built, document)):
        if not exact and (is_gap(value) or path[0] == "authors" or path[-1] == "details"):
            # a gap of an old entry must not stay one; the others are agents and descriptions
            continue
        holder, inner = _holder(data, path)
        holder.setdefault("archive_settings", []).append(as_setting(inner, value))
        yield _leftover(path, "/".join(str(p) for p in path))


def _holder(
    data: dict[str, Any], path: tuple[str | int, ...]
) -> tuple[dict[str, Any], tuple[str | int, ...]]:
    """Return the thing that keeps a path of the document, and the path inside its part."""
    lists = {"imagesets": data.get("images"), "citation": data["study"].get("publications")}
    things = lists.get(str(path[0])) if len(path) > 2 else None
    if things and isinstance(path[1], int) and path[1] < len(things):
        return things[path[1]], path[2:]
    return data["study"], path


def _leftover(path: tuple[str | int, ...], shown: str) -> Problem:
    message = f"expected a field of the description that gives {shown} back; found none"
    hint = "it is kept in archive_settings"
    return Problem(path, "empiar-leftover", "warning", message, hint)


def _add_entry(data: dict[str, Any], accession: str, further: Mapping[str, Any]) -> None:
    """Add what only an entry has: accession, DOI, grants, dates, status."""
    study = data["study"]
    data["id"] = accession.lower()
    rest = dict(further)
    study["identifiers"] = [{"identifier_scheme": "EMPIAR", "identifier_value": accession}]
    if doi := rest.pop("entry_doi", None):
        study["identifiers"].append({"identifier_scheme": "DOI", "identifier_value": str(doi)})
    study["repository"] = "EMPIAR"
    if day := rest.pop("release_date", None):
        study["release_date"] = str(day)[:10]
    for index, grant in enumerate(mappings(rest.pop("grant_references", None))):
        _add_grant(data, index, grant)
    for key, value in rest.items():
        text = json.dumps(value, ensure_ascii=False)
        setting = {"parameter_name": _API + key, "parameter_json": text}
        study.setdefault("archive_settings", []).append(setting)


def _add_grant(data: dict[str, Any], index: int, grant: Mapping[str, Any]) -> None:
    name = f"funder-{index + 1}"
    funding: dict[str, Any] = {}
    if grant.get("funding_body"):
        agency = {"id": name, "type": "Organization", "name": str(grant["funding_body"])}

        if code := country_code(str(grant.get("country") or "")):
            agency["country_code"] = code
        data.setdefault("agents", []).append(agency)
        funding["funder"] = name
    if grant.get("code"):
        funding["grant_number"] = str(grant["code"])
    more = {k: v for k, v in grant.items() if k not in ("funding_body", "code", "country") and v}
    if more:
        funding["description"] = json.dumps(more, ensure_ascii=False)
    data["study"].setdefault("funding", []).append(funding)
