"""Checking search crates of foundingGIDE against the mandatory list of the profile 0.2."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from datetime import date
from typing import Any, Final

from clemkit.deposition.rocrate.graph import METADATA
from clemkit.deposition.rocrate.samples import EXTRA_TERMS
from clemkit.errors import Problem

__all__ = ["GIDE_RULES", "check_gide_crate"]

GIDE_RULES: Final[Mapping[str, str]] = {
    "GC-address": "The dataset has no absolute address.",
    "GC-context": "The context gives a term of the profile another meaning.",
    "GC-descriptor": "The metadata do not describe one dataset after RO-Crate 1.2 or newer.",
    "GC-json": "The metadata are not an RO-Crate.",
    "GC-required": "A mandatory property is missing or has no value.",
    "GC-target": "A mandatory property does not lead to what it has to.",
}
_FBBI = re.compile(r"http://purl[.]obolibrary[.]org/obo/FBbi_[0-9]{8}")
_TEXTS = ("name", "description", "datePublished", "license")
_LINKS = ("author", "publisher", "about", "measurementMethod")


def check_gide_crate(content: bytes | Mapping[str, bytes]) -> tuple[Problem, ...]:
    """Return what is wrong with a search crate.

    Parameters
    ----------
    content : bytes or mapping of str to bytes
        The metadata, or the files of the crate by name.
    """
    raw = content if isinstance(content, bytes) else content.get(METADATA, b"")
    try:
        document = json.loads(raw)
        nodes = {str(n["@id"]): n for n in document["@graph"]}
        context = document["@context"]
    except (ValueError, KeyError, TypeError) as error:
        return (_error((METADATA,), "GC-json", f"expected an RO-Crate; found {error!r}"),)
    found = list(_context(context))
    descriptors = [n for n in nodes.values() if str(n["@id"]).endswith(METADATA)]
    target = _links(descriptors[0].get("about")) if len(descriptors) == 1 else []
    if len(target) != 1 or target[0] not in nodes:
        message = "expected one descriptor that is about one dataset; found none"
        return (*found, _error(("@graph",), "GC-descriptor", message))
    version = re.search(r"ro/crate/1[.]([0-9]+)", json.dumps(descriptors[0].get("conformsTo")))
    if not version or int(version[1]) < 2:
        message = "expected conformsTo RO-Crate 1.2 or newer; found another"
        found.append(_error((METADATA, "conformsTo"), "GC-descriptor", message))
    return (*found, *_dataset(nodes[target[0]], nodes))


def _error(place: tuple[str | int, ...], rule: str, message: str, hint: str = "") -> Problem:
    return Problem(place, rule, "error", message, hint)


def _context(context: Any) -> Iterator[Problem]:
    for part in context if isinstance(context, list) else [context]:
        for term, meaning in part.items() if isinstance(part, Mapping) else ():
            wanted = EXTRA_TERMS.get(term)
            if wanted is not None and _iri(meaning, part) != _iri(wanted, EXTRA_TERMS):
                message = f"expected {term} to mean {_iri(wanted, EXTRA_TERMS)}; found {meaning}"
                yield _error(("@context", term), "GC-context", message)


def _iri(meaning: Any, prefixes: Mapping[str, Any]) -> str:
    text = str(meaning.get("@id") if isinstance(meaning, Mapping) else meaning)
    prefix, _, local = text.partition(":")
    space = prefixes.get(prefix, EXTRA_TERMS.get(prefix))
    return space + local if isinstance(space, str) and not local.startswith("//") else text


def _links(value: Any) -> list[str]:
    items = value if isinstance(value, list) else [value]
    return [str(i["@id"]) for i in items if isinstance(i, Mapping) and "@id" in i]


def _types(node: Mapping[str, Any]) -> list[str]:
    types = node.get("@type", [])
    return types if isinstance(types, list) else [types]


def _dataset(root: Mapping[str, Any], nodes: Mapping[str, Any]) -> Iterator[Problem]:
    name = str(root["@id"])
    if not re.match(r"https?://[^/\s]+/?\S*$", name):
        message = f"expected an absolute address of the dataset; found {name!r}"
        yield _error((name, "@id"), "GC-address", message, "the page where the data are found")
    if "Dataset" not in _types(root):
        yield _error((name, "@type"), "GC-target", "expected a Dataset; found another type")
    for field in (*_TEXTS, *_LINKS):
        if root.get(field) in (None, "", []):
            message = f"expected {field} of the dataset; found none"
            yield _error((name, field), "GC-required", message)
    published = root.get("datePublished")
    if published:
        try:
            date.fromisoformat(str(published)[:10])
        except ValueError:
            message = f"expected a date; found {published!r}"
            yield _error((name, "datePublished"), "GC-target", message)
    yield from _targets(root, nodes)


def _targets(root: Mapping[str, Any], nodes: Mapping[str, Any]) -> Iterator[Problem]:
    name = str(root["@id"])
    wanted = {
        "author": (("Person", "Organization"), "name", ""),
        "publisher": (("Organization",), "name", ""),
        "about": (("Taxon", "BioSample", "DefinedTerm"), "", "Taxon"),
        "measurementMethod": (("LabProtocol", "DefinedTerm"), "name", "DefinedTerm"),
    }
    for field, (types, needed, at_least) in wanted.items():
        targets = _links(root.get(field))
        held: list[str] = []
        for target in targets:
            node = nodes.get(target, {})
            fitting = [t for t in _types(node) if t in types]
            held += fitting
            if not fitting:
                message = f"expected {' or '.join(types)}; found {target!r}, {_types(node)}"
                yield _error((name, field), "GC-target", message)
            elif needed and not node.get(needed):
                message = f"expected {needed} of {target!r}; found none"
                yield _error((target, needed), "GC-required", message)
            yield from _described(node, target, fitting)
        if targets and at_least and at_least not in held:
            message = f"expected at least one {at_least} in {field}; found {sorted(set(held))}"
            yield _error((name, field), "GC-target", message)
    if len(_links(root.get("publisher"))) > 1:
        message = "expected one publisher; found several"
        yield _error((name, "publisher"), "GC-target", message)
    methods = [t for t in _links(root.get("measurementMethod")) if t in nodes]
    terms = [t for t in methods if "DefinedTerm" in _types(nodes[t])]
    if terms and not any(_FBBI.fullmatch(t) for t in terms):
        message = f"expected a term of FBbi among the methods; found {terms}"
        yield _error((name, "measurementMethod"), "GC-target", message)


def _described(node: Mapping[str, Any], name: str, types: list[str]) -> Iterator[Problem]:
    needed = {
        "Taxon": ("scientificName",),
        "BioSample": ("name", "description"),
        "LabProtocol": ("name", "description"),
        "DefinedTerm": ("name",),
    }
    for kind in types:
        for field in needed.get(kind, ()):
            if not node.get(field):
                message = f"expected {field} of {name!r}; found none"
                yield _error((name, field), "GC-required", message)
    if "DefinedTerm" in types and not re.match(r"https?://", name):
        message = f"expected the address of a term; found {name!r}"
        yield _error((name, "@id"), "GC-target", message)
