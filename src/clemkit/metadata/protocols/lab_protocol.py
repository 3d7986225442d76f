"""Protocols as Bioschemas LabProtocol and schema.org nodes, for a crate or a web page.

A view, made for catalogues: it says less than the model and is never read back. Nodes are flat,
as RO-Crate wants them. Properties follow the LabProtocol profile 0.8-DRAFT; a step is a
``HowToStep`` and a ``HowToDirection``, because supplies, tools and times belong to the latter.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any, Final
from urllib.parse import quote

from clemkit.metadata.model_map import expand_curie, model_map
from clemkit.metadata.protocols.step_words import (
    class_words,
    material_words,
    quantity_words,
    step_words,
)

__all__ = ["PROFILE", "lab_protocol"]

PROFILE: Final = "https://bioschemas.org/profiles/LabProtocol/0.8-DRAFT"
_BIOSCHEMAS = "https://bioschemas.org/"
_TERMS = ("LabProtocol", "bioSample", "labEquipment", "reagent")
_MATERIAL_SLOTS = ("materials", "filler", "carrier_coating", "from_material", "to_material",
                   "resin_recipe", "cryogens")  # fmt: skip
_NUMBERS = ("temperature", "pressure", "start_temperature", "end_temperature", "ramp_rate",
            "target_thickness", "wavelength", "wattage", "storage_period")  # fmt: skip
Node = dict[str, Any]


def lab_protocol(
    data: Mapping[str, Any], *, node_id: Callable[[str], str] = lambda name: f"#{name}"
) -> dict[str, Any]:
    """Return the protocols of a description as JSON-LD.

    Parameters
    ----------
    data : mapping
        A description in long form, or a part of one with ``protocols`` and what they refer to.
    node_id : callable
        Makes an ``@id`` of the short name of a thing, so that nodes can join those of a crate.

    Returns
    -------
    dict
        ``@context`` with the terms that schema.org lacks, and ``@graph`` with flat nodes: one
        ``LabProtocol`` per protocol, then steps, quantities, reagents, terms, instruments, people.
    """
    return {
        "@context": {"@vocab": "https://schema.org/"} | {t: f"{_BIOSCHEMAS}{t}" for t in _TERMS},
        "@graph": list(_View(data, node_id).nodes()),
    }


class _View:
    def __init__(self, data: Mapping[str, Any], node_id: Callable[[str], str]) -> None:
        self._data = data
        self._id = node_id
        self._names = {m["id"]: m.get("name", m["id"]) for m in data.get("reagents", ())}
        self._found: dict[str, Node] = {}

    def nodes(self) -> Iterator[Node]:
        protocols = [self._protocol(p) for p in self._data.get("protocols", ())]
        yield from protocols
        yield from self._found.values()

    def _protocol(self, protocol: Mapping[str, Any]) -> Node:
        steps = protocol.get("steps", ())
        refs = [self._step(protocol["id"], i, step) for i, step in enumerate(steps, 1)]
        used = [self._reagent(use) for step in steps for use in _uses(step)]
        used += [self._known(step["resin"]) for step in steps if step.get("resin")]
        tools = [ref for step in steps for ref in self._tools(step)]
        node: Node = {
            "@id": self._id(protocol["id"]),
            "@type": "LabProtocol",
            "name": protocol.get("name", protocol["id"]),
            "conformsTo": {"@id": PROFILE},
            "description": protocol.get("description"),
            "version": protocol.get("protocol_version"),
            "identifier": self._identifiers(protocol),
            "author": [self._agent(name) for name in protocol.get("authors", ())],
            "isBasedOn": [
                {"@id": self._id(p)} if self._thing("protocols", p) else p
                for p in protocol.get("parent_protocols", ())
            ],
            "citation": list(protocol.get("references", ())),
            "bioSample": protocol.get("target_material"),
            "keywords": list(dict.fromkeys(class_words(s["type"]) for s in steps)),
            "reagent": _unique(used),
            "labEquipment": _unique(tools),
            "step": refs,
            "totalTime": _total_time(steps),
        }
        return _without_gaps(node)

    def _identifiers(self, protocol: Mapping[str, Any]) -> list[str]:
        doi = protocol.get("doi")
        others = (i["identifier_value"] for i in protocol.get("identifiers", ()))
        return [*([f"https://doi.org/{doi}"] if doi else []), *others]

    def _step(self, owner: str, position: int, step: Mapping[str, Any]) -> Node:
        iri = self._id(f"{owner}/steps/{position}")
        flags = [
            words
            for key, words in (
                ("is_critical", "critical step"),
                ("is_pause_point", "pause point"),
                ("is_optional", "optional"),
            )
            if step.get(key)
        ]
        values = {k: step[k] for k in _NUMBERS if k in step}
        node: Node = {
            "@id": iri,
            "@type": ["HowToStep", "HowToDirection"],
            "position": position,
            "name": step.get("name") or class_words(step["type"]).capitalize(),
            "text": step.get("description") or step_words(step, self._names) or None,
            "additionalType": self._types(step),
            "supply": _unique([self._reagent(use) for use in _uses(step)]),
            "tool": _unique(list(self._tools(step))),
            "totalTime": _total_time([step]),
            "keywords": flags,
            "additionalProperty": [self._value(iri, k, v) for k, v in values.items()],
        }
        self._found[iri] = _without_gaps(node)
        return {"@id": iri}

    def _types(self, step: Mapping[str, Any]) -> list[Node]:
        classes = model_map()["classes"]
        own = [{"@id": classes[step["type"]]["iri"]}]
        terms = [term for t in step.get("process_terms", ()) if (term := self._term(t))]
        return _unique([*own, *terms])

    def _value(self, owner: str, name: str, quantity: Mapping[str, Any]) -> Node:
        iri = f"{owner}/{name}"
        unit = model_map()["enums"]["Unit"]["values"].get(quantity.get("unit"), {})
        self._found[iri] = _without_gaps(
            {
                "@id": iri,
                "@type": "PropertyValue",
                "name": name.replace("_", " "),
                "value": quantity.get("value"),
                "minValue": quantity.get("minimum"),
                "maxValue": quantity.get("maximum"),
                "unitText": quantity_words({"value": 0, "unit": quantity.get("unit")})[2:] or None,
                "unitCode": unit.get("iri"),
                "description": quantity.get("verbatim"),
            }
        )
        return {"@id": iri}

    def _reagent(self, use: Mapping[str, Any]) -> Node:
        if use.get("material"):
            return self._known(str(use["material"]))
        name = use.get("material_name") or material_words(use) or "unnamed"
        iri = self._id(f"material-{quote(name, safe='')}")
        self._found.setdefault(iri, {"@id": iri, "@type": "ChemicalSubstance", "name": name})
        return {"@id": iri}

    def _known(self, name: str) -> Node:
        iri = self._id(name)
        material = self._thing("reagents", name)
        term = self._term(material.get("substance_term") or {})
        parts = [self._reagent(c) for c in material.get("components", ())]
        self._found[iri] = _without_gaps(
            {
                "@id": iri,
                "@type": "ChemicalSubstance",
                "name": material.get("name", name),
                "alternateName": sorted(material.get("synonyms", ())),
                "sameAs": term,
                "hasPart": _unique(parts),
                "manufacturer": material.get("vendor"),
                "identifier": [
                    v for k in ("cas_number", "catalogue_number", "rrid") if (v := material.get(k))
                ],
            }
        )
        return {"@id": iri}

    def _thing(self, slot: str, name: str) -> Mapping[str, Any]:
        things: list[Mapping[str, Any]] = [t for t in self._data.get(slot, ()) if t["id"] == name]
        return things[0] if things else {}

    def _term(self, term: Mapping[str, Any]) -> Node | None:
        iri = expand_curie(str(term.get("term", "")))
        if iri is None:
            return None
        self._found[iri] = _without_gaps(
            {
                "@id": iri,
                "@type": "DefinedTerm",
                "name": term.get("term_label", term["term"]),
                "termCode": term["term"],
            }
        )
        return {"@id": iri}

    def _tools(self, step: Mapping[str, Any]) -> Iterator[Node]:
        for name in step.get("equipment", ()):
            found = self._thing("instruments", name)
            iri = self._id(name)
            self._found[iri] = _without_gaps(
                {
                    "@id": iri,
                    "@type": "HowToTool",
                    "name": found.get("name") or found.get("model_name") or name,
                    "manufacturer": found.get("manufacturer"),
                    "additionalType": self._term(found.get("instrument_term") or {}),
                }
            )
            yield {"@id": iri}

    def _agent(self, name: str) -> Node:
        agent = self._thing("agents", name)
        orcid = agent.get("orcid")
        iri = f"https://orcid.org/{orcid}" if orcid else self._id(name)
        person = agent.get("type", "Person") == "Person"
        self._found[iri] = _without_gaps(
            {
                "@id": iri,
                "@type": "Person" if person else "Organization",
                "name": agent.get("name", name),
                "givenName": agent.get("given_name"),
                "familyName": agent.get("family_name"),
            }
        )
        return {"@id": iri}


def _uses(step: Mapping[str, Any]) -> Iterator[Mapping[str, Any]]:
    for slot in _MATERIAL_SLOTS:
        found = step.get(slot, ())
        for use in [found] if isinstance(found, Mapping) else found:
            yield use
            if use.get("solvent") or use.get("solvent_name"):
                yield {"material": use.get("solvent"), "material_name": use.get("solvent_name")}


def _total_time(steps: Any) -> str | None:
    """Return an ISO 8601 duration; none when any step says no time, because a sum would lie."""
    seconds = 0.0
    for step in steps:
        stages = [*step.get("ladder", ()), *step.get("temperature_program", ())] or [step]
        for stage in stages:
            quantity = stage.get("duration") or {}
            unit = model_map()["enums"]["Unit"]["values"].get(quantity.get("unit"), {})
            if quantity.get("value") is None or unit.get("dimension") != "time":
                return None
            seconds += quantity["value"] * unit["factor"] * stage.get("repeats", 1)
    if not steps:
        return None
    minutes, rest = divmod(round(seconds, 3), 60)
    return f"PT{minutes:.0f}M" + (f"{rest:.12g}S" if rest else "")


def _unique(refs: list[Node]) -> list[Node]:
    return list({ref["@id"]: ref for ref in refs}.values())


def _without_gaps(node: Node) -> Node:
    return {k: v for k, v in node.items() if v is not None and v != []}
