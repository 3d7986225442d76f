"""Checking BIA crates: context, entities, references, list of files."""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Iterator, Mapping
from datetime import date
from pathlib import Path
from typing import Any, Final

from clemkit.deposition.bia.check_file_list import check_file_list
from clemkit.deposition.bia.vocabulary import CLASSES, NAMESPACES, TERMS
from clemkit.errors import Problem

__all__ = ["CRATE_RULES", "check_bia_crate"]

CRATE_RULES: Final[Mapping[str, str]] = {
    "BC-class": "An entity has no class of the BioImage Archive, or several.",
    "BC-column-missing": "The list of files lacks a column that it needs.",
    "BC-column-unknown": "A column of the list of files is not described.",
    "BC-context": "The context is missing, or gives a term another meaning.",
    "BC-descriptor": "The metadata do not say what they describe and which version they follow.",
    "BC-dangling": "A reference leads to no entity of the crate.",
    "BC-duplicate-id": "Two entities have the same id.",
    "BC-duplicate-path": "The list of files names a file twice.",
    "BC-field-missing": "An entity lacks a field that its class requires.",
    "BC-field-type": "A field has a value of another kind.",
    "BC-file-list": "The crate has no list of files, or several.",
    "BC-file-missing": "A file of the crate does not exist.",
    "BC-id": "An id is no valid reference.",
    "BC-json": "The metadata are not JSON, or not an RO-Crate.",
    "BC-path": "A row of the list of files has no path.",
    "BC-row-reference": "A row refers to what the crate does not describe, or to another class.",
    "BC-source-image": "A row names a source image that no row with the type of images has.",
    "BC-unreferenced": "Nothing refers to an entity.",
}
_METADATA = "ro-crate-metadata.json"
_BAD_IRI = re.compile(r"[\s<>\"{}|\\^`\u0000-\u0020]|%(?![0-9A-Fa-f]{2})")
_PLAIN = {"CreativeWork": "schema:CreativeWork"}


def check_bia_crate(crate: Path | Mapping[str, bytes]) -> tuple[Problem, ...]:
    """Return what is wrong with a crate; places are paths in its metadata or rows of its list.

    Parameters
    ----------
    crate : Path or mapping of str to bytes
        Folder of a crate, or its files by name.
    """
    files = _read(crate)
    try:
        content = json.loads(files[_METADATA])
        context, graph = content["@context"], content["@graph"]
        if not isinstance(graph, list) or not all(isinstance(e, dict) for e in graph):
            raise TypeError("@graph is not a list of entities")
    except KeyError as error:
        return (_error((_METADATA,), "BC-json", f"expected {error} in {_METADATA}; found none"),)
    except (ValueError, TypeError) as error:
        return (_error((_METADATA,), "BC-json", f"expected an RO-Crate; found {error}"),)
    found = [*_context(context), *_root(graph), *_ids(graph), *_references(graph, files)]
    kinds: dict[str, str] = {}
    for index, entity in enumerate(graph):
        found += _entity(entity, index, kinds)
    lists = [e for e in graph if kinds.get(str(e.get("@id"))) == "bia:FileList"]
    if len(lists) != 1:
        message = f"expected one list of files; found {len(lists)}"
        found.append(_error(("@graph",), "BC-file-list", message, "describe one bia:FileList"))
    else:
        found += check_file_list(lists[0], graph, kinds, files)
    return tuple(found)


def _read(crate: Path | Mapping[str, bytes]) -> Mapping[str, bytes]:
    if isinstance(crate, Mapping):
        return crate
    return {p.name: p.read_bytes() for p in sorted(crate.iterdir()) if p.is_file()}


def _error(place: tuple[str | int, ...], rule: str, message: str, hint: str = "") -> Problem:
    return Problem(place, rule, "error", message, hint)


def _context(context: Any) -> Iterator[Problem]:
    parts = context if isinstance(context, list) else [context]
    given: dict[str, str] = {}
    for part in parts:
        if isinstance(part, Mapping):
            given |= {
                k: str(v.get("@id") if isinstance(v, Mapping) else v) for k, v in part.items()
            }
    if not any(isinstance(p, str) and "w3id.org/ro/crate/" in p for p in parts) and not given:
        yield _error(("@context",), "BC-context", "expected the context of RO-Crate; found none")
    for term, target in TERMS.items():
        if term in given and _expanded(given[term], given) != _expanded(target, NAMESPACES):
            message = (
                f"expected {term} to mean {_expanded(target, NAMESPACES)}; found {given[term]}"
            )
            hint = "terms of the archive keep their meaning"
            yield _error(("@context", term), "BC-context", message, hint)


def _expanded(text: str, prefixes: Mapping[str, str]) -> str:
    prefix, colon, local = text.partition(":")
    if colon and prefix in prefixes and not local.startswith("//"):
        return prefixes[prefix] + local
    return text


def _root(graph: list[dict[str, Any]]) -> Iterator[Problem]:
    descriptors = [e for e in graph if e.get("@id") == _METADATA]
    about = descriptors[0].get("about") if descriptors else None
    follows = json.dumps(descriptors[0].get("conformsTo")) if descriptors else ""
    if about != {"@id": "./"} or "https://w3id.org/ro/crate/1." not in follows:
        message = f"expected {_METADATA} with about ./ and conformsTo an RO-Crate 1.x; found none"
        yield _error(("@graph",), "BC-descriptor", message)
    roots = [(i, e) for i, e in enumerate(graph) if e.get("@id") == "./"]
    if not roots:
        yield _error(("@graph",), "BC-descriptor", "expected the study with id ./; found none")
    for index, root in roots:
        day = str(root.get("datePublished", ""))
        try:
            date.fromisoformat(day[:10])
        except ValueError:
            message = f"expected a date in datePublished; found {day!r}"
            yield _error(("@graph", index, "datePublished"), "BC-field-type", message)


def _ids(graph: list[dict[str, Any]]) -> Iterator[Problem]:
    count = Counter(str(e.get("@id")) for e in graph)
    for index, entity in enumerate(graph):
        name = entity.get("@id")
        place = ("@graph", index, "@id")
        if not isinstance(name, str) or (not name.startswith("_:") and _BAD_IRI.search(name)):
            message = f"expected an id without spaces and other signs; found {name!r}"
            yield _error(place, "BC-id", message, "write spaces as %20")
        elif count[name] > 1:
            message = f"expected each id once; found {name!r} {count[name]} times"
            yield _error(place, "BC-duplicate-id", message, "rename one, or join them")


def _linked(value: Any) -> Iterator[str]:
    if isinstance(value, Mapping) and isinstance(value.get("@id"), str):
        yield value["@id"]
    elif isinstance(value, list):
        for item in value:
            yield from _linked(item)


def _references(graph: list[dict[str, Any]], files: Mapping[str, bytes]) -> Iterator[Problem]:
    known = {str(e.get("@id")) for e in graph}
    tables = b"\n".join(content for name, content in files.items() if name != _METADATA)
    cells = set(re.split(r"[\t\n]|, *", tables.decode("utf-8", "replace")))
    named = {_METADATA, "./"} | cells
    for index, entity in enumerate(graph):
        for key, value in entity.items():
            if key.startswith("@") or key == "conformsTo":
                continue
            for target in _linked(value):
                named.add(target)
                if target not in known:
                    message = f"expected an entity {target!r}; found none"
                    hint = "describe it, or take the reference out"
                    yield _error(("@graph", index, key), "BC-dangling", message, hint)
    for index, entity in enumerate(graph):
        name = str(entity.get("@id"))
        if name not in named:
            message = f"expected something to refer to {name!r}; found nothing"
            yield Problem(("@graph", index), "BC-unreferenced", "warning", message)


def _entity(entity: Mapping[str, Any], index: int, kinds: dict[str, str]) -> Iterator[Problem]:
    types = entity.get("@type")
    listed = types if isinstance(types, list) else [types]
    compact = {_PLAIN.get(str(t), _compact(str(t))) for t in listed}
    found = sorted(compact & set(CLASSES))
    if len(found) != 1:
        shown = ", ".join(str(t) for t in listed)
        message = f"expected one class of the archive; found {len(found)} in {shown}"
        yield _error(("@graph", index, "@type"), "BC-class", message, "such as bia:Dataset")
        return
    name = found[0]
    kinds.setdefault(str(entity.get("@id")), name)
    if name == "bia:Study" and entity.get("@id") != "./":
        message = f"expected the study as the root ./; found {entity.get('@id')!r}"
        yield _error(("@graph", index, "@id"), "BC-id", message)
    for field, form in CLASSES[name].items():
        place = ("@graph", index, field)
        value = entity.get(field)
        if field not in entity or (value is None and "!" in form):
            if "!" in form or "+" in form:
                message = f"expected {field} in {entity.get('@id')!r}, a {name}; found none"
                yield _error(place, "BC-field-missing", message)
        elif wrong := _misfit(value, form):
            yield _error(place, "BC-field-type", f"expected {wrong}; found {value!r:.60}")


def _compact(text: str) -> str:
    for prefix, space in NAMESPACES.items():
        if text.startswith(space):
            return f"{prefix}:{text.removeprefix(space)}"
    return text


def _misfit(value: Any, form: str) -> str:
    """Return what was expected where *value* is not of *form*; empty when it is."""
    kind = form.rstrip("!*+")
    kind = re.match(r"[a-z]+", form)[0] if not kind.isalpha() else kind  # type: ignore[index]
    if "*" in form or "+" in form:
        if not isinstance(value, list):
            return "a list"
        if "+" in form and not value:
            return "at least one"
        return next((wrong for item in value if (wrong := _misfit(item, kind))), "")
    if value is None:
        return ""
    if kind == "link":
        target = value.get("@id") if isinstance(value, Mapping) else None
        return "" if isinstance(target, str) else 'a reference such as {"@id": "#x"}'
    if kind == "number":
        whole = re.fullmatch(r"[0-9]+", str(value)) and not isinstance(value, bool)
        return "" if whole else "a whole number"
    if not isinstance(value, str):
        return "text"
    if kind == "address" and not re.fullmatch(r"[a-z][a-z0-9+.-]*://\S+", value):
        return "an address"
    return ""
