"""Model to RDF and back, driven by the model map; no LinkML at run time. See ``triples``."""

from __future__ import annotations

import json
import warnings
from collections.abc import Iterator, Mapping
from typing import Any

from rdflib import RDF, XSD, BNode, Dataset, Graph, Literal, URIRef
from rdflib.term import Node

from clemkit.errors import DataError
from clemkit.metadata.model_map import contract_iri, model_map
from clemkit.metadata.models import Experiment, build, canonical, to_plain
from clemkit.metadata.triples import Blank, Iri, Text, iri_of, triples

__all__ = ["from_graph", "iri_of", "parse", "serialize", "to_graph"]

_FORMATS = {"turtle": "turtle", "nt": "nt", "jsonld": "json-ld", "trig": "trig"}


def to_graph(experiment: Experiment) -> Graph:
    """Return the experiment as RDF."""
    graph = Graph()
    for prefix, iri in model_map()["prefixes"].items():
        graph.bind(prefix, iri, replace=True)
    for subject, predicate, value in triples(to_plain(experiment)):
        graph.add((_node(subject), _node(predicate), _node(value)))
    return graph


def _node(node: Iri | Blank | Text) -> Node:
    if isinstance(node, Iri):
        return URIRef(node.value)
    if isinstance(node, Blank):
        return BNode(node.label)
    kind = _Double if node.datatype == str(XSD.double) else Literal
    return kind(node.value, datatype=URIRef(node.datatype), normalize=False)


def from_graph(graph: Graph, experiment_iri: str | None = None) -> Experiment:
    """Return the experiment in *graph*, in canonical form.

    Parameters
    ----------
    graph : rdflib.Graph
        Triples of :func:`to_graph`, with anything else beside them.
    experiment_iri : str, optional
        Which experiment, where there are several.

    Raises
    ------
    DataError
        No experiment, or several and none chosen, or a node that cannot be read.
    """
    mapping = model_map()
    root = URIRef(mapping["classes"][mapping["root"]]["iri"])
    found = sorted({str(s) for s in graph.subjects(RDF.type, root)})
    chosen = [iri for iri in found if experiment_iri in (None, iri)]
    if len(chosen) != 1:
        listed = ", ".join(found[:5]) or "none"
        raise DataError(f"RDF: expected one experiment {experiment_iri or ''}; found {listed}")
    return canonical(build(_Reader(graph).node(URIRef(chosen[0]), mapping["root"])))


def serialize(experiment: Experiment, syntax: str = "turtle") -> str:
    """Return the experiment as text: ``turtle``, ``nt``, ``jsonld`` or ``trig``.

    Raises
    ------
    DataError
        The syntax is not known.
    """
    if syntax not in _FORMATS:
        raise DataError(f"RDF syntax: expected one of {', '.join(_FORMATS)}; found {syntax!r}")
    graph = to_graph(experiment)
    if syntax == "jsonld":
        context = dict(model_map()["prefixes"])
        content = json.loads(graph.serialize(format="json-ld", context=context))
        return json.dumps(_typed(content), indent=1, sort_keys=True, ensure_ascii=False) + "\n"
    if syntax == "nt":  # one fixed order, so that two exports can be compared
        # only \n ends a line: texts may hold the line separators of Unicode
        lines = graph.serialize(format="nt").split("\n")
        return "".join(f"{line}\n" for line in sorted(lines) if line)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)  # rdflib's own, inside rdflib
        return graph.serialize(format=_FORMATS[syntax])


def _typed(content: Any) -> Any:
    """Return JSON-LD with the datatype of each double: to its readers 4.0 is an integer."""
    if isinstance(content, float):
        return {"@type": str(XSD.double), "@value": repr(content)}
    if isinstance(content, dict):
        return {key: _typed(value) for key, value in content.items()}
    return [_typed(value) for value in content] if isinstance(content, list) else content


def parse(text: str, syntax: str = "turtle") -> Experiment:
    """Return the experiment in RDF *text*.

    Raises
    ------
    DataError
        The text cannot be parsed, or holds no experiment.
    """
    store = Dataset(default_union=True) if syntax == "trig" else Graph()
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", DeprecationWarning)  # rdflib's own, inside rdflib
            store.parse(data=text, format=_FORMATS.get(syntax, syntax))
            graph = Graph()
            for triple in store.triples((None, None, None)):
                graph.add(triple[:3])
    except Exception as error:  # each parser of rdflib has exceptions of its own
        raise DataError(f"RDF: expected {syntax}; found {' '.join(str(error).split())}") from error
    return from_graph(graph)


class _Double(Literal):
    """A double that Turtle writes with all its digits; rdflib's short form keeps seven."""

    def _literal_n3(self, use_plain: bool = False, qname_callback: Any = None) -> str:
        return super()._literal_n3(use_plain=False, qname_callback=qname_callback)


class _Reader:
    def __init__(self, graph: Graph) -> None:
        mapping = model_map()
        self._graph = graph
        self._position = URIRef(mapping["vocabulary"] + "position")
        self._class_of_iri = {e["iri"]: name for name, e in mapping["classes"].items()}
        self._value_of_iri = {
            enum: {v["iri"]: name for name, v in e["values"].items()}
            for enum, e in mapping["enums"].items()
        }

    def node(self, subject: Node, declared: str) -> dict[str, Any]:
        mapping = model_map()
        name = self._class(subject, declared)
        data: dict[str, Any] = {}
        for slot_name in mapping["classes"][name]["slots"]:
            slot = mapping["slots"][slot_name]
            if slot.get("designator"):
                data[slot_name] = name
                continue
            found = list(self._graph.objects(subject, URIRef(slot["iri"])))
            if found:
                data[slot_name] = self._slot(found, slot, subject)
        return data

    def _class(self, subject: Node, declared: str) -> str:
        concrete = model_map()["classes"][declared]["concrete"]
        types = {self._class_of_iri.get(str(t)) for t in self._graph.objects(subject, RDF.type)}
        found = [name for name in concrete if name in types]
        ancestors = {a for name in found for a in model_map()["classes"][name]["ancestors"]}
        leaves = [name for name in found if name not in ancestors]
        if len(leaves) != 1:
            raise DataError(
                f"RDF node {subject}: expected one class below {declared}; found {leaves or 'none'}"
            )
        return leaves[0]

    def _slot(self, found: list[Node], slot: Mapping[str, Any], subject: Node) -> Any:
        if slot["kind"] == "class" and slot["inlined"]:
            values: list[Any] = [self.node(n, slot["range"]) for n in self._in_order(found)]
        elif slot.get("ordered"):
            heads = [list(self._graph.items(head)) for head in found]
            values = [self._value(item, slot) for items in heads for item in items]
        else:
            values = [self._value(item, slot) for item in found]
        if slot.get("multivalued"):
            return values
        if len(values) != 1:
            raise DataError(f"RDF node {subject}: expected one {slot['iri']}; found {len(values)}")
        return values[0]

    def _in_order(self, nodes: list[Node]) -> Iterator[Node]:
        def key(node: Node) -> tuple[int, str]:
            value = self._graph.value(node, self._position)
            return (int(str(value)) if value is not None else 0, str(node))

        return iter(sorted(nodes, key=key))

    def _value(self, node: Node, slot: Mapping[str, Any]) -> Any:
        text = str(node)
        if slot["kind"] == "class":
            return text.rsplit("/", 1)[-1]
        if slot["kind"] == "enum":
            value = self._value_of_iri[slot["range"]].get(text)
            if value is None:
                raise DataError(f"RDF: expected a value of {slot['range']}; found {text}")
            return value
        if slot["range"] == "uriorcurie":
            return contract_iri(text)
        if slot["range"] == "boolean":
            return text in ("true", "1")
        if slot["range"] == "integer":
            return int(text)
        return float(text) if slot["range"] == "double" else text
