"""Documents of the EMPIAR Specimen Preparation Widget (SPW): read, and written back the same.

Reading and writing are two halves of one lens: the model holds what it has a slot for, in its own
units and words; what else a document says is kept with the step or the protocol as parameters whose
names start with ``spw:``. Without an edit in between, the document that comes out equals the one
that went in, also by way of RDF. After an edit, what depended on the edited value is dropped with a
finding. Protocols that were never in the widget are written as its form would hold them.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from clemkit.errors import ArgumentError, FormatError, Problem
from clemkit.metadata.model_map import model_map
from clemkit.metadata.protocols.reading import ProtocolReading
from clemkit.metadata.protocols.spw_differences import differences, restored
from clemkit.metadata.protocols.spw_fields import sayable
from clemkit.metadata.protocols.spw_findings import (
    kept_problems,
    remark_problem,
    silent_problem,
    stale_problem,
)
from clemkit.metadata.protocols.spw_names import widget_name
from clemkit.metadata.protocols.spw_steps import PREFIX, read_step, write_step

__all__ = ["SpwWriting", "is_spw", "parse_json", "read_spw", "to_spw"]

_SCHEME = "SPW"
_PERSON = "depositor"
_AT_THE_TOP = ("_id", "status", "is_curated", "is_approved", "is_approval_requested")
_METHOD_OF_ACQUISITION = {
    "ArrayTomographyAcquisition": "Array Tomography",
    "ElectronTomographyAcquisition": "TEM tomography",
    "FibSemAcquisition": "FIB-SEM",
    "SbfSemAcquisition": "SBF-SEM",
    "StemAcquisition": "STEM",
    "TransmissionElectronAcquisition": "TEM",
    "XrayAcquisition": "X Ray Microscopy",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class SpwWriting:
    """A document of the widget, and what it could not say in the fields of its form.

    Attributes
    ----------
    document : object
        Parsed JSON, ready for `json.dumps`.
    findings : tuple of Problem
        ``spw-converted``: a unit was changed; ``spw-named``: a material has the name of the
        widget's list; ``spw-in-notes``: said in the notes of the step;
        ``spw-not-said``: about sources and terms, only in the description; ``spw-out-of-date``:
        a spelling of the document that was read no longer fits an edited value.
    """

    document: Any
    findings: tuple[Problem, ...] = ()


def parse_json(text: str, path: str | Path) -> tuple[Any, tuple[Problem, ...]]:
    """Return strict JSON, and a finding for each key that occurs twice.

    Raises
    ------
    FormatError
        It is not JSON; ``NaN`` and ``Infinity`` are not.
    """
    findings: list[Problem] = []

    def pairs(items: list[tuple[str, Any]]) -> dict[str, Any]:
        found = dict(items)
        for key in found:
            if (times := sum(k == key for k, _ in items)) > 1:
                message = f"expected each key once; found {key!r} {times} times, the last is read"
                findings.append(Problem((), "L0-duplicate-key", "warning", message))
        return found

    def refused(word: str) -> Any:
        raise ValueError(f"{word} is not JSON")

    try:
        content = json.loads(text, object_pairs_hook=pairs, parse_constant=refused)
    except (ValueError, RecursionError) as error:
        raise FormatError(Path(path), f"expected JSON; found {error}") from error
    return content, tuple(findings)


def is_spw(document: Any) -> bool:
    """Return whether parsed JSON looks like a document of the widget."""
    if not isinstance(document, Mapping):
        return False
    steps = document.get("data")
    if isinstance(steps, list) and any(isinstance(s, Mapping) and "method" in s for s in steps):
        return True
    about = document.get("metadata")
    keys = {"imagingmethod", "studydescription", "biologicalentity"}
    return isinstance(about, Mapping) and bool(keys & set(about)) and "data" in document


def read_spw(document: Any, *, source: str = "") -> ProtocolReading:
    """Return the description that a document of the widget makes.

    Parameters
    ----------
    document : object
        Parsed JSON.
    source : str
        Name of the file; its stem names the protocol where the document has no entry id.

    Raises
    ------
    ArgumentError
        The document is not a JSON object.
    """
    if not isinstance(document, Mapping):
        raise ArgumentError(f"SPW: expected a JSON object; found {type(document).__name__}")
    items = document["data"] if isinstance(document.get("data"), list) else []
    order, ordering = _order(items)
    protocol = _protocol(document, source)
    if ordering == "sorted":
        _keep(protocol, "order", order)
    steps: list[Any] = []
    findings: list[Problem] = []
    for position, index in enumerate(order, 1):
        step, changes = read_step(items[index], position)
        steps.append(step)
        findings += kept_problems(changes, ("protocols", 0, "steps", position - 1))
        findings += _reading_problems(step, position)
    if steps:
        protocol["steps"] = steps
    data: dict[str, Any] = {"id": f"{protocol['id']}-description", "protocols": [protocol]}
    if "name" in protocol:
        data["name"] = protocol["name"]
    person = _person(document.get("user"))
    if person:
        data["agents"] = [person]
        protocol["authors"] = [person["id"]]
        findings.append(_person_problem(person))
    written = _about(data, protocol)
    rest = {k: v for k, v in document.items() if k != "data" or not isinstance(v, list)}
    if isinstance(document.get("data"), list):
        written.pop("data")
    changes = differences(written, rest)
    if changes:
        _keep(protocol, "differences", changes)
    findings += kept_problems(changes, ("protocols", 0))
    if ordering:
        findings.append(_order_problem(ordering))
    return ProtocolReading(data=data, findings=tuple(findings))


def to_spw(data: Mapping[str, Any], *, protocol: str | None = None) -> SpwWriting:
    """Return a protocol of a description as a document of the widget.

    Parameters
    ----------
    data : mapping
        A description in long form.
    protocol : str, optional
        Id of the protocol, where there are several.

    Raises
    ------
    ArgumentError
        No protocol, or several and none chosen.
    """
    place, chosen = _chosen(data, protocol)
    names = {
        item["id"]: str(item.get("name") or item.get("model_name") or item["id"])
        for slot in ("reagents", "instruments")
        for item in data.get(slot, ())
    }
    recipes = {m["id"]: m["components"] for m in data.get("reagents", ()) if m.get("components")}
    own = _kept_values(chosen)
    findings: list[Problem] = []
    steps: list[Any] = []
    silent: dict[str, list[int]] = {}
    # a document of the widget keeps the words that its author chose
    spell = str if "read" in own else widget_name
    for i, step in enumerate(chosen.get("steps", ())):
        document, remarks = write_step(step, i + 1, names, recipes, spell)
        steps.append(document)
        where = ("protocols", place, "steps", i)
        findings += [remark_problem(r, where) for r in remarks if r.rule != "spw-not-said"]
        for remark in remarks:
            if remark.rule == "spw-not-said":
                silent.setdefault(remark.words, []).append(i + 1)
    findings += (silent_problem(words, found, place) for words, found in silent.items())
    about = _about(data, chosen)
    had_steps = not any(c["at"] == ["data"] for c in own.get("differences", ()))
    if had_steps:
        about.pop("data")
    about, stale = restored(about, own.get("differences", []))
    findings += [stale_problem(change, ("protocols", place)) for change in stale]
    if had_steps or steps:
        about["data"] = _in_order(steps, own.get("order"))
    findings += _form_problems(about, chosen, ("protocols", place))
    return SpwWriting(document=about, findings=tuple(findings))


def _order(items: Sequence[Any]) -> tuple[list[int], str]:
    """Return the order of the steps, and what their numbers say about it.

    The widget writes steps in the order in which their cards were first saved; the number is the
    place of the card. So numbers win, when each is there once.
    """
    as_found = list(range(len(items)))
    numbers = [i.get("ordernumber") if isinstance(i, Mapping) else None for i in items]
    values = [int(str(n)) if str(n).strip().isdecimal() else None for n in numbers]
    known = [v for v in values if v is not None]
    if len(known) != len(items) or len(set(known)) != len(known):
        return as_found, "unclear" if items else ""
    order = sorted(as_found, key=lambda i: known[i])
    return order, "" if order == as_found else "sorted"


def _order_problem(ordering: str) -> Problem:
    message = {
        "sorted": "the steps stand in another order than their numbers say; the numbers were "
        "followed",
        "unclear": "expected each step to have a number of its own; found repeated or missing "
        "numbers, so the steps stay in the order of the document",
    }[ordering]
    hint = "check the order of the steps"
    return Problem(("protocols", 0, "steps"), "spw-order", "warning", message, hint)


def _protocol(document: Mapping[str, Any], source: str) -> dict[str, Any]:
    about = document.get("metadata")
    about = about if isinstance(about, Mapping) else {}
    entry = document.get("entryid")
    stem = entry if sayable(entry) else Path(source).stem
    protocol: dict[str, Any] = {"id": _identifier(str(stem)) or "protocol"}
    for key, slot in (
        ("name", "name"),
        ("studydescription", "description"),
        ("biologicalentity", "target_material"),
    ):
        if sayable(about.get(key)):
            protocol[slot] = about[key]
    if sayable(entry):
        protocol["identifiers"] = [{"identifier_scheme": _SCHEME, "identifier_value": entry}]
    doi = document.get("doi")
    if sayable(doi) and re.search(model_map()["slots"]["doi"]["pattern"], str(doi)):
        protocol["doi"] = doi
    if source:
        protocol["source_file"] = Path(source).name
    _keep(protocol, "read", True)
    if "imagingmethod" in about:
        _keep(protocol, "metadata/imagingmethod", about["imagingmethod"])
    for key in _AT_THE_TOP:
        if key in document:
            _keep(protocol, key, document[key])
    return protocol


def _about(data: Mapping[str, Any], protocol: Mapping[str, Any]) -> dict[str, Any]:
    """Return the document without its steps, as the widget writes it today."""
    own = _kept_values(protocol)
    document: dict[str, Any] = {}
    agents = {a["id"]: a for a in data.get("agents", ())}
    author = next((agents[a] for a in protocol.get("authors", ()) if a in agents), None)
    if author is not None:
        pairs = (("name", _full_name(author)), ("email", author.get("email")))
        document["user"] = {k: v for k, v in pairs if v}
    method = own.get("metadata/imagingmethod", _imaging_method(data))
    known = {
        "name": protocol.get("name"),
        "imagingmethod": method,
        "studydescription": protocol.get("description"),
        "biologicalentity": protocol.get("target_material"),
    }
    document["metadata"] = {
        k: v for k, v in known.items() if v is not None or f"metadata/{k}" in own
    }
    document["data"] = []
    entry = [
        i["identifier_value"]
        for i in protocol.get("identifiers", ())
        if i["identifier_scheme"] == _SCHEME
    ]
    if entry:
        document["entryid"] = entry[0]
    if protocol.get("doi") and (entry or not protocol.get("references")):
        document["doi"] = protocol["doi"]
    return document | {k: own[k] for k in _AT_THE_TOP if k in own}


def _in_order(steps: list[Any], order: Sequence[int] | None) -> list[Any]:
    if order is None or len(order) != len(steps):
        return steps
    return [steps[order.index(i)] for i in range(len(steps))]


def _person(user: Any) -> dict[str, Any] | None:
    """Return the user as a person; the widget has one field for the whole name."""
    if not isinstance(user, Mapping) or not sayable(user.get("name")):
        return None
    name = str(user["name"])
    given, _, family = name.strip().rpartition(" ")
    if not family:
        return None
    person = {"id": _PERSON, "type": "Person", "name": name, "family_name": family}
    if given.strip():
        person["given_name"] = given.strip()
    email = user.get("email")
    if sayable(email) and re.search(model_map()["slots"]["email"]["pattern"], str(email)):
        person["email"] = str(email)
    return person


def _person_problem(person: Mapping[str, Any]) -> Problem:
    message = f"one name {person['name']!r} was split: {person['family_name']!r} is the surname"
    return Problem(("agents", 0), "spw-name", "warning", message, "check the split")


def _full_name(agent: Mapping[str, Any]) -> str:
    parts = (agent.get("given_name") or agent.get("initials"), agent.get("family_name"))
    return str(agent.get("name") or " ".join(p for p in parts if p))


def _imaging_method(data: Mapping[str, Any]) -> str | None:
    for acquisition in data.get("acquisitions", ()):
        if found := _METHOD_OF_ACQUISITION.get(acquisition.get("type", "")):
            return found
    return None


def _chosen(data: Mapping[str, Any], name: str | None) -> tuple[int, Mapping[str, Any]]:
    protocols = list(data.get("protocols", ()))
    found = [i for i, p in enumerate(protocols) if name in (None, p["id"])]
    if len(found) != 1:
        known = ", ".join(p["id"] for p in protocols) or "none"
        wanted = "one protocol, or the id of one" if name is None else f"the protocol {name!r}"
        raise ArgumentError(f"SPW: expected {wanted}; found {known}")
    return found[0], protocols[found[0]]


def _identifier(text: str) -> str:
    return re.sub(r"[^A-Za-z0-9._-]+", "-", text).lstrip("._-")


def _keep(protocol: dict[str, Any], name: str, value: Any) -> None:
    content = json.dumps(value, sort_keys=True)
    protocol.setdefault("parameters", []).append(
        {"parameter_name": f"{PREFIX}{name}", "parameter_json": content}
    )


def _kept_values(protocol: Mapping[str, Any]) -> dict[str, Any]:
    return {
        p["parameter_name"].removeprefix(PREFIX): json.loads(p.get("parameter_json", "null"))
        for p in protocol.get("parameters", ())
        if p["parameter_name"].startswith(PREFIX)
    }


def _reading_problems(step: Mapping[str, Any], position: int) -> Iterator[Problem]:
    where = ("protocols", 0, "steps", position - 1)
    if step["type"] == "OtherStep":
        message = f"expected a method of the widget; found {step.get('name', 'none')!r}"
        yield Problem((*where, "type"), "spw-method", "warning", message)
    if step["type"] == "UnparsedStep":
        message = f"expected an object; found {step['unparsed_text'][:60]}"
        yield Problem(where, "spw-method", "warning", message)


def _form_problems(
    document: Any, protocol: Mapping[str, Any], where: tuple[str | int, ...]
) -> Iterator[Problem]:
    """Yield what the widget wants and the document lacks."""
    about = document.get("metadata") if isinstance(document, dict) else None
    if not (isinstance(about, dict) and about.get("name")):
        message = f"expected a name of protocol {protocol['id']}; found none"
        yield Problem((*where, "name"), "spw-incomplete", "warning", message, "the widget wants it")
