"""People, organisations, grants, papers and licences as nodes of a crate."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any
from urllib.parse import quote

from clemkit.deposition.bia.crate import licence_address
from clemkit.deposition.bia.pagetab_people import full_name
from clemkit.deposition.empiar.description import Described, mappings, texts
from clemkit.deposition.rocrate.graph import Graph, local_id, ref, refs

__all__ = ["add_agent", "add_authors", "add_grants", "add_licence", "add_papers", "day"]


def add_agent(graph: Graph, described: Described, name: object) -> str | None:
    """Add a person or organisation of the description; None when there is none."""
    agent = described.thing(name)
    if not agent:
        return None
    if agent.get("type") != "Person":
        key = f"https://ror.org/{agent['ror']}" if agent.get("ror") else local_id(agent["id"])
        lines = (agent.get(k) for k in ("street", "town", "postal_code", "country_code"))
        return graph.add(
            {
                "@id": key,
                "@type": "Organization",
                "name": agent.get("name") or agent["id"],
                "address": ", ".join(str(part) for part in lines if part),
            }
        )
    key = f"https://orcid.org/{agent['orcid']}" if agent.get("orcid") else local_id(agent["id"])
    homes = [add_agent(graph, described, n) for n in texts(agent.get("affiliations"))]
    return graph.add(
        {
            "@id": key,
            "@type": "Person",
            "name": full_name(agent),
            "givenName": agent.get("given_name"),
            "familyName": agent.get("family_name"),
            "email": agent.get("email"),
            "affiliation": refs(h for h in homes if h),
        }
    )


def add_authors(graph: Graph, described: Described) -> list[dict[str, str]]:
    """Add the authors, and return references in the order of the author list."""
    lines = mappings(described.study.get("contributions"))
    chosen = [line for line in lines if "author" in texts(line.get("roles"))] or lines
    found = [add_agent(graph, described, line.get("contributor")) for line in chosen]
    return refs(name for name in found if name)


def add_grants(graph: Graph, described: Described) -> list[dict[str, str]]:
    """Add the grants with those who pay, and return references to the grants."""
    found: list[str] = []
    for number, grant in enumerate(mappings(described.study.get("funding")), 1):
        funder = add_agent(graph, described, grant.get("funder"))
        words = (grant.get("description"), grant.get("grant_number"))
        name = " ".join(str(w) for w in words if w) or described.named(grant.get("funder"))
        node = {"@id": local_id(f"grant-{number}"), "@type": "Grant", "name": name}
        number_text = grant.get("grant_number")
        found.append(
            graph.add(node | {"identifier": number_text, "funder": ref(funder) if funder else None})
        )
    return refs(found)


def add_papers(graph: Graph, described: Described) -> list[dict[str, str]]:
    """Add the publications, and return references to them."""
    found: list[str] = []
    for number, paper in enumerate(mappings(described.study.get("publications")), 1):
        doi = paper.get("doi")
        key = f"https://doi.org/{quote(str(doi), safe='/:()')}" if doi else ""
        found.append(
            graph.add(
                {
                    "@id": key or local_id(f"publication-{number}"),
                    "@type": "ScholarlyArticle",
                    "name": paper.get("publication_title"),
                    "identifier": key,
                    "datePublished": str(paper["year"]) if paper.get("year") else None,
                }
            )
        )
    return refs(found)


def add_licence(graph: Graph, study: Mapping[str, Any]) -> str | None:
    """Add the licence; None when it has no address."""
    address = licence_address(study.get("licence"))
    if not address:
        return None
    node = {"@id": address, "@type": "CreativeWork", "name": str(study["licence"])}
    return graph.add(node | {"url": address, "description": f"Licence {study['licence']}"})


def day(study: Mapping[str, Any]) -> str | None:
    """Return the day of publication; None where none was chosen."""
    return str(study["release_date"]) if study.get("release_date") else None
