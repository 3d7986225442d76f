"""The Bioschemas view: flat nodes, references answered, times summed only when all are known."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import pytest
from hypothesis import HealthCheck, Phase, given, settings
from rdflib import RDF, Graph, URIRef

from clemkit.metadata.load import read_document
from clemkit.metadata.protocols.lab_protocol import PROFILE, lab_protocol
from clemkit.metadata.protocols.step_words import (
    class_words,
    material_words,
    quantity_words,
    source_words,
    stage_words,
    step_words,
)

sys.path.insert(0, str(Path(__file__).parents[1]))
from any_experiment import instances  # in the folder above

EXAMPLES = sorted((Path(__file__).parents[4] / "examples" / "metadata").glob("*.yaml"))
PHASES = [p for p in Phase if p is not Phase.shrink]
QUICK = settings(deadline=None, suppress_health_check=list(HealthCheck), phases=PHASES)
DATA = {
    "id": "e",
    "agents": [{"id": "ada", "type": "Person", "name": "Ada L", "orcid": "0000-0002-1825-0097"}],
    "instruments": [{"id": "mw", "name": "PELCO BioWave", "manufacturer": "Ted Pella"}],
    "reagents": [
        {"id": "ga", "type": "Reagent", "name": "glutaraldehyde", "cas_number": "111-30-8",
         "substance_term": {"term": "CHEBI:64276", "term_label": "glutaraldehyde"}},
        {"id": "mix", "type": "Solution", "name": "fixative", "components": [{"material": "ga"}]},
    ],
    "protocols": [
        {
            "id": "p", "name": "Fixing", "doi": "10.1/x", "authors": ["ada"],
            "target_material": "mouse brain",
            "steps": [
                {"type": "ChemicalFixation", "materials": [{"material": "mix"}],
                 "duration": {"value": 2.0, "unit": "h"}, "equipment": ["mw"],
                 "temperature": {"minimum": 20.0, "maximum": 25.0, "unit": "degC"},
                 "is_critical": True, "process_terms": [{"term": "OBI:0600021"}]},
                {"type": "Rinsing", "repeats": 3, "duration": {"value": 10.0, "unit": "min"},
                 "materials": [{"material_name": "PBS / saline", "solvent_name": "water"}]},
                {"type": "Dehydration", "ladder": [
                    {"duration": {"value": 30.0, "unit": "s"}, "repeats": 3}]},
            ],
        }
    ],
}  # fmt: skip


def nodes_of(data):
    return {node["@id"]: node for node in lab_protocol(data)["@graph"]}


def references(value):
    if isinstance(value, dict):
        if set(value) == {"@id"}:
            yield value["@id"]
        for item in value.values():
            yield from references(item)
    elif isinstance(value, list):
        for item in value:
            yield from references(item)


def test_a_protocol_with_its_steps_reagents_tools_and_people():
    nodes = nodes_of(DATA)
    protocol = nodes["#p"]
    assert protocol["@type"] == "LabProtocol"
    assert protocol["conformsTo"] == {"@id": PROFILE}
    assert protocol["bioSample"] == "mouse brain"
    assert protocol["identifier"] == ["https://doi.org/10.1/x"]
    assert [s["@id"] for s in protocol["step"]] == [f"#p/steps/{i}" for i in (1, 2, 3)]
    assert protocol["author"] == [{"@id": "https://orcid.org/0000-0002-1825-0097"}]
    assert protocol["labEquipment"] == [{"@id": "#mw"}]
    first = nodes["#p/steps/1"]
    assert first["keywords"] == ["critical step"]
    assert {"@id": "http://purl.obolibrary.org/obo/OBI_0600021"} in first["additionalType"]
    heat = nodes["#p/steps/1/temperature"]
    assert (heat["minValue"], heat["maxValue"], heat["unitText"]) == (20.0, 25.0, "°C")
    assert nodes["#mix"]["hasPart"] == [{"@id": "#ga"}]
    assert nodes["#ga"]["sameAs"] == {"@id": "http://purl.obolibrary.org/obo/CHEBI_64276"}
    names = {n["name"] for n in nodes.values() if n["@type"] == "ChemicalSubstance"}
    assert names == {"glutaraldehyde", "fixative", "PBS / saline", "water"}


def test_times_are_summed_and_a_gap_makes_no_sum():
    nodes = nodes_of(DATA)
    assert nodes["#p"]["totalTime"] == "PT151M30S"
    assert nodes["#p/steps/2"]["totalTime"] == "PT30M"
    gap = {**DATA, "protocols": [{"id": "p", "steps": [*DATA["protocols"][0]["steps"],
                                                      {"type": "Rinsing"}]}]}  # fmt: skip
    assert "totalTime" not in nodes_of(gap)["#p"]


def test_ids_can_join_those_of_a_crate():
    graph = lab_protocol(DATA, node_id=lambda name: f"#crate-{name}")["@graph"]
    assert graph[0]["@id"] == "#crate-p"
    assert {"@id": "#crate-mix"} in graph[0]["reagent"]


@pytest.mark.filterwarnings("ignore::DeprecationWarning:rdflib")
@pytest.mark.parametrize("path", EXAMPLES, ids=lambda p: p.stem)
def test_examples_are_flat_and_expand(path):
    view = lab_protocol(read_document(path).data)
    ids = [node["@id"] for node in view["@graph"]]
    assert len(ids) == len(set(ids))
    wanted = set(references(view["@graph"])) - {PROFILE}
    missing = {r for r in wanted - set(ids) if r.startswith("#")}
    assert missing == set()
    graph = Graph().parse(
        data=json.dumps(view), format="json-ld", publicID="https://example.org/crate/"
    )
    kind = URIRef("https://bioschemas.org/LabProtocol")
    assert len(list(graph.subjects(RDF.type, kind))) == len(read_document(path).data["protocols"])


@given(instances("Protocol", 3))
@settings(QUICK, max_examples=40)
def test_any_protocol_has_a_view(protocol):
    view = lab_protocol({"id": "e", "protocols": [protocol | {"id": "p"}]})
    json.dumps(view)
    ids = {node["@id"] for node in view["@graph"]}
    assert {r for r in references(view["@graph"]) if r.startswith("#")} <= ids
    assert len(view["@graph"][0].get("step", ())) == len(protocol.get("steps", ()))


@pytest.mark.parametrize(
    ("quantity", "words"),
    [
        ({"value": 2.5, "unit": "percent_wv"}, "2.5 % w/v"),
        ({"value": -90.0, "unit": "degC"}, "−90 °C"),
        ({"minimum": 48.0, "maximum": 72.0, "unit": "h"}, "48–72 h"),
        ({"minimum": -90.0, "maximum": -80.0, "unit": "degC"}, "−90 to −80 °C"),
        ({"minimum": 12.0, "unit": "h"}, "≥ 12 h"),
        ({"value": 4.0, "uncertainty": 0.5, "unit": "degC"}, "4 ± 0.5 °C"),
        ({"unit": "h", "verbatim": "overnight"}, "overnight"),
        ({"value": 8.0, "unit": "mL_per_min"}, "8 ml/min"),
        ({"value": 3.0, "unit": "dimensionless"}, "3"),
        (None, ""),
    ],
)
def test_quantities_in_words(quantity, words):
    assert quantity_words(quantity) == words


def test_other_words():
    room = {"minimum": 20.0, "maximum": 25.0, "unit": "degC", "verbatim": "RT"}
    assert source_words(room | {"is_interpretation": True}) == "RT (20–25 °C)"
    assert source_words(room) == "20–25 °C"
    assert class_words("HighPressureFreezing") == "high pressure freezing"
    use = {"material": "ga", "concentration": {"value": 2.0, "unit": "percent"}, "solvent": "w"}
    assert material_words(use, {"ga": "glutaraldehyde", "w": "water"}) == (
        "2 % glutaraldehyde in water"
    )
    assert material_words({"material_name": "anti-GFP", "stage_ratio": "1:200"}) == "1:200 anti-GFP"
    stage = {"stage_concentration": {"value": 70.0, "unit": "percent"}, "repeats": 2,
             "duration": {"value": 10.0, "unit": "min"}}  # fmt: skip
    assert stage_words(stage) == "70 % 2 × 10 min"
    assert step_words({"type": "UnparsedStep", "unparsed_text": "Then."}) == "“Then.”"
    assert step_words({"type": "Storage", "storage_period": {"value": 2.0, "unit": "d"}}) == (
        "storage period 2 d"
    )
