"""More than 300 single faults in valid descriptions, each found under its own code."""

from __future__ import annotations

import copy
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from clemkit.metadata.load import Document, read_document
from clemkit.metadata.model_map import model_map, profile, profile_names
from clemkit.metadata.validate import RULES, validate
from clemkit.metadata.validate.walk import things

EXAMPLES = sorted((Path(__file__).parents[3] / "examples" / "metadata").glob("*.yaml"))
ALL = profile_names()
SLOTS = model_map()["slots"]
Location = tuple[str | int, ...]
Fault = tuple[str, Location, Any]  # rule, where the fault is, the faulty description


def at(data: Any, location: Location) -> Any:
    for part in location:
        data = data[part]
    return data


def changed(data: Any, location: Location, value: Any) -> Any:
    """A copy with another value; ``None`` removes it."""
    result = copy.deepcopy(data)
    owner = at(result, location[:-1])
    if value is None:
        del owner[location[-1]]
    else:
        owner[location[-1]] = value
    return result


def renamed(data: Any, location: Location, key: str) -> Any:
    result = copy.deepcopy(data)
    owner = at(result, location[:-1])
    owner[key] = owner.pop(location[-1])
    return result


def fields(data: Any) -> Iterator[tuple[Location, str, Any]]:
    for thing in things(data):
        for key, value in thing.data.items():
            yield (*thing.location, key), key, value


def faults_of_the_model(data: Any) -> Iterator[Fault]:
    for place, key, value in fields(data):
        slot = SLOTS[key]
        many = isinstance(value, list)
        first = (*place, 0) if many else place
        if slot.get("designator"):
            yield "L1-class", place, changed(data, place, "Blok")
            continue
        if slot.get("required"):
            yield "L1-missing-field", place[:-1], changed(data, place, None)
        yield "L1-unknown-field", (*place[:-1], f"{key}x"), renamed(data, place, f"{key}x")
        yield "L1-list", place, changed(data, place, value[0] if many else [value])
        if slot["kind"] == "enum":
            yield (
                "L1-value" if slot["range"] != "Unit" else "L1-unit",
                first,
                changed(data, first, "bogus"),
            )
        elif slot["range"] == "double" and not many:
            yield "L1-decimal-comma", place, changed(data, place, "1,5")
        elif slot["range"] in ("integer", "boolean", "date", "datetime") and not many:
            yield "L1-type", place, changed(data, place, "three")
        if slot.get("minimum") is not None and not many:
            yield "L1-range", place, changed(data, place, slot["minimum"] - 1)
        if slot.get("pattern"):
            yield "L1-pattern", first, changed(data, first, "?:?")
        if slot["kind"] == "class" and slot["inlined"] and not many and "unit" in value:
            yield "L1-unit", place, changed(data, place, "5")
            yield "L1-unit", (*place, "unit"), changed(data, (*place, "unit"), "parsec")


def faults_of_references(data: Any) -> Iterator[Fault]:
    kinds = {t.data["id"]: t.name for t in things(data) if "id" in t.data}
    for place, key, value in fields(data):
        slot = SLOTS[key]
        if key == "id" and len(place) > 1:
            yield "L3-duplicate-id", place, changed(data, place, data["id"])
        if slot["kind"] != "class" or slot["inlined"]:
            continue
        first = (*place, 0) if isinstance(value, list) else place
        fitting = model_map()["classes"][slot["range"]]["concrete"]
        wrong = next(name for name, kind in kinds.items() if kind not in fitting)
        yield "L3-dangling", first, changed(data, first, "nowhere")
        yield "L3-wrong-kind", first, changed(data, first, wrong)
        if isinstance(value, list):
            yield (
                "L1-repeated-value",
                (*place, len(value)),
                changed(data, place, [*value, value[0]]),
            )


def faults_of_terms(data: Any) -> Iterator[Fault]:
    for thing in things(data):
        if thing.name != "OntologyTerm":
            continue
        place = (*thing.location, "term")
        yield "L2-obsolete", place, changed(data, thing.location, {"term": "OBI:0000011"})
        yield "L2-malformed", place, changed(data, thing.location, {"term": "FBbi:585"})
        yield "L2-unknown-prefix", place, changed(data, thing.location, {"term": "FBBI:00000585"})
        yield "L2-unknown-term", place, changed(data, thing.location, {"term": "FBbi:09999999"})
        # two-photon is 00000254; 00000253 is spinning disk
        swapped = {"term": "FBbi:00000253", "term_label": "two-photon laser scanning microscopy"}
        if thing.slot == "study_types":
            yield "L2-label", place, changed(data, thing.location, swapped)
        else:
            yield "L2-branch", place, changed(data, thing.location, swapped)


def faults_of_time(data: Any) -> Iterator[Fault]:
    for place, key, _ in fields(data):
        if key == "ended":
            yield "L3-dates", place, changed(data, place, "2001-01-01T00:00:00+01:00")
            yield "L1-type", place, changed(data, place, "yesterday")


def faults_of_order(data: Any) -> Iterator[Fault]:
    named = {t.data["id"]: t for t in things(data) if "id" in t.data}
    for index, acquisition in enumerate(data["acquisitions"]):
        for name in acquisition.get("imaged_specimens", ()):
            for other in named[name].data.get("preparations", ()):
                if "ended" in named[other].data:
                    place = ("acquisitions", index, "started")
                    yield "L3-order", place, changed(data, place, "2001-01-01T00:00:00+01:00")
    for slot in ("specimens", "acquisitions", "biological_samples", "study_components"):
        if len(data.get(slot, ())) > 1:
            place = (slot, 1, "name")
            yield "L3-same-name", place, changed(data, place, data[slot][0]["name"].upper())


def faults_of_profiles(data: Any) -> Iterator[Fault]:
    for name in ALL:
        rules = profile(name)
        for rule in rules["required"]:
            concrete = model_map()["classes"][rule["class"]]["concrete"]
            for thing in things(data):
                if thing.name in concrete and rule["slot"] in thing.data:
                    place = (*thing.location, rule["slot"])
                    yield "L5-required", thing.location, changed(data, place, None)
        for rule in rules.get("lengths", ()):
            for thing in things(data):
                if thing.name == rule["class"] and rule["slot"] in thing.data:
                    place = (*thing.location, rule["slot"])
                    yield "L5-length", place, changed(data, place, "x" * (rule["maximum"] + 1))
        for rule in rules.get("roles", ()):
            result = copy.deepcopy(data)
            for line in result["study"]["contributions"]:
                line["roles"] = [r for r in line["roles"] if r != rule["role"]] or ["supervision"]
            yield "L5-role", ("study", "contributions"), result
        contact = rules.get("contact_fields")
        for thing in things(data) if contact else ():
            if thing.name == "Person":
                place = (*thing.location, "email")
                yield "L5-contact", thing.location, changed(data, place, None)


def faults_of_numbers(data: Any) -> Iterator[Fault]:
    slips = {"nm": "mm", "um": "m"}
    for place, key, value in fields(data):
        if key.startswith("voxel_size_") and isinstance(value, dict):
            worse = changed(data, (*place, "unit"), slips[value["unit"]])
            yield "L6-length-scale", place, worse
            yield "L6-dimension", place, changed(data, (*place, "unit"), "ms")
        if key in ("nominal_slice_thickness", "measured_slice_thickness"):
            yield "L6-length-scale", place, changed(data, (*place, "unit"), "mm")
        if key in ("acceleration_voltage", "milling_voltage"):
            yield "L6-voltage", place, changed(data, (*place, "value"), value["value"] * 1e4)
            yield "L6-dimension", place, changed(data, (*place, "unit"), "nA")
        if key in ("probe_current", "milling_current"):
            yield "L6-current", place, changed(data, (*place, "unit"), "A")
        if key == "dwell_time":
            if "session" in data["acquisitions"][place[1]]:
                yield "L6-session-time", place, changed(data, (*place, "unit"), "ms")
            yield "L6-dimension", place, changed(data, (*place, "unit"), "nm")
        if key == "duration":
            yield "L6-dimension", place, changed(data, (*place, "unit"), "degC")
    for index, image in enumerate(data["images"]):
        if image.get("acquired_by") and image.get("image_kind") == "raw":
            z, planes = ("images", index, "voxel_size_z"), ("images", index, "size_z")
            yield (
                "L6-thickness",
                z,
                changed(data, (*z, "value"), image["voxel_size_z"]["value"] * 2),
            )
            source = next(a for a in data["acquisitions"] if a["id"] == image["acquired_by"])
            if "plane_count" in source:
                yield "L6-count", planes, changed(data, planes, image["size_z"] + 1)


FAMILIES = (
    faults_of_the_model, faults_of_references, faults_of_terms, faults_of_time,
    faults_of_order, faults_of_profiles, faults_of_numbers,
)  # fmt: skip


def rules_near(data: Any, location: Location) -> set[str]:
    report = validate(Document(data, {}), ALL)
    return {p.rule for p in report.problems if p.location[: len(location)] == location}


@pytest.mark.parametrize("path", EXAMPLES, ids=lambda p: p.stem)
def test_valid_corpus_is_clean_under_every_profile(path):
    assert validate(read_document(path), ALL, strict=True).problems == ()


@pytest.mark.parametrize("family", FAMILIES, ids=lambda f: f.__name__)
@pytest.mark.parametrize("path", EXAMPLES, ids=lambda p: p.stem)
def test_single_faults_are_found_under_their_code(path, family):
    data = read_document(path).data
    missed, count = [], 0
    for rule, location, faulty in thinned(family(data)):
        count += 1
        found = rules_near(faulty, location)
        if rule not in found:
            missed.append((rule, location, sorted(found)))
    assert count >= (0 if family is faults_of_time else 1 if family is faults_of_order else 2)
    assert missed == []


def thinned(faults: Iterator[Fault], most: int = 1) -> Iterator[Fault]:
    """The first faults of each rule and field, so that the suite takes seconds."""
    fields_seen: Counter[tuple[str, Any]] = Counter()
    for rule, location, faulty in faults:
        field = next((p for p in reversed(location) if isinstance(p, str)), "")
        fields_seen[rule, field] += 1
        if fields_seen[rule, field] <= most:
            yield rule, location, faulty


def test_there_are_more_than_300_faults_of_most_rules():
    data = read_document(next(p for p in EXAMPLES if p.stem == "fib-sem-confocal")).data
    faults = [fault for family in FAMILIES for fault in thinned(family(data))]
    assert len(faults) >= 300
    kinds = {rule for rule, _, _ in faults}
    assert kinds <= set(RULES)
    assert len(kinds) >= 28
