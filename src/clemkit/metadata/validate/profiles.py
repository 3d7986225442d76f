"""Layer L5: what a profile (REMBI, EMPIAR, BioImage Archive, GIDE) requires; profiles are data."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence, Set
from typing import Any

from clemkit.errors import Problem
from clemkit.metadata.model_map import model_map, profile
from clemkit.metadata.validate.references import named_things
from clemkit.metadata.validate.walk import Thing

__all__ = ["check_profile"]


def check_profile(
    everything: Sequence[Thing],
    name: str,
    already_wrong: Set[tuple[str | int, ...]] = frozenset(),
) -> list[Problem]:
    """Return what the profile *name* misses; a field that is already wrong is not missing."""
    rules = profile(name)
    found: list[Problem] = []
    for rule in rules.get("required", ()):
        found += _required(everything, rule, name, already_wrong)
    for rule in rules.get("lengths", ()):
        found += _length(everything, rule, name)
    found += _people(everything, rules, name)
    return found


def _of(everything: Sequence[Thing], class_name: str) -> Iterator[Thing]:
    concrete = model_map()["classes"][class_name]["concrete"]
    return (thing for thing in everything if thing.name in concrete)


def _required(
    everything: Sequence[Thing],
    rule: Mapping[str, Any],
    name: str,
    already_wrong: Set[tuple[str | int, ...]],
) -> Iterator[Problem]:
    slot = rule["slot"]
    for thing in _of(everything, rule["class"]):
        if thing.data.get(slot) not in (None, [], "") or slot in _declared_missing(thing):
            continue
        if (*thing.location, slot) in already_wrong:
            continue
        message = f"expected {slot} in {thing.name}, which the profile {name} requires; found none"
        hint = f"{model_map()['slots'][slot]['description']} Or give a reason in missing_values."
        yield Problem(thing.location, "L5-required", rule["severity"], message, hint)


def _declared_missing(thing: Thing) -> set[str]:
    gaps = thing.data.get("missing_values")
    items = gaps if isinstance(gaps, list) else []
    return {str(g.get("missing_slot")) for g in items if isinstance(g, Mapping)}


def _length(everything: Sequence[Thing], rule: Mapping[str, Any], name: str) -> Iterator[Problem]:
    for thing in _of(everything, rule["class"]):
        text = thing.data.get(rule["slot"])
        if isinstance(text, str) and not rule["minimum"] <= len(text) <= rule["maximum"]:
            message = (
                f"expected {rule['minimum']} to {rule['maximum']} characters for the profile "
                f"{name}; found {len(text)}"
            )
            place = (*thing.location, rule["slot"])
            hint = "write more" if len(text) < rule["minimum"] else "shorten it"
            yield Problem(place, "L5-length", rule["severity"], message, hint)


def _people(everything: Sequence[Thing], rules: Mapping[str, Any], name: str) -> Iterator[Problem]:
    studies = list(_of(everything, "Study"))
    lines = [t for t in _of(everything, "Contribution") if isinstance(t.data.get("roles"), list)]
    for rule in rules.get("roles", ()) if studies else ():
        holders = [t for t in lines if rule["role"] in t.data["roles"]]
        if len(holders) < rule["minimum"]:
            message = f"expected a contributor with the role {rule['role']}; found none"
            place = (*studies[0].location, "contributions")
            hint = f"add {rule['role']} to the roles of somebody"
            yield Problem(place, "L5-role", rule["severity"], message, hint)
    contact = rules.get("contact_fields")
    if contact is None:
        return
    named = named_things(everything)
    for line in lines:
        person = named.get(str(line.data.get("contributor")))
        if person is None or not set(line.data["roles"]) & set(contact["roles"]):
            continue
        for slot in contact["slots"]:
            if not person.data.get(slot):
                message = f"expected {slot} of a contact person for the profile {name}; found none"
                hint = model_map()["slots"][slot]["description"]
                yield Problem(person.location, "L5-contact", contact["severity"], message, hint)
