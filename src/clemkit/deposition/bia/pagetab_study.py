"""The study as attributes, links and sections of PageTab."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from clemkit.deposition.bia.identifiers import LICENCES
from clemkit.deposition.bia.pagetab_parts import attribute, with_kept
from clemkit.deposition.empiar.description import Described, mappings, texts
from clemkit.deposition.kept import kept

__all__ = ["study_attributes", "study_links", "study_sections"]

Item = dict[str, Any]


def study_attributes(study: Mapping[str, Any]) -> list[Item]:
    """Return what is said of the study itself."""
    spelling = {code: name for name, (code, _) in LICENCES.items()}
    licence = study.get("licence")
    items = [
        *attribute("Title", study.get("title")),
        *attribute("Description", study.get("description")),
    ]
    for word in texts(study.get("keywords")):
        items += attribute("Keywords", word)
    qualified: Item = next((v for _, v in kept(study, "pagetab-licence")), {})
    spelt = attribute("License", spelling.get(str(licence), licence))
    items += [item | qualified for item in spelt]
    items += attribute("Acknowledgements", study.get("acknowledgements"))
    for grant in mappings(study.get("funding")):
        if not grant.get("funder"):
            items += attribute("Funding statement", grant.get("description"))
    return items


def study_links(study: Mapping[str, Any]) -> list[Item]:
    """Return pages about the study and entries in other archives."""
    links: list[Item] = [{"url": page} for page in texts(study.get("web_pages"))]
    for entry in mappings(study.get("related_entries")):
        kind = str(entry.get("identifier_scheme", ""))
        links.append(
            {"url": entry.get("identifier_value", ""), "attributes": attribute("Type", kind)}
        )
    return links


def study_sections(described: Described) -> list[Item]:
    """Return the grants and the publications."""
    found: list[Item] = []
    for grant in mappings(described.study.get("funding")):
        if not grant.get("funder"):
            continue
        items = attribute("Agency", described.named(grant["funder"]))
        items += attribute("grant_id", grant.get("grant_number"))
        items += attribute("Description", grant.get("description"))
        found.append(with_kept({"type": "Funding", "attributes": items}, grant))
    for paper in mappings(described.study.get("publications")):
        items = [
            *attribute("Title", paper.get("publication_title")),
            *attribute("Authors", ", ".join(texts(paper.get("author_names")))),
            *attribute("DOI", paper.get("doi")),
            *attribute("Pubmed ID", paper.get("pubmed_id")),
            *attribute("Year", paper.get("year")),
        ]
        found.append(with_kept({"type": "Publication", "attributes": items}, paper))
    return found
