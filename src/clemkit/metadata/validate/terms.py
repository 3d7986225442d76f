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

__all__ = ["check_terms", "pinned_terms", "term_named"]

_FORMS = {
    "FBbi": r"[0-9]{8}", "EMG": r"[0-9]{8}", "OBI": r"[0-9]{7}", "CHMO": r"[0-9]{7}",
    "UO": r"[0-9]{7}", "GO": r"[0-9]{7}", "CL": r"[0-9]{7}", "UBERON": r"[0-9]{7}",
    "IAO": r"[0-9]{7}", "CHEBI": r"[1-9][0-9]*", "NCBITaxon": r"[1-9][0-9]*",
    "mesh": r"[CD][0-9]{6}([0-9]{3})?",
}  # fmt: skip
_PREFIXES = {prefix.lower(): prefix for prefix in _FORMS}
_COMMON_NAMES = {
    "human": "NCBITaxon:9606", "mouse": "NCBITaxon:10090", "rat": "NCBITaxon:10116",
    "fly": "NCBITaxon:7227", "fruit fly": "NCBITaxon:7227", "drosophila": "NCBITaxon:7227",
    "zebrafish": "NCBITaxon:7955", "yeast": "NCBITaxon:4932", "worm": "NCBITaxon:6239",
    "c elegans": "NCBITaxon:6239", "e coli": "NCBITaxon:562", "arabidopsis": "NCBITaxon:3702",
    "chicken": "NCBITaxon:9031", "pig": "NCBITaxon:9823", "xenopus": "NCBITaxon:8355",
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


@cache
def _names() -> Mapping[str, str]:
    found: dict[str, str] = {}
    for curie, entry in pinned_terms().items():
        if entry.get("status") != "obsolete":
            for label in _labels(entry):
                found.setdefault(label, curie)
    return found


def term_named(text: str) -> str | None:
    """Return the pinned term that *text* probably means: a label, or an identifier misspelt."""
    prefix, _, local = text.strip().replace("_", ":", 1).partition(":")
    proper = _PREFIXES.get(prefix.lower())
    if proper and local:
        width = re.fullmatch(r"\[0-9\]\{([0-9])\}", _FORMS[proper])
        curie = f"{proper}:{local.zfill(int(width[1])) if width else local}"
        return curie if curie in pinned_terms() else None
    return _names().get(_plain(text)) if _plain(text) else None


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
        elif thing.name == "Taxon" and isinstance(thing.data.get("scientific_name"), str):
            found += _common_name(thing)
    return found


def _common_name(taxon: Thing) -> Iterator[Problem]:
    name = str(taxon.data["scientific_name"])
    curie = _COMMON_NAMES.get(_plain(name))
    if curie:
        proper = pinned_terms()[curie]["label"]
        message = f"expected a scientific name such as {proper}; found {name!r}"
        hint = f"write scientific_name: {proper}, common_name: {name}, taxon_id: {curie}"
        place = (*taxon.location, "scientific_name")
        yield Problem(place, "L2-common-name", "warning", message, hint)


def _did_you_mean(curie: str) -> str:
    term = term_named(curie)
    prefix, _, local = curie.partition(":")
    proper = _PREFIXES.get(prefix.lower())
    if term is None and proper and proper != prefix:
        term = f"{proper}:{local}"
    return f"did you mean {term!r}?" if term else "check it"


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
        message = f"expected one of {known}; found {curie!r}"
        yield problem("L2-unknown-prefix", message, _did_you_mean(curie))
        return
    form = _FORMS.get(prefix)
    if form and not re.fullmatch(form, local):
        message = f"expected {prefix}:{form}; found {curie!r}"
        yield problem("L2-malformed", message, _did_you_mean(curie))
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
        source = f"{entry['ontology']} {entry['version']}"
        hint = f"{label!r} is {other}" if other else f"write {entry['label']!r}, see {source}"
        yield problem("L2-label", message, hint)
