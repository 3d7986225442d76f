"""Model to RDF and back: nothing is lost, and the shapes agree."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest
from hypothesis import HealthCheck, Phase, given, settings
from rdflib import RDF, Graph, Literal, URIRef
from rdflib.compare import isomorphic

from clemkit.errors import DataError
from clemkit.metadata.load import read_document
from clemkit.metadata.model_map import GENERATED, expand_curie
from clemkit.metadata.models import build, canonical
from clemkit.metadata.rdf import from_graph, iri_of, parse, serialize, to_graph

sys.path.insert(0, str(Path(__file__).parent))
from any_experiment import experiments  # beside this file

EXAMPLES = sorted((Path(__file__).parents[3] / "examples" / "metadata").glob("*.yaml"))
FIB_SEM = next(p for p in EXAMPLES if p.stem == "fib-sem-confocal")
# a failing case is readable as it is: shrinking would take minutes
PHASES = [p for p in Phase if p is not Phase.shrink]
QUICK = settings(deadline=None, suppress_health_check=list(HealthCheck), phases=PHASES)
CLEMKIT = "https://clemkit.example/vocab/"


@pytest.fixture(scope="module")
def example():
    return build(read_document(FIB_SEM).data)


@pytest.fixture(scope="module")
def graph(example):
    return to_graph(example)


@pytest.mark.parametrize("path", EXAMPLES, ids=lambda p: p.stem)
@pytest.mark.parametrize("syntax", ["turtle", "nt", "jsonld", "trig"])
def test_examples_come_back(path, syntax):
    experiment = build(read_document(path).data)
    again = parse(serialize(experiment, syntax), syntax)
    assert again == canonical(experiment)
    assert isomorphic(to_graph(again), to_graph(experiment))


@given(experiments())
@settings(QUICK, max_examples=40)
def test_any_experiment_comes_back(data):
    experiment = canonical(build(data))
    again = from_graph(to_graph(experiment))
    assert again == experiment


@given(experiments(depth=2))
@settings(QUICK, max_examples=8)
def test_any_experiment_comes_back_from_text(data):
    experiment = canonical(build(data))
    assert parse(serialize(experiment, "turtle"), "turtle") == experiment
    assert parse(serialize(experiment, "jsonld"), "jsonld") == experiment


def test_canonical_form_is_stable(example):
    assert canonical(canonical(example)) == canonical(example)


def test_names_of_nodes(graph):
    step = URIRef(f"{iri_of('hela-mito-clem', 'hpf-fs')}/steps/2")
    assert (step, RDF.type, URIRef(CLEMKIT + "FreezeSubstitution")) in graph
    assert (
        URIRef(iri_of("hela-mito-clem", "em-raw")),
        RDF.type,
        URIRef(CLEMKIT + "Image"),
    ) in graph


def test_order_of_steps_is_explicit(graph):
    plan = iri_of("hela-mito-clem", "hpf-fs")
    before = URIRef(expand_curie("p-plan:isPrecededBy") or "")
    for number in range(2, 7):
        earlier = URIRef(f"{plan}/steps/{number - 1}")
        assert (URIRef(f"{plan}/steps/{number}"), before, earlier) in graph


def test_the_matrix_is_an_ordered_list(graph):
    (head,) = graph.objects(None, URIRef(CLEMKIT + "matrix"))
    numbers = [float(str(x)) for x in graph.items(head)]
    assert numbers == [1.05, 0, 0, -1200, 0, 0.94, 0.08, 300, 0, -0.08, 0.94, 450, 0, 0, 0, 1]


def test_prov_and_terms_can_be_queried(graph):
    rows = graph.query(
        """
        PREFIX c: <https://clemkit.example/vocab/>
        PREFIX prov: <http://www.w3.org/ns/prov#>
        SELECT ?value ?unit WHERE {
          ?a a prov:Activity ; c:dwell_time ?q .
          ?q qudt:numericValue ?value ; qudt:hasUnit ?unit }
        """,
        initNs={"qudt": "http://qudt.org/schema/qudt/"},
    )
    ((value, unit),) = rows
    assert float(value) == 6.0
    assert str(unit) == expand_curie("quantity_unit:MicroSEC")


def test_foreign_triples_are_no_harm(example, graph):
    more = Graph()
    more += graph
    more.add((URIRef("https://example.org/s"), RDF.type, URIRef("https://example.org/T")))
    more.add((URIRef(iri_of("hela-mito-clem")), URIRef("https://example.org/p"), Literal("x")))
    assert from_graph(more) == canonical(example)


def test_two_experiments_need_a_choice(example, graph):
    other = example.model_copy(update={"id": "other"})
    both = Graph()
    both += graph
    both += to_graph(other)
    with pytest.raises(DataError, match="expected one experiment"):
        from_graph(both)
    assert from_graph(both, iri_of("other")) == canonical(other)


@pytest.mark.parametrize(
    ("text", "syntax", "message"),
    [
        ("<a> <b>", "turtle", "expected turtle"),
        ("", "turtle", "expected one experiment"),
        ("{", "jsonld", "expected jsonld"),
    ],
)
def test_unreadable_text(text, syntax, message):
    with pytest.raises(DataError, match=message):
        parse(text, syntax)


def test_unknown_syntax(example):
    with pytest.raises(DataError, match="expected one of turtle"):
        serialize(example, "rdfxml")


def test_an_unknown_enum_value_is_refused(graph):
    wrong = Graph()
    wrong += graph
    image = URIRef(iri_of("hela-mito-clem", "em-raw"))
    wrong.set((image, URIRef(CLEMKIT + "data_type"), URIRef(CLEMKIT + "uint7")))
    with pytest.raises(DataError, match="expected a value of DataType"):
        from_graph(wrong)


pyshacl_warnings = pytest.mark.filterwarnings(
    "ignore::DeprecationWarning:rdflib", "ignore::DeprecationWarning:pyshacl"
)


def conforms(graph: Graph) -> bool:
    pyshacl = pytest.importorskip("pyshacl")
    shapes, owl = GENERATED / "shapes.ttl", GENERATED / "ontology.ttl"
    return bool(pyshacl.validate(graph, shacl_graph=str(shapes), ont_graph=str(owl))[0])


@pyshacl_warnings
@pytest.mark.parametrize("path", EXAMPLES, ids=lambda p: p.stem)
def test_examples_conform_to_the_shapes(path):
    assert conforms(to_graph(build(read_document(path).data)))


@pyshacl_warnings
@pytest.mark.parametrize(
    ("name", "slot", "value"),
    [
        ("em-raw", "data_type", Literal("uint8")),
        ("em-raw", "size_x", Literal(0)),
        ("em-raw", "image_of", Literal("block")),
        ("lm-to-em", "fixed_image", None),
    ],
)
def test_shapes_find_what_is_wrong(graph, name, slot, value):
    wrong = Graph()
    wrong += graph
    thing, predicate = URIRef(iri_of("hela-mito-clem", name)), URIRef(CLEMKIT + slot)
    wrong.remove((thing, predicate, None))
    if value is not None:
        wrong.add((thing, predicate, value))
    assert not conforms(wrong)


@pytest.mark.parametrize("syntax", ["turtle", "nt", "jsonld", "trig"])
@pytest.mark.parametrize("value", [100000.75, 0.1 + 0.2, 5e-324, 1.7976931348623157e308, -0.0, 8.0])
def test_numbers_keep_every_digit(syntax, value):
    size = {"value": value, "unit": "nm"}
    experiment = build({"id": "x", "images": [{"id": "i", "voxel_size_x": size}]})
    again = parse(serialize(experiment, syntax), syntax)
    assert repr(again.images[0].voxel_size_x.value) == repr(value)
