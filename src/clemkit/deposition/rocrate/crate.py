"""A finished experiment as an RO-Crate 1.2 with the Process Run Crate profile 0.5.

Files with sizes and checksums; what was done to them as actions with program, input, result,
people and times; protocols as LabProtocol; people, samples, methods and papers around.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, Final

from clemkit.deposition.crate_files import CrateFile, described_files
from clemkit.deposition.empiar.description import Described, mappings, texts
from clemkit.deposition.rocrate.actions import add_actions
from clemkit.deposition.rocrate.data_entities import add_files
from clemkit.deposition.rocrate.graph import METADATA, Graph, local_id, ref, refs
from clemkit.deposition.rocrate.people import add_authors, add_grants, add_licence, add_papers, day
from clemkit.deposition.rocrate.samples import (
    EXTRA_TERMS,
    add_acquisition_protocol,
    add_biosample,
    add_specimen,
)
from clemkit.errors import IncompleteDepositionError, Problem
from clemkit.metadata.protocols.lab_protocol import lab_protocol

__all__ = ["PROCESS_RUN", "build_crate"]

PROCESS_RUN: Final = "https://w3id.org/ro/wfrun/process/0.5"
_BLOCK = 1 << 20
# terms of LabProtocol that the context of RO-Crate lacks
_PROTOCOL_TERMS = {
    "bioSample": "https://bioschemas.org/bioSample",
    "reagent": "https://bioschemas.org/reagent",
}
_CONTEXT = ["https://w3id.org/ro/crate/1.2/context", {**EXTRA_TERMS, **_PROTOCOL_TERMS}]


def build_crate(
    data: Mapping[str, Any],
    folder: Path | None = None,
    files: Sequence[CrateFile] | None = None,
    *,
    further: Mapping[str, str] | None = None,
    digest: Callable[[Path], str] | None = None,
) -> dict[str, bytes]:
    """Return the files to put beside the data: ``ro-crate-metadata.json``.

    Parameters
    ----------
    data : mapping
        An experiment in long form.
    folder : Path, optional
        Folder of the description and its image files; these get a SHA-256.
    files : sequence of CrateFile, optional
        The files, where they are known already; nothing is looked for then.
    further : mapping of str to str, optional
        Path in the crate and description of more files, such as the description itself; they
        must lie in *folder*.
    digest : callable, optional
        Returns the SHA-256 of a file; by default it is computed.

    Raises
    ------
    IncompleteDepositionError
        Title, description, licence or day of publication is missing.
    """
    described = Described(data)
    study = described.study
    graph = Graph()
    licence = add_licence(graph, study)
    _require(study, licence)
    if files is None:
        files = _digested(described_files(data, folder), folder, digest) if folder else ()
    pieces = add_files(graph, described, files)
    parts = list(dict.fromkeys(f for own in pieces.data.values() for f in own))
    for path, text in (further or {}).items():
        parts.append(_further(graph, path, text, folder, digest))
    about: list[str] = []
    for _, sample in described.all("biological_samples"):
        key, terms = add_biosample(graph, sample)
        about += [key, *terms]
    for _, specimen in described.all("specimens"):
        add_specimen(graph, described, str(specimen["id"]))
    methods: list[str] = []
    for _, acquisition in described.all("acquisitions"):
        key, terms = add_acquisition_protocol(graph, described, acquisition)
        methods += [key, *terms]
    protocols = _protocols(graph, data)
    mentions = [*pieces.collections, *add_actions(graph, described, pieces)]
    graph.add(
        {
            "@id": PROCESS_RUN,
            "@type": ["CreativeWork", "Profile"],
            "name": "Process Run Crate",
            "version": "0.5",
        }
    )
    papers = add_papers(graph, described)
    identifiers = mappings(study.get("identifiers"))
    graph.add(
        {
            "@id": "./",
            "@type": "Dataset",
            "name": study["title"],
            "description": study["description"],
            "datePublished": day(study),
            "license": ref(str(licence)),
            "conformsTo": ref(PROCESS_RUN),
            "author": add_authors(graph, described),
            "keywords": ", ".join(texts(study.get("keywords"))),
            "identifier": [str(i.get("identifier_value")) for i in identifiers],
            "funding": add_grants(graph, described),
            "citation": [p for p in papers if p["@id"].startswith("https:")],
            "about": refs([*about, *protocols]),
            "measurementMethod": refs(methods),
            "hasPart": refs(parts),
            "mentions": [*refs(mentions), *(p for p in papers if p["@id"].startswith("#"))],
        }
    )
    graph.add(
        {
            "@id": METADATA,
            "@type": "CreativeWork",
            "name": "Metadata of this crate",
            # Process Run Crate 0.5 builds on 1.1; this crate keeps the rules of both
            "conformsTo": refs(["https://w3id.org/ro/crate/1.2", "https://w3id.org/ro/crate/1.1"]),
            "about": ref("./"),
        }
    )
    nodes = graph.reachable(METADATA)
    nodes.sort(key=lambda n: (n["@id"] != METADATA, n["@id"] != "./"))
    return {METADATA: graph.text(_CONTEXT, nodes)}


def _require(study: Mapping[str, Any], licence: str | None) -> None:
    wanted = {
        "title": study.get("title"),
        "description": study.get("description"),
        "licence": licence,
        "release_date": day(study),
    }
    problems = [
        Problem(("study", k), "L5-required", "error", f"expected {k} of the study; found none")
        for k, value in wanted.items()
        if not value
    ]
    if problems:
        names = ", ".join(str(p.location[-1]) for p in problems)
        raise IncompleteDepositionError(
            f"RO-Crate: expected {names} of the study; found none", problems
        )


def _digested(
    files: Sequence[CrateFile], folder: Path, digest: Callable[[Path], str] | None
) -> list[CrateFile]:
    from dataclasses import replace

    compute = digest or _sha256
    # a store has thousands of chunks; its bytes are counted
    return [f if f.store else replace(f, sha256=compute(folder / f.path)) for f in files]


def _sha256(path: Path) -> str:
    found = hashlib.sha256()
    with path.open("rb") as stream:
        while block := stream.read(_BLOCK):
            found.update(block)
    return found.hexdigest()


def _further(
    graph: Graph,
    path: str,
    text: str,
    folder: Path | None,
    digest: Callable[[Path], str] | None,
) -> str:
    from clemkit.deposition.rocrate.data_entities import file_node

    size, sha256 = 0, ""
    if folder is not None and (folder / path).is_file():
        size, sha256 = (folder / path).stat().st_size, (digest or _sha256)(folder / path)
    node = file_node(CrateFile(path, size, "", sha256=sha256), path)
    return graph.add({**node, "description": text})


def _protocols(graph: Graph, data: Mapping[str, Any]) -> list[str]:
    """Add the protocols as LabProtocol; what they share with other nodes is joined."""
    view = lab_protocol(data, node_id=local_id)
    found: list[str] = []
    for node in view["@graph"]:
        name = str(node["@id"])
        if name in graph:
            graph.add({"@id": name, **{k: v for k, v in node.items() if k not in graph[name]}})
        else:
            graph.add(node)
        if node.get("@type") == "LabProtocol":
            found.append(name)
            if not re.search(r"\S", str(node.get("description", ""))):
                graph.add({"@id": name, "description": str(node.get("name") or name)})
    return found
