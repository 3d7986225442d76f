"""Search crates have what the profile requires; a mandatory property that is gone is missed."""

from __future__ import annotations

import copy
import json
from pathlib import Path
from typing import Any

import pytest

from clemkit.deposition.crate_files import CrateFile
from clemkit.deposition.rocrate.check_gide import GIDE_RULES, check_gide_crate
from clemkit.deposition.rocrate.gide import build_gide_crate, entry_address
from clemkit.errors import IncompleteDepositionError
from clemkit.metadata.load import read_document

EXAMPLES = sorted((Path(__file__).parents[4] / "examples" / "metadata").glob("*.yaml"))
PAGE = "https://www.ebi.ac.uk/empiar/EMPIAR-99999/"
MANDATORY = (
    "name", "description", "datePublished", "license", "author", "publisher", "about",
    "measurementMethod",
)  # fmt: skip


def described(example: Path = EXAMPLES[0]) -> dict[str, Any]:
    data = copy.deepcopy(read_document(example).data)
    data["study"]["identifiers"] = [
        {"identifier_scheme": "EMPIAR", "identifier_value": "EMPIAR-99999"}
    ]
    return data


def document(**_: Any) -> dict[str, Any]:
    made = build_gide_crate(described(), files=[CrateFile("a", 5, "x"), CrateFile("b", 7, "x")])
    return json.loads(made["ro-crate-metadata.json"])


def root(crate: dict[str, Any]) -> dict[str, Any]:
    return next(n for n in crate["@graph"] if n["@id"] == PAGE)


def rules(crate: dict[str, Any]) -> set[str]:
    return {p.rule for p in check_gide_crate(json.dumps(crate).encode())}


@pytest.mark.parametrize("example", EXAMPLES, ids=lambda p: p.stem)
def test_the_mandatory_list_is_complete(example: Path):
    data = described(example)
    assert entry_address(data) == PAGE
    assert check_gide_crate(build_gide_crate(data)) == ()


def test_number_and_bytes_of_files():
    crate = document()
    sizes = [n for n in crate["@graph"] if n["@type"] == "QuantitativeValue"]
    assert {(n["unitText"], n["value"]) for n in sizes} == {("file count", 2), ("bytes", 12)}


@pytest.mark.parametrize("name", MANDATORY)
def test_a_mandatory_property_that_is_gone_is_missed(name: str):
    crate = document()
    del root(crate)[name]
    found = check_gide_crate(json.dumps(crate).encode())
    assert [p.location for p in found if p.rule == "GC-required"] == [(PAGE, name)]


@pytest.mark.parametrize(
    ("kind", "field", "rule"),
    [
        ("Taxon", "scientificName", "GC-required"),
        ("Person", "name", "GC-required"),
        ("Organization", "name", "GC-required"),
        ("LabProtocol", "description", "GC-required"),
        ("DefinedTerm", "name", "GC-required"),
    ],
)
def test_what_is_referred_to_is_described(kind: str, field: str, rule: str):
    crate = document()
    for node in crate["@graph"]:
        if node["@type"] == kind:
            node.pop(field, None)
    assert rule in rules(crate)


def test_other_faults():
    crate = document()
    crate["@context"][1]["seeAlso"] = {"@id": "http://schema.org/seeAlso"}
    assert rules(crate) == {"GC-context"}
    crate = document()
    crate["@graph"][0]["conformsTo"] = {"@id": "https://w3id.org/ro/crate/1.1"}
    assert rules(crate) == {"GC-descriptor"}
    crate = document()
    root(crate)["about"] = [r for r in root(crate)["about"] if "NCBITaxon" not in r["@id"]]
    assert rules(crate) == {"GC-target"}
    text = json.dumps(document()).replace(PAGE, "./").encode()
    assert {p.rule for p in check_gide_crate(text)} == {"GC-address"}
    assert {p.rule for p in check_gide_crate(b"{}")} == {"GC-json"}
    seen = {"GC-context", "GC-descriptor", "GC-target", "GC-address", "GC-json", "GC-required"}
    assert seen == set(GIDE_RULES)


def test_what_is_not_described_is_asked_for():
    data = read_document(EXAMPLES[0]).data
    with pytest.raises(IncompleteDepositionError, match="the page of the entry") as caught:
        build_gide_crate({**data, "acquisitions": []})
    assert [p.location[1] for p in caught.value.problems] == [
        "identifiers", "repository", "acquisitions",
    ]  # fmt: skip
