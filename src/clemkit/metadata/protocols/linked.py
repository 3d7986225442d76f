"""What other vocabularies say about a protocol: a second layer over the triples of the model.

P-Plan (steps, variables, what goes in and comes out), PROV-O (executions, what they used, the plan
they followed), types of OBI and CHMO for steps, of FBbi for the specimen between them and of ChEBI
for reagents, UCUM codes of QUDT units, critical steps and pause points of SMART Protocols. The
layer is for people who ask in those vocabularies: it uses no predicate that the model reads back at
the same node, so a graph with it gives the same model.
"""

from __future__ import annotations

import itertools
import warnings
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any, Final

from clemkit.metadata.model_map import expand_curie, model_map
from clemkit.metadata.triples import Iri, Text, Triple, iri_of

if TYPE_CHECKING:
    from rdflib import Graph

    from clemkit.metadata.models import Experiment

__all__ = ["linked_graph", "linked_text", "linked_triples"]

_RDF = "http://www.w3.org/1999/02/22-rdf-syntax-ns#"
_STRING = "http://www.w3.org/2001/XMLSchema#string"
_CLASS_PREFIXES: Final = ("CHEBI:", "CHMO:", "FBbi:", "OBI:")  # terms that are classes
# processes of other vocabularies that are wider than a step class; the close ones are the model's
_WIDER: Final[Mapping[str, str]] = {
    "EnBlocStaining": "OBI:0302887",
    "HighPressureFreezing": "OBI:0001953",
    "PlungeFreezing": "OBI:0001953",
    "PostFixation": "OBI:0600021",
    "PostStaining": "OBI:0302887",
}
# FBbi names states of specimens, not processes: they are types of what comes out of a step
_STATES: Final[Mapping[str, str]] = {
    "ChemicalFixation": "FBbi:00000002",
    "CriticalPointDrying": "FBbi:00000581",
    "FreezeSubstitution": "FBbi:00000621",
    "HighPressureFreezing": "FBbi:00000013",
    "OvenCuring": "FBbi:00000016",
    "Perfusion": "FBbi:00000002",
    "PlungeFreezing": "FBbi:00000013",
    "PostFixation": "FBbi:00000002",
    "Sectioning": "FBbi:00000026",
    "UvPolymerization": "FBbi:00000016",
}
_FIXATIVES: Final[Mapping[str, str]] = {
    "CHEBI:16842": "FBbi:00000010",
    "CHEBI:31962": "FBbi:00000010",
    "CHEBI:64276": "FBbi:00000011",
    "CHEBI:88215": "FBbi:00000012",
}
_INPUTS = ("materials", "filler", "carrier_coating", "from_material", "to_material",
           "resin_recipe", "cryogens")  # fmt: skip


def linked_graph(experiment: Experiment) -> Graph:
    """Return an experiment as RDF, with what other vocabularies say about its protocols."""
    from rdflib import RDF, Literal, URIRef

    from clemkit.metadata.models import to_plain
    from clemkit.metadata.rdf import to_graph

    graph = to_graph(experiment)
    for subject, predicate, value in linked_triples(to_plain(experiment)):
        node = Literal(value.value) if isinstance(value, Text) else URIRef(value[0])
        graph.add((URIRef(subject[0]), URIRef(predicate.value), node))
    quantity = URIRef(model_map()["classes"]["Quantity"]["iri"])
    for found in list(graph.subjects(RDF.type, quantity)):
        graph.add((found, RDF.type, URIRef(_iri("qudt:QuantityValue").value)))
    return graph


def linked_text(experiment: Experiment, syntax: str = "turtle") -> str:
    """Return an experiment with the layer as ``turtle``, ``nt``, ``jsonld`` or ``trig``.

    Raises
    ------
    DataError
        The syntax is not known.
    """
    from clemkit.errors import DataError

    formats = {"turtle": "turtle", "nt": "nt", "jsonld": "json-ld", "trig": "trig"}
    if syntax not in formats:
        raise DataError(f"RDF syntax: expected one of {', '.join(formats)}; found {syntax!r}")
    graph = linked_graph(experiment)
    if syntax == "jsonld":
        context = dict(model_map()["prefixes"])
        return graph.serialize(format="json-ld", context=context, indent=1, sort_keys=True) + "\n"
    if syntax == "nt":  # one fixed order, so that two exports can be compared
        return "".join(sorted(graph.serialize(format="nt").splitlines(keepends=True)))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)  # rdflib's own, inside rdflib
        return graph.serialize(format=formats[syntax])


def linked_triples(data: Mapping[str, Any]) -> Iterator[Triple]:
    """Yield the triples of the layer, without those of the model.

    Parameters
    ----------
    data : mapping
        A description in long form, with its ``id``.
    """
    name = str(data["id"])
    terms = {
        m["id"]: str((m.get("substance_term") or {}).get("term", ""))
        for m in data.get("reagents", ())
    }
    for protocol in data.get("protocols", ()):
        yield from _plan(name, protocol, terms)
    for material in data.get("reagents", ()):
        yield from _substance(name, material)
    plans = {p["id"]: p for p in data.get("protocols", ())}
    for execution in data.get("protocol_executions", ()):
        yield from _execution(name, execution, plans.get(execution.get("planned"), {}))
    yield from _units(data)


def _plan(
    experiment: str, protocol: Mapping[str, Any], terms: Mapping[str, str]
) -> Iterator[Triple]:
    plan = Iri(iri_of(experiment, protocol["id"]))
    steps = protocol.get("steps", ())
    if steps:
        yield from _variable(_sample(plan, 0), plan, "specimen before the first step")
    for position, step in enumerate(steps, 1):
        node = Iri(f"{plan.value}/steps/{position}")
        if step["type"] in _WIDER:
            yield node, Iri(_RDF + "type"), _iri(_WIDER[step["type"]])
        for term in step.get("process_terms", ()):
            if str(term["term"]).startswith(_CLASS_PREFIXES):
                yield node, Iri(_RDF + "type"), _iri(term["term"])
        if step.get("is_critical"):
            yield node, Iri(_RDF + "type"), _iri("SP:CriticalStep")
        if step.get("is_pause_point"):
            yield node, Iri(_RDF + "type"), _iri("SP:PausePoint")
        before = [f for f in step.get("follows", ()) if 0 < f <= len(steps) and f != position]
        yield from _variable(_sample(plan, position), plan, f"specimen after step {position}")
        for state in _states(step, terms):
            yield _sample(plan, position), Iri(_RDF + "type"), _iri(state)
        yield node, _iri("p-plan:hasOutputVar"), _sample(plan, position)
        yield _sample(plan, position), _iri("p-plan:isOutputVarOf"), node
        for earlier in before or [position - 1]:
            yield node, _iri("p-plan:hasInputVar"), _sample(plan, earlier)
        for used in _uses(node, step):
            yield used, Iri(_RDF + "type"), _iri("p-plan:Variable")
            yield used, _iri("p-plan:isVariableOfPlan"), plan
            yield node, _iri("p-plan:hasInputVar"), used


def _states(step: Mapping[str, Any], terms: Mapping[str, str]) -> Iterator[str]:
    """Yield the states that a step brings the specimen into."""
    state = _STATES.get(step["type"])
    if state == "FBbi:00000002":
        named = {_FIXATIVES.get(terms.get(m, "")) for m in _materials(step)} - {None}
        yield from sorted(str(s) for s in named)
    if state:
        yield state


def _sample(plan: Iri, position: int) -> Iri:
    return Iri(f"{plan.value}/specimen/{position}")


def _variable(node: Iri, plan: Iri, label: str) -> Iterator[Triple]:
    yield node, Iri(_RDF + "type"), _iri("p-plan:Variable")
    yield node, _iri("p-plan:isVariableOfPlan"), plan
    yield node, _iri("rdfs:label"), Text(label, _STRING)


def _uses(node: Iri, step: Mapping[str, Any]) -> Iterator[Iri]:
    """Yield the nodes of what a step uses; they are the model's own."""
    for slot in _INPUTS:
        found = step.get(slot, ())
        if isinstance(found, Mapping):
            yield Iri(f"{node.value}/{slot}")
        else:
            yield from (Iri(f"{node.value}/{slot}/{i}") for i, _ in enumerate(found, 1))


def _materials(step: Mapping[str, Any]) -> Iterator[str]:
    """Yield the ids of the materials that a step refers to."""
    for slot in _INPUTS:
        found = step.get(slot, ())
        for use in [found] if isinstance(found, Mapping) else found:
            yield from (str(use[key]) for key in ("material", "solvent") if use.get(key))
    if step.get("resin"):
        yield str(step["resin"])


def _substance(experiment: str, material: Mapping[str, Any]) -> Iterator[Triple]:
    node = Iri(iri_of(experiment, material["id"]))
    for part in material.get("components", ()):
        if part.get("material"):
            yield node, _iri("dcterms:hasPart"), Iri(iri_of(experiment, part["material"]))
    term = str((material.get("substance_term") or {}).get("term", ""))
    if term.startswith("CHEBI:"):
        yield node, Iri(_RDF + "type"), _iri(term)
    elif expand_curie(term):  # a subject heading is no class
        yield node, _iri("dcterms:type"), _iri(term)


def _execution(
    experiment: str, execution: Mapping[str, Any], protocol: Mapping[str, Any]
) -> Iterator[Triple]:
    done = Iri(iri_of(experiment, execution["id"]))
    if execution.get("planned"):
        link = Iri(f"{done.value}/association")
        yield done, _iri("prov:qualifiedAssociation"), link
        yield link, Iri(_RDF + "type"), _iri("prov:Association")
        yield link, _iri("prov:hadPlan"), Iri(iri_of(experiment, execution["planned"]))
        for agent in execution.get("operators", ()):
            yield link, _iri("prov:agent"), Iri(iri_of(experiment, agent))
    for i, sample in enumerate(execution.get("input_biosamples", ()), 1):
        usage = Iri(f"{done.value}/usage/{i}")  # prov:used itself is the model's, for specimens
        yield done, _iri("prov:qualifiedUsage"), usage
        yield usage, Iri(_RDF + "type"), _iri("prov:Usage")
        yield usage, _iri("prov:entity"), Iri(iri_of(experiment, sample))
    for specimen in execution.get("output_specimens", ()):
        yield done, _iri("prov:generated"), Iri(iri_of(experiment, specimen))
    steps = protocol.get("steps", ())
    nodes = [
        Iri(f"{done.value}/step_executions/{i}")
        for i, _ in enumerate(execution.get("step_executions", ()), 1)
    ]
    for node, one in zip(nodes, execution.get("step_executions", ()), strict=True):
        yield node, Iri(_RDF + "type"), _iri("prov:Activity")
        yield node, Iri(_RDF + "type"), _iri("p-plan:Activity")
        yield node, _iri("dcterms:isPartOf"), done
        if one["step_number"] <= len(steps):
            plan = iri_of(experiment, protocol["id"])
            planned = Iri(f"{plan}/steps/{one['step_number']}")
            yield node, _iri("p-plan:correspondsToStep"), planned
            if not one.get("was_skipped"):
                for material in dict.fromkeys(_materials(steps[one["step_number"] - 1])):
                    yield node, _iri("prov:used"), Iri(iri_of(experiment, material))
    for before, after in itertools.pairwise(nodes):
        yield after, _iri("prov:wasInformedBy"), before


def _units(data: Mapping[str, Any]) -> Iterator[Triple]:
    values = model_map()["enums"]["Unit"]["values"]
    for name in sorted(set(_unit_names(data)) & set(values)):
        node = Iri(values[name]["iri"])
        yield node, Iri(_RDF + "type"), _iri("qudt:Unit")
        yield node, _iri("qudt:ucumCode"), Text(values[name]["ucum"], _STRING)


def _unit_names(value: Any) -> Iterator[str]:
    if isinstance(value, Mapping):
        if isinstance(value.get("unit"), str):
            yield value["unit"]
        for item in value.values():
            yield from _unit_names(item)
    elif isinstance(value, list):
        for item in value:
            yield from _unit_names(item)


def _iri(curie: str) -> Iri:
    return Iri(expand_curie(curie) or curie)
