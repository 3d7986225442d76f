"""Layer L2: identifiers of terms against the pinned snapshot; a code for each question."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from functools import cache
from typing import Any

from clemkit.errors import Problem
from clemkit.metadata.model_map import GENERATED, model_map
from clemkit.metadata.validate.walk import Thing

__all__ = ["check_terms", "pinned_terms"]

_FORMS = {
    "FBbi": r"[0-9]{8}", "EMG": r"[0-9]{8}", "OBI": r"[0-9]{7}", "CHMO": r"[0-9]{7}",
    "UO": r"[0-9]{7}", "GO": r"[0-9]{7}", "CL": r"[0-9]{7}", "UBERON": r"[0-9]{7}",
    "IAO": r"[0-9]{7}", "CHEBI": r"[1-9][0-9]*", "NCBITaxon": r"[1-9][0-9]*",
    "mesh": r"[CD][0-9]{6}([0-9]{3})?",
}  # fmt: skip
_BRANCHES = {
    "substance_term": ("reagent",),
    "instrument_term": ("device",),
    "imaging_method_terms": ("imaging_method",),
    "process_terms": ("process",),
    "label_target": ("structure", "anatomy", "cell"),
    "structures_used": ("structure", "anatomy", "cell"),
    "annotated_structures": ("structure", "anatomy", "cell"),
    "biological_entities": ("structure", "anatomy", "cell", "organism"),
    "location_terms": ("structure", "anatomy"),
    "fluorophore_term": ("reagent",),
    "taxon_id": ("organism",),
}


@cache
def pinned_terms() -> Mapping[str, Mapping[str, str]]:
    """Return the pinned terms: label, ontology, version, branch, status, replacement, synonyms."""
    content: dict[str, dict[str, str]] = json.loads(
        (GENERATED / "terms.json").read_text(encoding="utf-8")
    )
    return content


@cache
def _by_label() -> Mapping[tuple[str, str], str]:
    found: dict[tuple[str, str], str] = {}
    for curie, entry in pinned_terms().items():
        for label in _labels(entry):
            found.setdefault((curie.partition(":")[0], label), curie)
    return found


def check_terms(everything: Sequence[Thing]) -> list[Problem]:
    """Return what is wrong with the terms of a description."""
    found: list[Problem] = []
    for thing in everything:
        if thing.name == "OntologyTerm" and isinstance(thing.data.get("term"), str):
            label = thing.data.get("term_label")
            found += _term(thing.data["term"], label, thing.slot, (*thing.location, "term"))
        elif thing.name == "Taxon" and isinstance(thing.data.get("taxon_id"), str):
            name = thing.data.get("scientific_name")
            found += _term(thing.data["taxon_id"], name, "taxon_id", (*thing.location, "taxon_id"))
    return found


def _plain(label: str) -> str:
    return re.sub(r"[^a-z0-9]+", " ", label.lower()).strip()


def _labels(entry: Mapping[str, str]) -> set[str]:
    """Return the spellings of a label; an abbreviation in parentheses may be left out or alone."""
    spellings = {entry["label"], *entry.get("synonyms", "").split("|")}
    for label in tuple(spellings):
        if found := re.fullmatch(r"(.*\S)\s*[(]([^()]+)[)]", label):
            spellings |= {found[1], found[2]}
    return {_plain(label) for label in spellings if label}


def _term(curie: str, label: Any, slot: str, location: tuple[str | int, ...]) -> Iterator[Problem]:
    def problem(rule: str, message: str, hint: str, severity: Any = "error") -> Problem:
        return Problem(location, rule, severity, message, hint)

    prefix, _, local = curie.partition(":")
    if curie.startswith(("http:", "https:", "urn:")):
        return
    if prefix not in model_map()["prefixes"]:
        known = ", ".join(sorted(_FORMS))
        yield problem("L2-unknown-prefix", f"expected one of {known}; found {curie!r}", "check it")
        return
    form = _FORMS.get(prefix)
    if form and not re.fullmatch(form, local):
        yield problem("L2-malformed", f"expected {prefix}:{form}; found {curie!r}", "check it")
        return
    entry = pinned_terms().get(curie)
    given = _plain(label) if isinstance(label, str) else ""
    other = _by_label().get((prefix, given)) if given else None
    if entry is None:
        if other:
            message = f"expected the identifier of {label!r}; found {curie}"
            yield problem("L2-label", message, f"{label!r} is {other}")
        elif form:
            message = f"expected a pinned term; found {curie}, which is not among them"
            hint = "check it in its ontology; the pinned terms are a selection"
            yield problem("L2-unknown-term", message, hint, "warning")
        return
    if entry.get("status") == "obsolete":
        replacement = entry.get("replaced_by")
        hint = f"use {replacement}" if replacement else "choose another term"
        yield problem("L2-obsolete", f"expected a current term; found {curie}, obsolete", hint)
        return
    wanted = _BRANCHES.get(slot)
    if wanted and entry["branch"] not in wanted:
        message = f"expected {' or '.join(wanted)}; found {curie}, {entry['label']!r}"
        yield problem("L2-branch", message, f"this is of the branch {entry['branch']}")
    if given and given not in _labels(entry):
        message = f"expected {entry['label']!r} as label of {curie}; found {label!r}"
        hint = f"{label!r} is {other}" if other else f"see {entry['ontology']} {entry['version']}"
        yield problem("L2-label", message, hint)
