"""Organisms, biosamples and imaging methods as nodes of a crate."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from clemkit.deposition.bia.associations import biosamples_of
from clemkit.deposition.empiar.description import Described, mappings, texts
from clemkit.deposition.imaging_methods import method_terms, method_words
from clemkit.deposition.prose import acquisition_prose
from clemkit.deposition.rocrate.graph import Graph, local_id, ref, refs
from clemkit.metadata.model_map import expand_curie

__all__ = ["EXTRA_TERMS", "add_acquisition_protocol", "add_biosample", "add_specimen", "add_term"]

# what the context of RO-Crate lacks, or GIDE gives another meaning
EXTRA_TERMS = {
    "obo": "http://purl.obolibrary.org/obo/",
    "dwc": "http://rs.tdwg.org/dwc/terms/",
    "dwciri": "http://rs.tdwg.org/dwc/iri/",
    "bao": "http://www.bioassayontology.org/bao#",
    "xsd": "http://www.w3.org/2001/XMLSchema#",
    "vernacularName": {"@id": "dwc:vernacularName"},
    "scientificName": {"@id": "dwc:scientificName"},
    "hasCellLine": {"@id": "bao:BAO_0002004"},
    "measurementMethod": {"@id": "dwciri:measurementMethod"},
    "seeAlso": {"@id": "rdfs:seeAlso"},
    "BioSample": {"@id": "http://schema.org/BioSample"},
    "LabProtocol": {"@id": "http://schema.org/LabProtocol"},
    "labEquipment": {"@id": "http://schema.org/labEquipment"},
}


def add_term(graph: Graph, curie: str, label: str) -> str:
    """Add a term of an ontology, and return its address."""
    address = expand_curie(curie) or curie
    node = {"@id": address, "@type": "DefinedTerm", "name": label or curie, "termCode": curie}
    return graph.add(node)


def _taxon(graph: Graph, taxon: Mapping[str, Any]) -> str:
    scientific = str(taxon.get("scientific_name") or "not named")
    curie = str(taxon.get("taxon_id") or "")
    key = expand_curie(curie) if curie else None
    return graph.add(
        {
            "@id": key or local_id(f"taxon-{scientific}"),
            "@type": "Taxon",
            "name": scientific,
            "scientificName": scientific,
            "vernacularName": taxon.get("common_name"),
        }
    )


def add_biosample(graph: Graph, sample: Mapping[str, Any]) -> tuple[str, list[str]]:
    """Add a biosample; return its id, and those of its organisms and of what was imaged."""
    taxa = [_taxon(graph, t) for t in mappings(sample.get("organisms"))]
    terms = [
        add_term(graph, str(t["term"]), str(t.get("term_label") or ""))
        for t in mappings(sample.get("biological_entities"))
        if t.get("term")
    ]
    told = (sample.get("description"), sample.get("biological_entity_description"))
    name = str(sample.get("name") or sample["id"])
    key = graph.add(
        {
            "@id": local_id(sample["id"]),
            "@type": "BioSample",
            "name": name,
            "description": " ".join(str(t) for t in told if t) or name,
            "taxonomicRange": refs(taxa),
        }
    )
    return key, [*taxa, *terms]


def add_specimen(graph: Graph, described: Described, name: str) -> str | None:
    """Add a specimen with what it was taken from; None when it is not described."""
    specimen = described.thing(name)
    if not specimen:
        return None
    key = local_id(name)
    if key in graph:
        return key
    graph.add(
        {
            "@id": key,
            "@type": "BioSample",
            "name": specimen.get("name") or name,
            "description": specimen.get("description")
            or specimen.get("preparation_summary")
            or str(specimen.get("name") or name),
        }
    )
    parents = [add_specimen(graph, described, n) for n in texts(specimen.get("derived_from"))]
    origins = [p for p in parents if p]
    if not origins:
        origins = [
            add_biosample(graph, described.thing(b))[0] for b in biosamples_of(described, name)
        ]
    graph.add({"@id": key, "isBasedOn": refs(origins)})
    return key


def add_acquisition_protocol(
    graph: Graph, described: Described, acquisition: Mapping[str, Any]
) -> tuple[str, list[str]]:
    """Add how images were taken as a protocol; return its id and those of its methods."""
    terms = [add_term(graph, curie, label) for label, curie in method_terms(acquisition)]
    method = str(acquisition.get("imaging_method") or "")
    instrument = described.thing(acquisition.get("instrument"))
    words = (instrument.get(k) for k in ("name", "manufacturer", "model_name"))
    name = str(acquisition.get("name") or acquisition["id"])
    key = graph.add(
        {
            "@id": local_id(f"{acquisition['id']}-protocol"),
            "@type": "LabProtocol",
            "name": name,
            "description": acquisition_prose(described, acquisition["id"])
            or method_words(method)
            or name,
            "labEquipment": ", ".join(str(w) for w in words if w),
            "measurementTechnique": [ref(t) for t in terms],
        }
    )
    return key, terms
