"""Study, people, grants and papers of a crate."""

from __future__ import annotations

import re
from datetime import date
from typing import Any

from clemkit.deposition.bia.identifiers import (
    bare_doi,
    is_doi,
    is_email,
    licence_code,
    orcid_problem,
)
from clemkit.deposition.bia.pagetab_people import full_name, split_name
from clemkit.deposition.kept import keep
from clemkit.deposition.rocrate.node_reader import Node, Nodes
from clemkit.metadata.model_map import model_map
from clemkit.metadata.validate.check_digits import CHECK_DIGITS

__all__ = ["import_people", "import_study"]

_AUTHORS = ("author", "contributor", "creator")


def import_study(nodes: Nodes, root: Node, out: dict[str, Any]) -> dict[str, Any]:
    """Return the study of the root of a crate; authors, grants and papers are read too."""
    study: dict[str, Any] = {"id": "study", "title": root.text("name") or "untitled"}
    if text := root.text("description"):
        study["description"] = text
    words = root.texts("keyword", "keywords")
    if words:
        parts = words[0].split(", ") if len(words) == 1 else words
        study["keywords"] = list(dict.fromkeys(parts))
    if text := root.text("acknowledgement"):
        study["acknowledgements"] = text
    _licence(nodes, root, study)
    if text := root.text("datePublished"):
        try:
            study["release_date"] = date.fromisoformat(text[:10]).isoformat()
            if len(text) > 10:
                root.put_back("datePublished", text)
        except ValueError:
            root.put_back("datePublished", text)
    identifiers = _identifiers(root)
    if identifiers:
        study["identifiers"] = identifiers
    people = root.links(*_AUTHORS)
    study["contributions"] = [
        {"contributor": nodes.named(name), "roles": ["author"]}
        for name in dict.fromkeys(people)
        if name in nodes.by_id
    ]
    study["funding"] = _grants(nodes, root, out)
    study["publications"] = _papers(nodes, root)
    _references(nodes, root, study)
    root.links("hasPart")
    return {k: v for k, v in study.items() if v not in (None, "", [])}


def _licence(nodes: Nodes, root: Node, study: dict[str, Any]) -> None:
    addresses = {
        str(v["iri"]).rstrip("/"): name
        for name, v in model_map()["enums"]["Licence"]["values"].items()
    }
    given = root.text("license") or next(iter(root.links("license")), "")
    bare = given.rstrip("/").replace("http:", "https:")
    meant = addresses.get(bare)
    if meant is None and (known := licence_code(given)):
        meant = known[1]
    if meant:
        study["licence"] = meant
        if given in nodes.by_id:
            nodes.by_id[given].used = True
    elif given:
        root.put_back("license", given)


def _identifiers(root: Node) -> list[dict[str, str]]:
    found: list[dict[str, str]] = []
    own = root.text("accessionId")  # the id of the experiment, where it is none of an archive
    given = root.texts("identifier")
    for value in (*given, own, root.name):
        scheme = "accession" if value in given else ""
        if re.fullmatch(r"S-BIA[A-Z]*[0-9]+|S-BSST[0-9]+", value):
            scheme = "BioStudies"
        elif re.fullmatch(r"EMPIAR-[0-9]+", value):
            scheme = "EMPIAR"
        elif is_doi(value):
            scheme, value = "DOI", bare_doi(value) or value
        elif value.startswith("http"):
            scheme = "URL"
        entry = {"identifier_scheme": scheme, "identifier_value": value}
        if scheme and entry not in found:
            found.append(entry)
    return found


def _grants(nodes: Nodes, root: Node, out: dict[str, Any]) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = []
    for name in root.links("funding", "funder"):
        node = nodes.by_id.get(name)
        if node is None:
            continue
        node.used = True
        grant: dict[str, Any] = {}
        if "Grant" in node.types:
            payers = [i for i in node.links("funder") if i in nodes.by_id]
            if payers:
                grant["funder"] = nodes.named(payers[0])
                _organisation(nodes, payers[0], out)
            number, text = node.text("identifier"), node.text("name")
            grant |= {"grant_number": number} if number else {}
            if text and text != number:
                grant["description"] = text
        else:
            grant["funder"] = nodes.named(name)
            _organisation(nodes, name, out)
        nodes.keep_rest(node, grant)
        found.append(grant)
    return found


def _organisation(nodes: Nodes, name: str, out: dict[str, Any]) -> None:
    node = nodes.by_id[name]
    wanted = nodes.named(name)
    if any(a["id"] == wanted for a in out.setdefault("agents", [])):
        return
    node.used = True
    agent: dict[str, Any] = {"id": wanted, "type": "Organization"}
    if text := node.text("name", "displayName"):
        agent["name"] = text
    ror = re.fullmatch(r"https?://ror[.]org/(0[a-z0-9]{8})", name)
    if ror and not CHECK_DIGITS["ror"](ror[1]):
        agent["ror"] = ror[1]
    elif name.startswith("http"):
        keep(agent, "ro-crate", "@id", name)
    nodes.keep_rest(node, agent)
    out["agents"].append(agent)


def _papers(nodes: Nodes, root: Node) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = []
    ids = [
        i
        for i in root.links("citation", "relatedPublication", "seeAlso", "mentions")
        if i in nodes.by_id
    ]
    other = [i for i in ids if not nodes.by_id[i].types & {"ScholarlyArticle", "Publication"}]
    if other:
        root.put_back("seeAlso", [{"@id": i} for i in other])
    for name in ids:
        if name in other:
            continue
        node = nodes.by_id[name]
        node.used = True
        paper: dict[str, Any] = {"publication_title": node.text("name", "headline") or "untitled"}
        if authors := node.text("authorNames"):
            paper["author_names"] = [authors]
        doi = node.text("doi", "identifier")
        if doi and not is_doi(doi):
            node.put_back("identifier", doi)
        if found_doi := bare_doi(doi) or (bare_doi(name) if is_doi(name) else None):
            paper["doi"] = found_doi
        elif name.startswith("http"):
            keep(paper, "ro-crate", "@id", name)
        number = node.text("pubmedId")
        if re.fullmatch(r"[1-9][0-9]*", number):
            paper["pubmed_id"] = number
        elif number:
            node.put_back("pubmedId", number)
        year = node.text("yearPublished", "datePublished")
        if re.fullmatch(r"(19|20|21)[0-9]{2}", year):
            paper["year"] = int(year)
        elif year:
            node.put_back("datePublished", year)
        nodes.keep_rest(node, paper)
        found.append(paper)
    return found


def _references(nodes: Nodes, root: Node, study: dict[str, Any]) -> None:
    left: list[dict[str, str]] = []
    for name in root.links("seeAlso"):
        node = nodes.by_id.get(name)
        if (
            node
            and "bia:ExternalReference" in node.types
            and name.startswith("http")
            and not node.rest()
        ):
            node.used = True
            study.setdefault("web_pages", []).append(name)
        else:
            left.append({"@id": name})
    if left:
        root.put_back("seeAlso", left)


def import_people(nodes: Nodes, out: dict[str, Any]) -> None:
    """Read people and organisations into the agents."""
    agents = out.setdefault("agents", [])
    for node in list(nodes.of("Person", "bia:Contributor")):
        if "Person" not in node.types and "Organization" in node.types:
            _organisation(nodes, node.name, out)
            continue
        agents.append(_person(nodes, node))
    for node in list(nodes.of("Organization", "bia:Affiliation", "bia:FundingBody")):
        _organisation(nodes, node.name, out)
    for line in out["study"].get("contributions", ()):
        told = nodes.roles.get(line["contributor"], [])
        line["roles"] = list(dict.fromkeys([*line["roles"], *told]))


def _person(nodes: Nodes, node: Node) -> dict[str, Any]:
    person: dict[str, Any] = {"id": nodes.named(node.name, "person"), "type": "Person"}
    name = node.text("name", "displayName")
    given, family = node.text("givenName"), node.text("familyName")
    if family:
        person |= {"given_name": given} if given else {}
        person["family_name"] = family
    else:
        person |= split_name(name or "unnamed")
    if name and full_name(person) != name:
        person["name"] = name
    bare = node.name.rsplit("/", 1)[-1]
    if "orcid.org" in node.name and not orcid_problem(bare):
        person["orcid"] = bare
    elif node.name.startswith("http"):
        keep(person, "ro-crate", "@id", node.name)
    mail = node.text("email", "contactEmail")
    if is_email(mail.removeprefix("mailto:")):
        person["email"] = mail.removeprefix("mailto:")
    elif mail:
        node.put_back("email", mail)
    _roles(nodes, node)
    homes = [i for i in node.links("affiliation", "memberOf") if i in nodes.by_id]
    if homes:
        person["affiliations"] = [nodes.named(i) for i in dict.fromkeys(homes)]
    nodes.keep_rest(node, person)
    return person


def _roles(nodes: Nodes, node: Node) -> None:
    known = model_map()["enums"]["ContributionRole"]["values"]
    words = node.texts("role")
    roles = [w.lower().replace(" ", "_") for w in words]
    nodes.roles[nodes.named(node.name)] = [r for r in roles if r in known]
    if left := [w for w, r in zip(words, roles, strict=True) if r not in known]:
        node.put_back("role", left)
