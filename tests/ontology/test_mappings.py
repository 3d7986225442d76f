"""Mappings to other standards: valid SSSOM, known on both sides, and complete where they can be."""

from __future__ import annotations

import csv
import json
import os
import re
from pathlib import Path

import pytest
import yaml

from clemkit.metadata.model_map import expand_curie, model_map

ROOT = Path(__file__).parents[2]
FOLDER = ROOT / "ontology" / "mappings"
SHARED = Path(os.environ.get("CLEMKIT_SHARED", ROOT.parent / "shared"))
NAMES = ("bia", "emg", "empiar", "obo", "ome", "prov", "rembi", "schema-org", "spw")
COLUMNS = [
    "subject_id", "subject_category", "predicate_id", "object_id", "object_label",
    "object_category", "mapping_justification",
]  # fmt: skip
PREDICATES = {f"skos:{k}Match" for k in ("exact", "close", "broad", "narrow", "related")}


def read(name: str) -> tuple[dict, list[dict[str, str]]]:
    lines = (FOLDER / f"{name}.sssom.tsv").read_text(encoding="utf-8").splitlines()
    head = [line[2:] for line in lines if line.startswith("# ")]
    body = [line for line in lines if not line.startswith("#")]
    return yaml.safe_load("\n".join(head)), list(csv.DictReader(body, delimiter="\t"))


def own_subjects() -> set[str]:
    mapping = model_map()
    values = {v["iri"] for e in mapping["enums"].values() for v in e["values"].values()}
    names = {f"clemkit:{n}" for n in (*mapping["classes"], *mapping["slots"], *mapping["enums"])}
    space = mapping["vocabulary"]
    return names | {f"clemkit:{i.removeprefix(space)}" for i in values if i.startswith(space)}


def test_every_standard_has_its_file():
    assert {p.name.split(".")[0] for p in FOLDER.glob("*.sssom.tsv")} == set(NAMES)


@pytest.mark.parametrize("name", NAMES)
def test_the_file_is_sssom(name):
    head, rows = read(name)
    assert head["mapping_set_id"] == f"urn:clemkit:mappings:{name}"
    assert head["license"].startswith("https://creativecommons.org/")
    assert list(rows[0]) == COLUMNS
    spaces = head["curie_map"]
    for row in rows:
        assert row["predicate_id"] in PREDICATES
        assert row["mapping_justification"] == "semapv:ManualMappingCuration"
        for key in ("subject_id", "predicate_id", "object_id", "mapping_justification"):
            assert row[key].split(":")[0] in spaces, row
    triples = [(r["subject_id"], r["subject_category"], r["object_id"]) for r in rows]
    assert len(set(triples)) == len(triples)


@pytest.mark.parametrize("name", NAMES)
def test_the_prefixes_are_those_of_the_model(name):
    head, _ = read(name)
    own = model_map()["prefixes"]
    assert {p: i for p, i in head["curie_map"].items() if p in own and own[p] != i} == {}


@pytest.mark.parametrize("name", NAMES)
def test_every_subject_is_in_the_ontology(name):
    _, rows = read(name)
    assert {r["subject_id"] for r in rows} - own_subjects() == set()
    classes = model_map()["classes"]
    for row in rows:
        owner = classes.get(row["subject_category"])
        subject = row["subject_id"].removeprefix("clemkit:")
        if owner is not None and subject != row["subject_category"]:
            slots = {
                s
                for c in [row["subject_category"], *owner["concrete"]]
                for s in classes[c]["slots"]
            }
            assert subject in slots, row


def mapped_elements(kind: str):
    for path in sorted((ROOT / "ontology").glob("*.yaml")):
        for name, element in (yaml.safe_load(path.read_text()).get(kind) or {}).items():
            for key in ("exact_mappings", "close_mappings", "broad_mappings"):
                for curie in (element or {}).get(key, ()):
                    yield name, key.split("_")[0], curie


@pytest.mark.parametrize("kind", ["classes", "slots"])
def test_what_the_modules_say_is_in_a_file(kind):
    rows = {
        (r["subject_id"], r["predicate_id"], r["object_id"])
        for name in NAMES
        for r in read(name)[1]
    }
    said = list(mapped_elements(kind))
    assert len(said) >= (75 if kind == "classes" else 15)
    missing = [x for x in said if (f"clemkit:{x[0]}", f"skos:{x[1]}Match", x[2]) not in rows]
    assert missing == []


@pytest.mark.parametrize("name", ["emg", "obo"])
def test_identifiers_are_pinned_and_labels_those_of_their_source(name):
    with (ROOT / "ontology" / "terms.tsv").open(encoding="utf-8", newline="") as stream:
        pinned = {r["curie"]: r for r in csv.DictReader(stream, delimiter="\t")}
    _, rows = read(name)
    rows = [r for r in rows if not r["object_id"].startswith("edam:")]
    assert len(rows) >= 15
    for row in rows:
        assert row["object_label"] == pinned[row["object_id"]]["label"]
        assert pinned[row["object_id"]]["status"] != "obsolete"


def test_prov_and_schema_org_have_the_terms():
    from rdflib import DCAT, DCTERMS, PROV, SDO

    spaces = {"prov": PROV, "sdo": SDO, "dcat": DCAT, "dcterms": DCTERMS}
    for name in ("prov", "schema-org"):
        for row in read(name)[1]:
            prefix, _, _ = row["object_id"].partition(":")
            if prefix in spaces:
                assert expand_curie(row["object_id"]) in spaces[prefix], row


def empiar_fields() -> set[str]:
    folder = ROOT / "src" / "clemkit" / "deposition" / "empiar" / "schema"
    (path,) = folder.glob("*.json")
    found = set()

    def walk(schema: dict, prefix: str) -> None:
        for key, value in schema.get("properties", {}).items():
            found.add(prefix + key)
            walk(value.get("items", value), f"{prefix}{key}.")

    walk(json.loads(path.read_text(encoding="utf-8")), "")
    return found


def test_empiar_fields_are_those_of_the_schema():
    known = empiar_fields()
    fields = {r["object_id"].removeprefix("empiar:") for r in read("empiar")[1]}
    assert fields - known == set()
    top = {f for f in known if "." not in f}
    # a workflow file and the particles of cryo-EM have no place in a description
    assert top - {f.split(".")[0] for f in fields} == {"workflow_file"}
    images = {f for f in known if f.startswith("imagesets.")}
    absent = {f.split(".")[1] for f in images - fields}
    assert {a for a in absent if not a.startswith(("picked_particles", "frame_range"))} == set()


def test_ome_elements_and_attributes_exist():
    model = pytest.importorskip("ome_types.model")
    for row in read("ome")[1]:
        if row["object_id"].startswith("ome_core:"):
            continue  # the same classes in OME's own RDF
        element, _, attribute = row["object_id"].removeprefix("ome:").partition(".")
        fields = getattr(model, element).model_fields if hasattr(model, element) else None
        if element == "AffineTransform":
            continue
        assert fields is not None, row
        snake = re.sub(r"(?<=[a-z])(?=[A-Z])", "_", attribute).lower().replace("lensna", "lens_na")
        assert not attribute or snake in fields, row


def test_bia_terms_are_in_the_archive_s_ontology():
    path = SHARED / "meta" / "bia-ro-crate" / "bia_ontology.ttl"
    if not path.is_file():
        pytest.skip(f"ontology of the BioImage Archive absent: {path}")
    known = set(re.findall(r"^bia:(\w+)\s+a owl:", path.read_text(encoding="utf-8"), re.MULTILINE))
    used = {r["object_id"].removeprefix("bia:") for r in read("bia")[1]}
    assert used - known == set()
    assert len(used) > 50


def test_every_method_of_the_preparation_widget_is_mapped():
    from clemkit.metadata.protocols.spw_form import METHOD_OF_CLASS

    rows = [r for r in read("spw")[1] if r["predicate_id"] == "skos:exactMatch"]
    labels = {r["subject_id"].removeprefix("clemkit:"): r["object_label"] for r in rows}
    assert {c: labels.get(c) for c in METHOD_OF_CLASS} == dict(METHOD_OF_CLASS)
