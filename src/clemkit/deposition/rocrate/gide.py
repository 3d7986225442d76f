"""A search crate for foundingGIDE: a detached RO-Crate 1.2 after its search profile 0.2."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

from clemkit.deposition.crate_files import CrateFile
from clemkit.deposition.empiar.description import Described, mappings, texts
from clemkit.deposition.rocrate.graph import METADATA, Graph, ref, refs
from clemkit.deposition.rocrate.people import add_authors, add_grants, add_licence, add_papers, day
from clemkit.deposition.rocrate.samples import (
    EXTRA_TERMS,
    add_acquisition_protocol,
    add_biosample,
)
from clemkit.errors import IncompleteDepositionError, Problem

__all__ = ["build_gide_crate", "entry_address"]

_CONTEXT = ["https://w3id.org/ro/crate/1.2/context", EXTRA_TERMS]
# scheme of an identifier: page of the entry, name and page of the publisher
_ARCHIVES: Final[Mapping[str, tuple[str, str, str]]] = {
    "BioStudies": (
        "https://www.ebi.ac.uk/biostudies/bioimages/studies/{}",
        "BioImage Archive",
        "https://www.ebi.ac.uk/bioimage-archive/",
    ),
    "EMPIAR": ("https://www.ebi.ac.uk/empiar/{}/", "EMPIAR", "https://www.ebi.ac.uk/empiar/"),
    "IDR": (
        "https://idr.openmicroscopy.org/search/?query=Name:{}",
        "Image Data Resource",
        "https://idr.openmicroscopy.org/",
    ),
    "DOI": ("https://doi.org/{}", "", ""),
}
_COUNTS = (("file count", "UO_0000189"), ("bytes", "UO_0000233"))


def entry_address(data: Mapping[str, Any]) -> str:
    """Return the page of the entry in its archive, from the identifiers; empty when unknown."""
    study = Described(data).study
    found = {
        str(i.get("identifier_scheme")): str(i.get("identifier_value"))
        for i in mappings(study.get("identifiers"))
    }
    for scheme, (form, _, _) in _ARCHIVES.items():
        if scheme in found:
            return form.format(found[scheme])
    return next(iter(texts(study.get("web_pages"))), "")


def _publisher(study: Mapping[str, Any], address: str) -> tuple[str, str]:
    for form, name, page in _ARCHIVES.values():
        if name and address.startswith(form.partition("{")[0]):
            return name, page
    stated = str(study.get("repository") or "")
    for _, name, page in _ARCHIVES.values():
        if name and stated.lower().replace(" ", "") == name.lower().replace(" ", ""):
            return name, page
    return stated, "#publisher"


def build_gide_crate(
    data: Mapping[str, Any], address: str = "", files: Sequence[CrateFile] = ()
) -> dict[str, bytes]:
    """Return the metadata of a search crate.

    Parameters
    ----------
    data : mapping
        An experiment in long form.
    address : str
        Page where the data are found; by default that of :func:`entry_address`.
    files : sequence of CrateFile
        Files of the entry, for their number and bytes.

    Raises
    ------
    IncompleteDepositionError
        Something that the profile requires is not described; ``problems`` lists it.
    """
    described = Described(data)
    study = described.study
    address = address or entry_address(data)
    name, page = _publisher(study, address)
    graph = Graph()
    about: list[str] = []
    for _, sample in described.all("biological_samples"):
        key, terms = add_biosample(graph, sample)
        about += [key, *terms]
    methods: list[str] = []
    for _, acquisition in described.all("acquisitions"):
        key, terms = add_acquisition_protocol(graph, described, acquisition)
        methods += [key, *terms]
    authors = add_authors(graph, described)
    licence = add_licence(graph, study)
    taxa = [n for n in about if graph[n]["@type"] == "Taxon"]
    terms = [n for n in methods if graph[n]["@type"] == "DefinedTerm"]
    problems = _lacking(study, address, name, bool(authors), bool(taxa), bool(terms), bool(licence))
    if problems:
        wanted = ", ".join(p.message.removeprefix("expected ").split(";")[0] for p in problems)
        raise IncompleteDepositionError(
            f"GIDE search crate: expected {wanted}; found none", problems
        )
    identifiers = mappings(study.get("identifiers"))
    graph.add(
        {"@id": page, "@type": "Organization", "name": name, "url": page if page[0] != "#" else ""}
    )
    root = {
        "@id": address,
        "@type": "Dataset",
        "name": study["title"],
        "description": study["description"],
        "datePublished": day(study),
        "license": ref(str(licence)),
        "author": authors,
        "publisher": ref(page),
        "about": refs(about),
        "measurementMethod": refs(methods),
        "identifier": identifiers[0].get("identifier_value") if identifiers else address,
        "keywords": texts(study.get("keywords")),
        "funder": add_grants(graph, described),
        "seeAlso": add_papers(graph, described),
        "size": _sizes(graph, files),
    }
    graph.add(root)
    graph.add(
        {
            "@id": METADATA,
            "@type": "CreativeWork",
            "conformsTo": ref("https://w3id.org/ro/crate/1.2"),
            "about": ref(address),
        }
    )
    nodes = graph.reachable(METADATA)
    nodes.sort(key=lambda n: (n["@id"] != METADATA, n["@id"] != address))
    return {METADATA: graph.text(_CONTEXT, nodes)}


def _sizes(graph: Graph, files: Sequence[CrateFile]) -> list[dict[str, str]]:
    if not files:
        return []
    values = (len(files), sum(f.size for f in files))
    found: list[str] = []
    for (text, code), value in zip(_COUNTS, values, strict=True):
        node = {"@id": f"#{text.replace(' ', '-')}", "@type": "QuantitativeValue", "value": value}
        unit = f"http://purl.obolibrary.org/obo/{code}"
        found.append(graph.add(node | {"unitCode": unit, "unitText": text}))
    return refs(found)


def _lacking(
    study: Mapping[str, Any],
    address: str,
    publisher: str,
    authors: bool,
    taxa: bool,
    methods: bool,
    licence: bool,
) -> list[Problem]:
    wanted = (
        (bool(address), "identifiers", "the page of the entry", "give its accession or address"),
        (bool(study.get("title")), "title", "the title of the study", ""),
        (bool(study.get("description")), "description", "the description of the study", ""),
        (day(study) is not None, "release_date", "the day of publication", "set release_date"),
        (licence, "licence", "a licence with an address", "choose a licence"),
        (authors, "contributions", "an author", "name who made the data"),
        (bool(publisher), "repository", "the archive that publishes", "set repository"),
        (taxa, "biological_samples", "an organism", "give organisms of the biosamples"),
        (methods, "acquisitions", "an imaging method of FBbi", "give imaging_method"),
    )
    return [
        Problem(("study", slot), "L5-required", "error", f"expected {what}; found none", hint)
        for present, slot, what, hint in wanted
        if not present
    ]
