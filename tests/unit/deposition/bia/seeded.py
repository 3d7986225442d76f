"""A submission without faults, made by hand, and small changes of it."""

from __future__ import annotations

import copy
from typing import Any

__all__ = ["attribute", "section", "submission"]


def attribute(name: str, value: Any, **further: Any) -> dict[str, Any]:
    return {"name": name, "value": value, **further}


def section(kind: str, accession: str = "", **values: Any) -> dict[str, Any]:
    items = [attribute(k.replace("_", " "), v) for k, v in values.items()]
    found: dict[str, Any] = {"accno": accession} if accession else {}
    return {**found, "type": kind, "attributes": items}


_AUTHOR = section("author", Name="Ada Example", ORCID="0000-0002-1825-0097")
_AUTHOR["attributes"] += [
    attribute("E-mail", "ada@example.org"),
    attribute("Role", "data acquisition"),
    attribute("affiliation", "o1", reference=True),
]
_COMPONENT = section(
    "Study Component", "Study Component-1", Name="Stacks", Description="All stacks"
)
_COMPONENT["attributes"].append(attribute("File List", "files.tsv"))
_ASSOCIATIONS = section("Associations", Biosample="Cells", Specimen="Block")
_ASSOCIATIONS["attributes"].append(attribute("Image acquisition", "FIB-SEM stack"))
_COMPONENT["subsections"] = [_ASSOCIATIONS]
_ORGANISM = section("Organism", "Organism-1", Scientific_name="Homo sapiens", Common_name="human")
_ORGANISM["attributes"].append(attribute("NCBI taxon ID", "NCBITaxon:9606"))
_ACQUISITION = section("Image acquisition", "Image acquisition-1", Title="FIB-SEM stack")
_ACQUISITION["attributes"] += [
    attribute("Imaging instrument", "A microscope"),
    attribute("Image acquisition parameters", "5 nm pixels"),
]
_ACQUISITION["subsections"] = [
    section(
        "Imaging Method",
        "m-1",
        Ontology_Value="focussed ion beam scanning electron microscopy (FIB-SEM)",
        Ontology_Term_ID="FBbi:00050000",
    )
]
_PUBLICATION = section(
    "Publication", Title="A paper", Authors="Ada Example", DOI="10.1234/abc", Year="2026"
)
_PUBLICATION["attributes"].append(attribute("Pubmed ID", "12345"))

_WHOLE: dict[str, Any] = {
    "accno": "S-BIAD99999",
    "attributes": [
        attribute("Template", "BioImages.v4"),
        attribute("ReleaseDate", "2027-03-01"),
        attribute("AttachTo", "BioImages"),
    ],
    "section": {
        "type": "Study",
        "attributes": [
            attribute("Title", "A study of cells that is long enough"),
            attribute("Description", "Cells were imaged, and what was seen is described here."),
            attribute("Keywords", "cells"),
            attribute("License", "CC0"),
        ],
        "links": [
            {
                "url": "https://www.ebi.ac.uk/bioimage-archive/",
                "attributes": [attribute("Description", "archive")],
            }
        ],
        "subsections": [
            _AUTHOR,
            section("organisation", "o1", Name="Example Institute"),
            section("Funding", Agency="Example Agency", grant_id="17"),
            _PUBLICATION,
            {
                **section("Biosample", "Biosample-1", Title="Cells", Biological_entity="cell"),
                "subsections": [_ORGANISM],
            },
            section(
                "Specimen", "Specimen-1", Title="Block", Sample_preparation_protocol="Embedded"
            ),
            _ACQUISITION,
            _COMPONENT,
        ],
    },
    "type": "submission",
}


def submission() -> dict[str, Any]:
    """A fresh submission that nothing is wrong with."""
    return copy.deepcopy(_WHOLE)
