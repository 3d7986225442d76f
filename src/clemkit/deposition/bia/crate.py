"""A description as an RO-Crate of the BioImage Archive: metadata and list of files."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any
from urllib.parse import quote, unquote

from clemkit.deposition.bia.associations import biosamples_of
from clemkit.deposition.bia.crate_files_table import FILE_LIST, file_list, file_list_entities
from clemkit.deposition.bia.crate_methods import (
    crate_id,
    link,
    links,
    method_entities,
    preparation_id,
    without_gaps,
)
from clemkit.deposition.bia.pagetab_people import full_name
from clemkit.deposition.bia.vocabulary import CLASSES, context
from clemkit.deposition.crate_files import CrateFile, described_files
from clemkit.deposition.empiar.description import Described, mappings, texts
from clemkit.deposition.empiar.wording import plain_words, quantity_text
from clemkit.deposition.kept import kept
from clemkit.errors import IncompleteDepositionError, Problem
from clemkit.metadata.model_map import model_map

__all__ = ["build_bia_crate", "licence_address"]

Entity = dict[str, Any]
_METADATA = "ro-crate-metadata.json"
_CONTEXT = "https://w3id.org/ro/crate/1.1/context"
_NEEDED = {
    "title": "the title of the study",
    "description": "the description of the study",
    "licence": "the licence of the data",
    "release_date": "the day of release",
    "contributions": "somebody who contributed",
}


def licence_address(code: object) -> str:
    """Return the address of a licence of the model; empty when it has none."""
    value = model_map()["enums"]["Licence"]["values"].get(code, {})
    iri = str(value.get("iri", ""))
    return "" if iri.startswith(str(model_map()["vocabulary"])) else iri


def build_bia_crate(
    data: Mapping[str, Any],
    folder: Path | None = None,
    files: Sequence[CrateFile] | None = None,
) -> dict[str, bytes]:
    """Return the files of a crate by name: the metadata and the list of files.

    Parameters
    ----------
    data : mapping
        An experiment in long form.
    folder : Path, optional
        Folder of the description, where the image files are looked for.
    files : sequence of CrateFile, optional
        The files, where they are known; *folder* is not looked at then.

    Raises
    ------
    IncompleteDepositionError
        The study lacks what the archive requires; ``problems`` lists it.
    """
    described = Described(data)
    study = described.study
    lacking = [key for key in _NEEDED if not study.get(key)]
    if study.get("licence") and not licence_address(study["licence"]):
        lacking.append("licence")
    if lacking:
        problems = [
            Problem(("study", k), "L5-required", "error", f"expected {_NEEDED[k]}; found none")
            for k in lacking
        ]
        raise IncompleteDepositionError(
            f"BIA crate: expected {', '.join(_NEEDED[k] for k in lacking)}; found none", problems
        )
    if files is None:
        files = described_files(data, folder) if folder is not None else ()
    components = _components(described, files)
    holder = {name: str(c["id"]) for c in components for name in c["things"]}
    graph = [_with_kept(e, described) for e in _entities(described, components, files)]
    table = file_list(described, files, holder)
    document = {"@context": [_CONTEXT, context()], "@graph": _connected(graph, table.decode())}
    text = json.dumps(document, indent=2, ensure_ascii=False) + "\n"
    return {_METADATA: text.encode(), FILE_LIST: table}


def _components(described: Described, files: Sequence[CrateFile]) -> list[Entity]:
    """Return the study components with the ids of what is in them; the rest is in one more."""
    found: list[Entity] = []
    placed: set[str] = set()
    for _, component in described.all("study_components"):
        slots = ("component_images", "component_annotations", "component_analyses")
        things = [n for slot in slots for n in texts(component.get(slot)) if n not in placed]
        placed.update(things)
        found.append({**component, "things": things})
    rest = list(dict.fromkeys(f.thing for f in files if f.thing not in placed))
    if rest:
        taken = {c["id"] for c in found}
        name = next(
            n for n in ("other-files", *(f"other-files-{i}" for i in range(99))) if n not in taken
        )
        found.append({"id": name, "name": "Other files", "things": rest})
    return found


def _entities(
    described: Described, components: Sequence[Entity], files: Sequence[CrateFile]
) -> Iterator[Entity]:
    yield {
        "@id": _METADATA,
        "@type": "CreativeWork",
        "conformsTo": {"@id": "https://w3id.org/ro/crate/1.1"},
        "about": {"@id": "./"},
    }
    yield _study(described, components)
    yield from _people(described)
    yield from _grants(described)
    yield from _publications(described)
    yield from _references(described)
    for component in components:
        yield _dataset(described, component)
    yield from file_list_entities(files)
    yield from _samples(described)
    yield from method_entities(described)


def _with_kept(entity: Entity, described: Described) -> Entity:
    """Return an entity with the texts that a crate said of it when it was imported."""
    kinds = [k for k in entity["@type"] if k in CLASSES]
    thing = described.thing(unquote(str(entity["@id"])).removeprefix("#"))
    if entity["@id"] == "./":
        thing = described.study
    found = dict(entity)
    for name, value in kept(thing, "ro-crate"):
        form = CLASSES[kinds[0]].get(name, "") if kinds else ""
        if form.rstrip("!") == "text" and isinstance(value, str):
            found.setdefault(name, value)
        elif form == "text*":
            values = [v for v in (value if isinstance(value, list) else [value]) if v]
            found[name] = list(dict.fromkeys([*found.get(name, ()), *values]))
    return found


def _connected(graph: Sequence[Entity], table: str) -> list[Entity]:
    """Return the entities that others or the list of files refer to, from the root on."""
    by_id = {e["@id"]: e for e in graph}
    todo = [_METADATA, "./", *(i for i in by_id if i in table)]
    seen: set[str] = set()
    while todo:
        name = todo.pop()
        if name in seen or name not in by_id:
            continue
        seen.add(name)
        for value in by_id[name].values():
            items = value if isinstance(value, list) else [value]
            todo += [i["@id"] for i in items if isinstance(i, dict) and "@id" in i]
    return [e for e in graph if e["@id"] in seen]


def _study(described: Described, components: Sequence[Entity]) -> Entity:
    study = described.study
    schemes = {
        i.get("identifier_scheme"): i.get("identifier_value")
        for i in mappings(study.get("identifiers"))
    }
    parts = [{"@id": FILE_LIST}, *(link(c["id"]) for c in components)]
    return without_gaps(
        {
            "@id": "./",
            "@type": ["Dataset", "bia:Study"],
            "name": study["title"],
            "contributor": [{"@id": i} for i in _contributors(described)],
            "description": study["description"],
            "license": licence_address(study["licence"]),
            "datePublished": study["release_date"],
            "keyword": texts(study.get("keywords")),
            "acknowledgement": study.get("acknowledgements"),
            "hasPart": parts,
            "accessionId": str(schemes.get("BioStudies") or described.data.get("id") or "study"),
            "seeAlso": [{"@id": e["@id"]} for e in _references(described)],
            "relatedPublication": [{"@id": e["@id"]} for e in _publications(described)],
            "funding": [{"@id": e["@id"]} for e in _grants(described) if "bia:Grant" in e["@type"]],
        }
    )


def _person_id(person: Mapping[str, Any]) -> str:
    if person.get("orcid"):
        return f"https://orcid.org/{person['orcid']}"
    return f"https://ror.org/{person['ror']}" if person.get("ror") else crate_id(person.get("id"))


def _contributors(described: Described) -> list[str]:
    lines = mappings(described.study.get("contributions"))
    people = (described.thing(line.get("contributor")) for line in lines)
    return list(dict.fromkeys(_person_id(p) for p in people if p))


def _people(described: Described) -> Iterator[Entity]:
    roles: dict[str, list[str]] = {}
    for line in mappings(described.study.get("contributions")):
        found = roles.setdefault(str(line.get("contributor")), [])
        found += [plain_words(r) for r in texts(line.get("roles"))]
    homes: dict[str, None] = {}
    for name, words in roles.items():
        person = described.thing(name)
        if not person:
            continue
        own = [_person_id(described.thing(n)) for n in texts(person.get("affiliations"))]
        homes |= dict.fromkeys(texts(person.get("affiliations")))
        kind = "Person" if person.get("type") == "Person" else "Organization"
        yield without_gaps(
            {
                "@id": _person_id(person),
                "@type": [kind, "bia:Contributor"],
                "displayName": full_name(person),
                "affiliation": [{"@id": i} for i in own],
                "role": list(dict.fromkeys(words)),
                "contactEmail": person.get("email"),
            }
        )
    for name in homes:
        place = described.thing(name)
        if not place or name in roles:
            continue
        lines = (place.get(k) for k in ("street", "town", "postal_code", "country_code"))
        yield without_gaps(
            {
                "@id": _person_id(place),
                "@type": ["Organization", "bia:Affiliation"],
                "displayName": place.get("name") or name,
                "address": ", ".join(str(part) for part in lines if part),
            }
        )


def _grants(described: Described) -> Iterator[Entity]:
    bodies: dict[str, Entity] = {}
    for number, grant in enumerate(mappings(described.study.get("funding")), 1):
        funder = grant.get("funder")
        given = str(funder or number)
        body = crate_id(given if given.startswith("funder-") else f"funder-{given}")
        name = described.named(funder) if funder else grant.get("description")
        bodies.setdefault(body, {"@id": body, "@type": ["bia:FundingBody"], "name": name})
        yield without_gaps(
            {
                "@id": crate_id(f"grant-{number}"),
                "@type": ["Grant", "bia:Grant"],
                "funder": [{"@id": body}],
                "name": grant.get("description"),
                "identifier": grant.get("grant_number"),
            }
        )
    yield from bodies.values()


def _publications(described: Described) -> Iterator[Entity]:
    for number, paper in enumerate(mappings(described.study.get("publications")), 1):
        doi = paper.get("doi")
        yield without_gaps(
            {
                "@id": f"https://doi.org/{quote(doi, safe='/:()')}"
                if doi
                else crate_id(f"publication-{number}"),
                "@type": ["ScholarlyArticle", "bia:Publication"],
                "name": paper.get("publication_title"),
                "authorNames": ", ".join(texts(paper.get("author_names"))),
                "yearPublished": paper.get("year"),
                "pubmedId": paper.get("pubmed_id"),
                "doi": f"https://doi.org/{doi}" if doi else None,
            }
        )


def _references(described: Described) -> Iterator[Entity]:
    study = described.study
    seen: set[str] = set()
    for page in texts(study.get("web_pages")):
        if page not in seen:
            seen.add(page)
            yield {
                "@id": quote(page, safe=":/?#[]@!$&'()*+,;=%"),
                "@type": ["bia:ExternalReference"],
            }
    for number, entry in enumerate(mappings(study.get("related_entries")), 1):
        scheme, value = str(entry.get("identifier_scheme")), str(entry.get("identifier_value"))
        yield {
            "@id": crate_id(f"entry-{number}"),
            "@type": ["bia:ExternalReference"],
            "description": f"{scheme} {value}",
            "additionalType": scheme,
        }


def _dataset(described: Described, component: Entity) -> Entity:
    specimens = texts(component.get("component_specimens"))
    return without_gaps(
        {
            "@id": crate_id(component["id"]),
            "@type": ["Dataset", "bia:Dataset"],
            "name": component.get("name") or component["id"],
            "description": component.get("description"),
            "associatedBiologicalEntity": links(component.get("component_biosamples")),
            "associatedSpecimenImagingPreparationProtocol": [
                {"@id": preparation_id(n)} for n in specimens
            ],
            "associatedSpecimen": link(specimens[0]) if len(specimens) == 1 else None,
            "associatedImageAcquisitionProtocol": links(component.get("component_acquisitions")),
            "associatedAnnotationMethod": links(component.get("component_annotations")),
            "associatedImageAnalysisMethod": links(component.get("component_analyses")),
            "associatedImageCorrelationMethod": links(component.get("component_correlations")),
            "associatedProtocol": links(_steps(described, component)),
        }
    )


def _steps(described: Described, component: Entity) -> list[str]:
    made = (described.thing(n).get("generated_by_processing") for n in component["things"])
    by = (
        described.thing(n).get("computed_by")
        for n in texts(component.get("component_correlations"))
    )
    return list(dict.fromkeys(str(s) for s in (*made, *by) if s))


def _samples(described: Described) -> Iterator[Entity]:
    taxa: dict[str, Entity] = {}
    for _, sample in described.all("biological_samples"):
        own: list[str] = []
        for taxon in mappings(sample.get("organisms")):
            number = str(taxon.get("taxon_id") or "").partition(":")[2]
            name = str(taxon.get("scientific_name") or "unnamed")
            key = f"NCBI:txid{number}" if number else crate_id(f"taxon-{name}")
            taxa.setdefault(
                key,
                without_gaps(
                    {
                        "@id": key,
                        "@type": ["bia:Taxon"],
                        "commonName": taxon.get("common_name"),
                        "scientificName": taxon.get("scientific_name"),
                    }
                ),
            )
            own.append(key)
        terms = [t.get("term_label") for t in mappings(sample.get("biological_entities"))]
        told = (sample.get("biological_entity_description"), sample.get("description"))
        words = [str(w) for w in told if w] or [str(t) for t in terms if t]
        yield without_gaps(
            {
                "@id": crate_id(sample["id"]),
                "@type": ["bia:BioSample"],
                "title": sample.get("name") or sample["id"],
                "biologicalEntityDescription": " ".join(words)
                or str(sample.get("name") or sample["id"]),
                "experimentalVariableDescription": _variables(sample, "experimental_variables"),
                "extrinsicVariableDescription": _variables(sample, "extrinsic_variables"),
                "intrinsicVariableDescription": _variables(sample, "intrinsic_variables"),
                "organismClassification": [{"@id": i} for i in own],
            }
        )
    yield from taxa.values()
    for _, specimen in described.all("specimens"):
        biosamples = biosamples_of(described, str(specimen["id"]))
        if biosamples:
            yield {
                "@id": crate_id(specimen["id"]),
                "@type": ["bia:Specimen"],
                "biologicalEntity": links(biosamples),
                "imagingPreparationProtocol": [{"@id": preparation_id(specimen["id"])}],
            }


def _variables(sample: Mapping[str, Any], slot: str) -> list[str]:
    found: list[str] = []
    for variable in mappings(sample.get(slot)):
        term = variable.get("variable_term") or {}
        value = variable.get("variable_value") or quantity_text(variable.get("variable_quantity"))
        value = value or term.get("term_label") or term.get("term")
        name = str(variable.get("variable_name", ""))
        found.append(f"{name}: {value}" if value else name)
    return found
