"""The modules of ontology/ say what they should, with checked identifiers only."""

from __future__ import annotations

import csv
import os
from pathlib import Path

import pytest
import yaml

from clemkit.metadata.model_map import expand_curie, model_map

ROOT = Path(__file__).parents[2]
ONTOLOGY = ROOT / "ontology"
MODULES = sorted(ONTOLOGY.glob("*.yaml"))
SHARED = Path(os.environ.get("CLEMKIT_SHARED", ROOT.parent / "shared"))
STEP_CLASSES = {
    # the eleven of the EMPIAR Specimen Preparation Widget
    "ChemicalFixation", "Rinsing", "Incubation", "Staining", "PlungeFreezing",
    "HighPressureFreezing", "Dehydration", "Infiltration", "OvenCuring", "UvPolymerization",
    "FreezeSubstitution",
    # what volume electron microscopy needs beyond them
    "Perfusion", "Dissection", "PostFixation", "EnBlocStaining", "Quenching", "ImmunoLabelling",
    "FluorescentLabelling", "DabReaction", "MicrowaveProcessing", "Mounting", "Trimming",
    "Sectioning", "SectionCollection", "PostStaining", "Coating", "CriticalPointDrying",
    "CryoFibMilling", "FiducialApplication", "Storage", "OtherStep", "UnparsedStep",
}  # fmt: skip
METHODS = {
    "sbf_sem", "fib_sem", "plasma_fib_sem", "array_tomography", "atum_sem", "multibeam_sem",
    "ss_tem", "ss_et", "stem", "stem_tomography", "micro_ct", "nano_ct", "soft_xray_tomography",
    "confocal", "spinning_disk", "two_photon", "light_sheet", "sim", "sted", "palm", "storm",
    "widefield_fluorescence", "clem",
}  # fmt: skip


def elements(kind: str):
    """Classes, slots or enums of all modules with their names."""
    for path in MODULES:
        content = yaml.safe_load(path.read_text(encoding="utf-8"))
        yield from (content.get(kind) or {}).items()


def used_identifiers():
    """Every meaning, address and mapping that the modules use, with the place."""
    for kind in ("classes", "slots"):
        for name, element in elements(kind):
            for key in ("slot_uri", "exact_mappings", "close_mappings", "broad_mappings"):
                found = (element or {}).get(key, [])
                yield from ((name, c) for c in ([found] if isinstance(found, str) else found))
    for enum, element in elements("enums"):
        for value, entry in element["permissible_values"].items():
            yield f"{enum}.{value}", entry["meaning"]
            for key in ("exact_mappings", "close_mappings", "broad_mappings"):
                yield from ((f"{enum}.{value}", c) for c in entry.get(key, []))


def verified_terms() -> set[str]:
    table = SHARED / "vocab" / "verified-terms.tsv"
    if not table.is_file():
        pytest.skip(f"table of verified terms absent: {table}")
    with table.open(encoding="utf-8", newline="") as stream:
        rows = list(csv.DictReader(stream, delimiter="\t"))
    return {r["iri"] for r in rows}


def pinned_terms() -> dict[str, dict[str, str]]:
    with (ONTOLOGY / "terms.tsv").open(encoding="utf-8", newline="") as stream:
        return {r["curie"]: r for r in csv.DictReader(stream, delimiter="\t")}


def iri(curie: str) -> str:
    return curie if curie.startswith("https://") else expand_curie(curie) or curie


def in_rdflib(address: str) -> bool:
    """Whether one of rdflib's closed namespaces has the term."""
    from rdflib import DCAT, DCTERMS, PROV, RDFS, SDO, SKOS

    spaces = (DCAT, DCTERMS, PROV, RDFS, SKOS, SDO)
    return any(address.startswith(str(s)) and address in s for s in spaces)


def test_every_identifier_was_verified_against_its_source():
    verified = verified_terms()
    # read in QUDT's own schema; licences and SPDX are addresses, not terms
    other = {"qudt:numericValue", "qudt:hasUnit"}
    unknown = sorted(
        {
            f"{place}: {curie}"
            for place, curie in used_identifiers()
            if not curie.startswith(("clemkit:", "https://creativecommons", "https://spdx"))
            and curie not in other
            and iri(curie) not in verified
            and not in_rdflib(iri(curie))
        }
    )
    assert unknown == []


def test_every_identifier_is_pinned_or_ours():
    """Without the shared table: what the model uses of an OBO ontology or MeSH is in terms.tsv."""
    pinned = {iri(c) for c in pinned_terms()}
    spaces = ("FBbi:", "OBI:", "CHMO:", "UO:", "quantity_unit:", "EMG:", "mesh:", "CHEBI:", "IAO:")
    used = {c for _, c in used_identifiers() if c.startswith(spaces)}
    assert len(used) > 100
    assert {c for c in used if iri(c) not in pinned} == set()


def test_pinned_terms_agree_with_the_verified_table():
    table = SHARED / "vocab" / "verified-terms.tsv"
    if not table.is_file():
        pytest.skip(f"table of verified terms absent: {table}")
    with table.open(encoding="utf-8", newline="") as stream:
        labels = {r["iri"]: r["label_in_source"] for r in csv.DictReader(stream, delimiter="\t")}
    wrong = {c for c, r in pinned_terms().items() if labels.get(iri(c)) != r["label"]}
    assert wrong == set()


def test_every_verified_term_of_a_description_is_pinned():
    table = SHARED / "vocab" / "verified-terms.tsv"
    if not table.is_file():
        pytest.skip(f"table of verified terms absent: {table}")
    with table.open(encoding="utf-8", newline="") as stream:
        rows = list(csv.DictReader(stream, delimiter="\t"))
    # words of other standards are no terms of a description; EDAM is share-alike and not bundled
    others = ("edam", "schema", "prov", "p-plan", "SP", "ome_core", "dcat", "dcterms")
    wanted = {r["iri"] for r in rows if r["curie"].split(":")[0] not in others}
    assert len(wanted) > 400
    assert wanted - {iri(c) for c in pinned_terms()} == set()


def test_no_obsolete_term_is_used():
    obsolete = {c for c, r in pinned_terms().items() if r["status"] == "obsolete"}
    assert obsolete == {"OBI:0000011", "quantity_unit:PIXEL"}
    assert {c for _, c in used_identifiers()} & obsolete == set()


def test_edam_is_close_or_broad_match_only():
    for _, element in elements("enums"):
        for entry in element["permissible_values"].values():
            assert not entry["meaning"].startswith("edam:")
            assert not any(c.startswith("edam:") for c in entry.get("exact_mappings", ()))


def test_every_own_term_has_a_definition():
    bare = [
        f"{enum}.{value}"
        for enum, element in elements("enums")
        for value, entry in element["permissible_values"].items()
        if entry["meaning"].startswith("clemkit:") and not entry.get("description")
    ]
    assert bare == []


def test_own_terms_have_one_place_each():
    seen: dict[str, str] = {}
    for enum, element in elements("enums"):
        for entry in element["permissible_values"].values():
            if entry["meaning"].startswith("clemkit:"):
                assert seen.setdefault(entry["meaning"], enum) == enum


@pytest.mark.parametrize("kind", ["classes", "slots"])
def test_everything_is_described(kind):
    assert [name for name, e in elements(kind) if not (e or {}).get("description")] == []


def test_base_iri_is_in_one_place_and_clearly_provisional():
    with_base = [p.name for p in MODULES if "clemkit.example" in p.read_text(encoding="utf-8")]
    assert with_base == ["base.yaml"]
    assert model_map()["vocabulary"].split("/")[2].endswith(".example")


def test_protocol_steps():
    steps = set(model_map()["classes"]["ProtocolStep"]["concrete"])
    assert steps >= STEP_CLASSES
    assert len(STEP_CLASSES) == 32


def test_imaging_methods():
    assert set(model_map()["enums"]["ImagingMethod"]["values"]) >= METHODS


def test_units_carry_ucum_dimension_and_factor():
    for name, entry in model_map()["enums"]["Unit"]["values"].items():
        assert {"iri", "ucum", "dimension", "factor"} <= set(entry), name
        assert float(entry["factor"]) > 0


def test_spellings_of_units_are_unambiguous():
    seen: dict[str, str] = {}
    for name, entry in model_map()["enums"]["Unit"]["values"].items():
        for spelling in {name, *entry.get("aliases", ())}:
            assert seen.setdefault(spelling, name) == name


def test_proposed_terms_are_ours_and_defined():
    with (ONTOLOGY / "proposed-terms.tsv").open(encoding="utf-8", newline="") as stream:
        rows = list(csv.DictReader(stream, delimiter="\t"))
    labels = {r["label"] for r in rows}
    assert {"clem", "array tomography", "high pressure frozen", "micro ct", "ss tem"} <= labels
    assert all(r["curie"].startswith("clemkit:") and len(r["definition"]) > 10 for r in rows)


def test_json_schemas_accept_the_examples():
    import json

    import jsonschema

    from clemkit.metadata.load import read_document
    from clemkit.metadata.model_map import GENERATED

    examples = sorted((ROOT / "examples" / "metadata").glob("*.yaml"))
    assert len(examples) == 3
    for path in sorted(GENERATED.glob("schema*.json")):
        schema = json.loads(path.read_text(encoding="utf-8"))
        jsonschema.Draft201909Validator.check_schema(schema)
        for example in examples:
            data = read_document(example).data
            errors = list(jsonschema.Draft201909Validator(schema).iter_errors(data))
            assert [f"{path.name}: {e.json_path}: {e.message[:200]}" for e in errors] == []


@pytest.mark.parametrize("profile", ["rembi", "empiar", "bia", "gide"])
def test_json_schema_of_a_profile_wants_more(profile):
    import json

    import jsonschema

    from clemkit.metadata.model_map import GENERATED

    schema = json.loads((GENERATED / f"schema-{profile}.json").read_text(encoding="utf-8"))
    plain = json.loads((GENERATED / "schema.json").read_text(encoding="utf-8"))
    bare = {"id": "x"}
    assert list(jsonschema.Draft201909Validator(plain).iter_errors(bare)) == []
    assert list(jsonschema.Draft201909Validator(schema).iter_errors(bare)) != []


def test_schema_org_is_addressed_with_https():
    from clemkit.metadata.model_map import GENERATED

    for name in ("rdfmap.json", "shapes.ttl", "ontology.ttl", "context.jsonld"):
        text = (GENERATED / name).read_text(encoding="utf-8")
        assert "https://schema.org/" in text or name == "shapes.ttl"
        assert "http://schema.org/" not in text
