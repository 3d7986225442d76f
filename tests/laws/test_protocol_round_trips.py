"""Laws of protocols: no way through a format loses or changes anything."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import pytest
from hypothesis import HealthCheck, Phase, given, settings
from jsonschema import Draft202012Validator
from rdflib import RDF, Graph, Literal, URIRef

from clemkit.metadata.load import read_document
from clemkit.metadata.model_map import GENERATED, expand_curie, model_map
from clemkit.metadata.models import build, canonical, to_plain
from clemkit.metadata.protocols import linked
from clemkit.metadata.protocols.linked import linked_graph, linked_text
from clemkit.metadata.protocols.readers import read_protocol
from clemkit.metadata.protocols.spw import read_spw, to_spw
from clemkit.metadata.protocols.spw_differences import same
from clemkit.metadata.rdf import from_graph, iri_of, parse

sys.path.insert(0, str(Path(__file__).parents[1] / "unit" / "metadata"))
sys.path.insert(0, str(Path(__file__).parents[1] / "unit" / "metadata" / "protocols"))
from any_experiment import experiments, instances  # of the model's own tests
from spw_documents import DOCUMENT, form_documents, odd_documents

EXAMPLES = Path(__file__).parents[2] / "examples" / "metadata"
FIB_SEM = EXAMPLES / "fib-sem-confocal.yaml"
VALIDATOR = Draft202012Validator(DOCUMENT)
PHASES = [p for p in Phase if p is not Phase.shrink]
QUICK = settings(deadline=None, suppress_health_check=list(HealthCheck), phases=PHASES)


TEXTS = sorted(
    p
    for p in (Path(__file__).parents[1] / "golden" / "protocols").glob("*/*")
    if p.suffix in (".txt", ".md")
)


def iri(curie):
    return URIRef(expand_curie(curie))


@given(odd_documents())
@settings(QUICK, max_examples=12)
def test_spw_by_way_of_linked_data(document):
    before = json.dumps(document)
    model = build(read_spw(document).data)
    for syntax in ("turtle", "jsonld"):
        again = parse(linked_text(model, syntax), syntax)
        assert again == canonical(model)
        assert same(to_spw(to_plain(again)).document, json.loads(before))


@given(form_documents())
@settings(QUICK, max_examples=10)
def test_documents_of_the_form_by_way_of_linked_data(document):
    model = build(read_spw(document).data)
    again = from_graph(linked_graph(model))
    assert same(to_spw(to_plain(again)).document, document)


@pytest.mark.parametrize("path", TEXTS, ids=lambda p: p.stem)
def test_texts_by_way_of_linked_data_and_in_the_form(path):
    model = canonical(build(read_protocol(path).data))
    assert from_graph(linked_graph(model)) == model
    data = to_plain(model)
    document = to_spw(data).document
    assert list(VALIDATOR.iter_errors(document)) == []
    assert len(document["data"]) == len(data["protocols"][0]["steps"])
    again = read_spw(document).data
    assert same(to_spw(to_plain(build(again))).document, document)


@pytest.mark.parametrize("path", TEXTS[:2], ids=lambda p: p.stem)
@pytest.mark.parametrize("syntax", ["turtle", "jsonld"])
def test_texts_by_way_of_files(path, syntax):
    model = canonical(build(read_protocol(path).data))
    assert parse(linked_text(model, syntax), syntax) == model


def test_there_are_texts():
    assert len(TEXTS) >= 12


@given(instances("Protocol", 3), instances("ProtocolExecution", 2))
@settings(QUICK, max_examples=30)
def test_the_layer_does_not_disturb_protocols(protocol, execution):
    data = {
        "id": "x",
        "protocols": [protocol | {"id": "plan"}],
        "protocol_executions": [execution | {"id": "done", "planned": "plan"}],
    }
    model = canonical(build(data))
    assert from_graph(linked_graph(model)) == model


@given(experiments())
@settings(QUICK, max_examples=15)
def test_the_layer_does_not_disturb_experiments(data):
    model = canonical(build(data))
    assert from_graph(linked_graph(model)) == model


@pytest.mark.parametrize("syntax", ["turtle", "nt", "jsonld", "trig"])
def test_an_example_comes_back_from_text_with_the_layer(syntax):
    model = build(read_document(FIB_SEM).data)
    again = parse(linked_text(model, syntax), syntax)
    assert again == canonical(model)


@pytest.fixture(scope="module")
def graph():
    return linked_graph(build(read_document(FIB_SEM).data))


def step(number):
    return URIRef(f"{iri_of('hela-mito-clem', 'hpf-fs')}/steps/{number}")


def test_steps_have_inputs_and_outputs(graph):
    plan = URIRef(iri_of("hela-mito-clem", "hpf-fs"))
    between = URIRef(f"{plan}/specimen/1")
    assert (step(1), iri("p-plan:hasOutputVar"), between) in graph
    assert (step(2), iri("p-plan:hasInputVar"), between) in graph
    assert (between, iri("p-plan:isVariableOfPlan"), plan) in graph
    medium = URIRef(f"{step(2)}/materials/1")
    assert (step(2), iri("p-plan:hasInputVar"), medium) in graph
    assert (medium, RDF.type, iri("p-plan:Variable")) in graph
    assert (step(2), iri("p-plan:isPrecededBy"), step(1)) in graph


def test_flags_terms_and_units(graph):
    assert (step(1), RDF.type, iri("SP:CriticalStep")) in graph
    assert (step(2), RDF.type, iri("SP:PausePoint")) in graph
    assert (step(3), RDF.type, iri("OBI:0302888")) in graph
    assert (step(1), RDF.type, iri("SP:PausePoint")) not in graph
    osmium = URIRef(iri_of("hela-mito-clem", "osmium"))
    assert (osmium, RDF.type, iri("CHEBI:88215")) in graph
    uranyl = URIRef(iri_of("hela-mito-clem", "uranyl"))
    assert (uranyl, iri("dcterms:type"), iri("mesh:C005460")) in graph
    assert (uranyl, RDF.type, iri("mesh:C005460")) not in graph
    assert (iri("quantity_unit:DEG_C"), iri("qudt:ucumCode"), Literal("Cel")) in graph


def test_specimens_have_the_states_that_steps_bring(graph):
    plan = iri_of("hela-mito-clem", "hpf-fs")
    after = [URIRef(f"{plan}/specimen/{i}") for i in range(6)]
    assert (after[1], RDF.type, iri("FBbi:00000013")) in graph
    assert (after[2], RDF.type, iri("FBbi:00000621")) in graph
    assert (after[5], RDF.type, iri("FBbi:00000016")) in graph
    assert (step(1), RDF.type, iri("OBI:0001953")) in graph
    assert not [t for t in graph.objects(step(1), RDF.type) if "FBbi" in t]


def test_questions_in_other_vocabularies_are_answered(graph):
    rows = graph.query(
        """
        SELECT ?step ?value ?code WHERE {
          ?step a p-plan:Step ; p-plan:hasInputVar ?use ; clemkit:temperature_program ?stage .
          ?use clemkit:material/dcterms:hasPart* ?osmium .
          ?osmium a CHEBI:88215 .
          ?stage clemkit:duration ?time .
          ?time a qudt:QuantityValue ; qudt:numericValue ?value ; qudt:hasUnit/qudt:ucumCode ?code
        }""",
        initNs=dict(model_map()["prefixes"]),
    )
    found = sorted((str(s), float(v), str(c)) for s, v, c in rows)
    assert found == [(str(step(2)), hours, "h") for hours in (2.0, 14.0, 24.0)]


def test_terms_of_the_layer_are_pinned():
    pinned = json.loads((GENERATED / "terms.json").read_text(encoding="utf-8"))
    used = {*linked._WIDER.values(), *linked._STATES.values(), *linked._FIXATIVES.values()}
    assert used | set(linked._FIXATIVES) <= set(pinned)
    assert all(pinned[t]["branch"] == "specimen_state" for t in used if t.startswith("FBbi"))


def test_an_execution_had_a_plan():
    data = {
        "id": "e",
        "agents": [{"id": "ada", "type": "Person", "family_name": "Lovelace"}],
        "biological_samples": [{"id": "cells"}],
        "specimens": [{"id": "block", "type": "Block"}],
        "reagents": [
            {"id": "os", "type": "Reagent", "substance_term": {"term": "CHEBI:88215"}}
        ],
        "protocols": [
            {
                "id": "p",
                "steps": [
                    {"type": "Rinsing"},
                    {"type": "PostFixation", "materials": [{"material": "os"}]},
                    {"type": "Storage", "follows": [1]},
                ],
            }
        ],
        "protocol_executions": [
            {
                "id": "done", "planned": "p", "operators": ["ada"], "input_biosamples": ["cells"],
                "output_specimens": ["block"],
                "step_executions": [
                    {"step_number": 1}, {"step_number": 2}, {"step_number": 2, "was_skipped": True}
                ],
            }
        ],
    }  # fmt: skip
    model = build(data)
    graph = linked_graph(model)
    assert from_graph(graph) == canonical(model)
    assert (URIRef(f"{iri_of('e', 'p')}/specimen/2"), RDF.type, iri("FBbi:00000012")) in graph
    done = URIRef(iri_of("e", "done"))
    (link,) = graph.objects(done, iri("prov:qualifiedAssociation"))
    assert (link, iri("prov:hadPlan"), URIRef(iri_of("e", "p"))) in graph
    assert (link, iri("prov:agent"), URIRef(iri_of("e", "ada"))) in graph
    assert (done, iri("prov:generated"), URIRef(iri_of("e", "block"))) in graph
    first, second = (URIRef(f"{done}/step_executions/{i}") for i in (1, 2))
    plan = iri_of("e", "p")
    assert (second, iri("p-plan:correspondsToStep"), URIRef(f"{plan}/steps/2")) in graph
    assert (second, iri("prov:used"), URIRef(iri_of("e", "os"))) in graph
    assert (second, iri("prov:wasInformedBy"), first) in graph
    skipped = URIRef(f"{done}/step_executions/3")
    assert list(graph.objects(skipped, iri("prov:used"))) == []
    third = URIRef(f"{plan}/steps/3")
    assert (third, iri("p-plan:hasInputVar"), URIRef(f"{plan}/specimen/1")) in graph
    before = list(graph.objects(third, iri("p-plan:isPrecededBy")))
    assert before == [URIRef(f"{plan}/steps/1")]


@pytest.mark.filterwarnings("ignore::DeprecationWarning")
def test_shapes_conform_with_the_layer():
    pyshacl = pytest.importorskip("pyshacl")
    conforms, _, text = pyshacl.validate(
        linked_graph(build(read_document(EXAMPLES / "sbf-sem-micro-ct-two-photon.yaml").data)),
        shacl_graph=Graph().parse(GENERATED / "shapes.ttl"),
        ont_graph=Graph().parse(GENERATED / "ontology.ttl"),
    )
    assert conforms, text
