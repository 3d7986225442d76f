"""A description as a stream of triples; needs no RDF library, so that stores can be filled quickly.

Nodes: an experiment is ``<data>/<id>``, a named thing ``<data>/<experiment>/<id>``, a part with an
identity (step, channel, landmark, …) ``<owner>/<slot>/<position>``; the rest are blank. Items of a
list carry ``clemkit:position`` (from 1), ordered numbers and words are an ``rdf:List``, enum values
are IRIs: nothing depends on the order of triples. Further types (PROV-O, P-Plan, OBI, …) and the
order of steps in P-Plan are written for queries and not needed for reading.
"""

from __future__ import annotations

import hashlib
import itertools
import re
from collections.abc import Iterable, Iterator, Mapping
from typing import Any, Final, NamedTuple

from clemkit.metadata.model_map import contract_iri, expand_curie, model_map

__all__ = ["Blank", "Iri", "Text", "Triple", "iri_of", "n_triples", "triples"]

_XSD: Final = "http://www.w3.org/2001/XMLSchema#"
_RDF: Final = "http://www.w3.org/1999/02/22-rdf-syntax-ns#"
_P_PLAN: Final = "http://purl.org/net/p-plan#"
_DATATYPES: Final = {
    "string": _XSD + "string",
    "integer": _XSD + "integer",
    "boolean": _XSD + "boolean",
    "double": _XSD + "double",
    "date": _XSD + "date",
    "datetime": _XSD + "dateTime",
}
_IRI_SAFE = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*:[^\x00-\x20<>\"{}|\\^`]+")
_ESCAPED = re.compile(r'[\x00-\x1f"\\\x7f]')
_ESCAPES = {"\n": "\\n", "\r": "\\r", "\t": "\\t", '"': '\\"', "\\": "\\\\"}


class Iri(NamedTuple):
    """A node with an address."""

    value: str


class Blank(NamedTuple):
    """A node without an address; the label is unique among the descriptions of a store."""

    label: str


class Text(NamedTuple):
    """A literal with its datatype."""

    value: str
    datatype: str


Triple = tuple[Iri | Blank, Iri, Iri | Blank | Text]


def iri_of(experiment_id: str, thing_id: str | None = None) -> str:
    """Return the IRI of an experiment, or of one of its named things."""
    base = f"{model_map()['data']}{experiment_id}"
    return base if thing_id is None or thing_id == experiment_id else f"{base}/{thing_id}"


def triples(data: Mapping[str, Any]) -> Iterator[Triple]:
    """Yield the triples of a description in long form that fits the model."""
    writer = _Writer(str(data["id"]))
    return writer.node(data, model_map()["root"], Iri(iri_of(data["id"])))


def n_triples(found: Iterable[Triple], graph: str = "") -> Iterator[str]:
    """Yield one line of N-Triples for each triple; of N-Quads with a *graph*, such as ``<a:b>``."""
    end = f" {graph} .\n" if graph else " .\n"
    for subject, predicate, value in found:
        yield f"{_written(subject)} <{predicate.value}> {_written(value)}{end}"


def _written(node: Iri | Blank | Text) -> str:
    if isinstance(node, Iri):
        return f"<{node.value}>"
    if isinstance(node, Blank):
        return f"_:{node.label}"
    text = _ESCAPED.sub(lambda m: _ESCAPES.get(m[0], f"\\u{ord(m[0]):04X}"), node.value)
    return f'"{text}"^^<{node.datatype}>'


class _Writer:
    def __init__(self, experiment_id: str) -> None:
        mapping = model_map()
        self._experiment = experiment_id
        self._classes = mapping["classes"]
        self._slots = mapping["slots"]
        self._enums = mapping["enums"]
        self._position = Iri(mapping["vocabulary"] + "position")
        self._type = Iri(_RDF + "type")
        self._label = f"b{hashlib.sha256(experiment_id.encode()).hexdigest()[:12]}x"
        self._count = itertools.count()

    def _blank(self) -> Blank:
        return Blank(f"{self._label}{next(self._count)}")

    def node(
        self, data: Mapping[str, Any], declared: str, subject: Iri | Blank
    ) -> Iterator[Triple]:
        entry = self._classes[_class_of(data, declared)]
        types = [entry["iri"], *(self._classes[a]["iri"] for a in entry["ancestors"])]
        for iri in dict.fromkeys((*types, *entry["extra_types"])):
            yield subject, self._type, Iri(iri)
        for name, value in data.items():
            slot = self._slots[name]
            if not slot.get("designator"):
                yield from self._slot(subject, name, slot, value)

    def _slot(
        self, subject: Iri | Blank, name: str, slot: Mapping[str, Any], value: Any
    ) -> Iterator[Triple]:
        predicate = Iri(slot["iri"])
        items = value if isinstance(value, list) else [value]
        if slot["kind"] == "class" and slot["inlined"]:
            nodes = []
            for position, item in enumerate(items, 1):
                node = self._child(
                    subject, name, slot, item, position if isinstance(value, list) else None
                )
                nodes.append(node)
                yield subject, predicate, node
                yield from self.node(item, slot["range"], node)
                if isinstance(value, list):
                    yield node, self._position, Text(str(position), _DATATYPES["integer"])
            if name == "steps":
                yield from _plan(subject, nodes, items)
        elif slot.get("ordered"):
            yield from self._list(subject, predicate, [self._term(item, slot) for item in items])
        else:
            for item in items:
                yield subject, predicate, self._term(item, slot)

    def _list(
        self, subject: Iri | Blank, predicate: Iri, items: list[Iri | Text]
    ) -> Iterator[Triple]:
        heads: list[Blank] = [self._blank() for _ in items]
        tails: list[Iri | Blank] = [*heads, Iri(_RDF + "nil")]
        yield subject, predicate, tails[0]
        for head, item, tail in zip(heads, items, tails[1:], strict=True):
            yield head, Iri(_RDF + "first"), item
            yield head, Iri(_RDF + "rest"), tail

    def _child(
        self,
        owner: Iri | Blank,
        name: str,
        slot: Mapping[str, Any],
        data: Any,
        position: int | None,
    ) -> Iri | Blank:
        entry = self._classes[_class_of(data, slot["range"])]
        if entry["node"] == "id":
            return Iri(iri_of(self._experiment, data["id"]))
        if entry["node"] == "child" and isinstance(owner, Iri):
            return Iri(f"{owner.value}/{name}" + (f"/{position}" if position else ""))
        return self._blank()

    def _term(self, value: Any, slot: Mapping[str, Any]) -> Iri | Text:
        if slot["kind"] == "class":
            return Iri(iri_of(self._experiment, value))
        if slot["kind"] == "enum":
            return Iri(self._enums[slot["range"]]["values"][value]["iri"])
        kind = slot["range"]
        if kind in ("uri", "uriorcurie"):
            iri = (expand_curie(value) or value) if kind == "uriorcurie" else value
            if _IRI_SAFE.fullmatch(iri) and contract_iri(iri) == contract_iri(value):
                return Iri(iri)
            return Text(value, _XSD + "anyURI")
        if kind == "boolean":
            return Text("true" if value else "false", _DATATYPES[kind])
        if kind == "double":
            return Text(repr(float(value)), _DATATYPES[kind])
        return Text(str(value), _DATATYPES[kind])


def _plan(
    plan: Iri | Blank, steps: list[Iri | Blank], items: list[Mapping[str, Any]]
) -> Iterator[Triple]:
    for position, (step, item) in enumerate(zip(steps, items, strict=True), 1):
        # what a step follows is the one before it, unless it says otherwise
        before = item.get("follows") or [position - 1]
        for earlier in (e for e in before if 0 < e <= len(steps) and e != position):
            yield step, Iri(_P_PLAN + "isPrecededBy"), steps[earlier - 1]
        yield step, Iri(_P_PLAN + "isStepOfPlan"), plan


def _class_of(data: Mapping[str, Any], declared: str) -> str:
    return str(data.get("type", declared))
