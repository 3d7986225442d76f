"""Differences between two protocols: what changed is said, and nothing else."""

from __future__ import annotations

import copy
import json
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from clemkit.metadata.load import read_document
from clemkit.metadata.protocols.diff import diff_protocols

EXAMPLES = sorted((Path(__file__).parents[4] / "examples" / "metadata").glob("*.yaml"))


def described():
    for path in EXAMPLES:
        data = read_document(path).data
        for protocol in data["protocols"]:
            yield protocol, data["reagents"]


CASES = list(described())
ROTO, REAGENTS = next(c for c in CASES if c[0]["id"] == "roto")


def minutes(value):
    return {"value": value, "unit": "min"}


@pytest.mark.parametrize(("protocol", "reagents"), CASES, ids=[c[0]["id"] for c in CASES])
def test_a_protocol_is_like_itself(protocol, reagents):
    found = diff_protocols(protocol, copy.deepcopy(protocol), reagents)
    assert found.is_empty
    assert found.to_dict()["steps"] == []
    (line,) = found.lines()
    assert line.endswith("no differences")


@pytest.mark.parametrize(("protocol", "reagents"), CASES, ids=[c[0]["id"] for c in CASES])
def test_one_changed_time_is_one_difference(protocol, reagents):
    for number, step in enumerate(protocol["steps"]):
        other = copy.deepcopy(protocol)
        other["steps"][number]["duration"] = {"value": 777, "unit": "s"}
        (found,) = diff_protocols(protocol, other, reagents).steps
        (field,) = found.fields
        assert (found.kind, found.first, found.second) == ("changed", number + 1, number + 1)
        assert (field.field, field.second) == ("duration", "777 s")
        assert bool(field.first) == ("duration" in step)


SAME = [
    ({"value": 60, "unit": "min"}, {"value": 1, "unit": "h"}),
    ({"minimum": 48, "maximum": 72, "unit": "h"}, {"minimum": 2, "maximum": 3, "unit": "d"}),
    ({"value": 1, "unit": "h", "verbatim": "1 hr"}, {"value": 1, "unit": "h", "verbatim": "1h"}),
]
OTHER = [
    ({"value": 60, "unit": "min"}, {"value": 61, "unit": "min"}),
    ({"value": 48, "unit": "h"}, {"minimum": 48, "maximum": 72, "unit": "h"}),
]


@pytest.mark.parametrize(
    ("one", "other", "same"), [(*p, True) for p in SAME] + [(*p, False) for p in OTHER]
)
def test_times_are_compared_by_what_they_mean(one, other, same):
    a, b = ({"steps": [{"type": "Storage", "duration": q}]} for q in (one, other))
    assert diff_protocols(a, b).is_empty is same


@pytest.mark.parametrize(
    ("one", "other", "same"),
    [
        ({"value": 293.15, "unit": "K"}, {"value": 20, "unit": "degC"}, True),
        ({"value": 20, "unit": "K"}, {"value": 20, "unit": "degC"}, False),
    ],
)
def test_temperatures_are_compared_by_what_they_mean(one, other, same):
    a, b = ({"steps": [{"type": "Storage", "temperature": q}]} for q in (one, other))
    assert diff_protocols(a, b).is_empty is same


@pytest.mark.parametrize(
    ("one", "other", "same"),
    [
        ({"value": 100, "unit": "mM"}, {"value": 0.1, "unit": "M"}, True),
        ({"value": 1, "unit": "percent"}, {"value": 1, "unit": "percent_wv"}, False),
        ({"value": 1, "unit": "percent_wv"}, {"value": 2, "unit": "percent_wv"}, False),
    ],
)
def test_concentrations_are_compared_by_what_they_mean(one, other, same):
    a, b = (
        {
            "steps": [
                {"type": "Rinsing", "materials": [{"material_name": "PBS", "concentration": q}]}
            ]
        }
        for q in (one, other)
    )
    found = diff_protocols(a, b)
    assert found.is_empty is same
    if not same:
        assert [f.field for f in found.steps[0].fields] == ["concentration of PBS"]


def test_each_kind_of_difference():
    other = copy.deepcopy(ROTO)
    other["name"] = "variant"
    steps = other["steps"]
    steps[0]["materials"][0]["concentration"]["value"] = 2
    steps[8]["ladder"].insert(
        1, {"stage_concentration": {"value": 30, "unit": "percent"}, "duration": minutes(5)}
    )
    rinse = {"type": "Rinsing", "materials": [{"material_name": "water"}], "duration": minutes(5)}
    steps.insert(4, rinse)
    steps.insert(9, steps.pop(7))  # uranyl behind lead
    del steps[1]
    found = diff_protocols(ROTO, other, REAGENTS)
    assert [(s.kind, s.first, s.second) for s in found.steps] == [
        ("changed", 1, 1),
        ("removed", 2, None),
        ("added", None, 4),
        ("moved", 7, 9) if found.steps[3].kind == "moved" else ("changed", 9, 8),
        ("changed", 9, 8) if found.steps[3].kind == "moved" else ("moved", 7, 9),
    ]
    assert [f.field for f in found.steps[0].fields] == ["concentration of glutaraldehyde"]
    ladder = next(s for s in found.steps if s.first == 9)
    assert [f.field for f in ladder.fields] == ["ladder", "ladder 30 % duration"]
    text = "\n".join(found.lines())
    for words in ("variant", "2.5 %", "+4", "-2", "~7>9", "20 %, 30 %, 50 %"):
        assert words in text
    assert json.loads(json.dumps(found.to_dict()))["steps"][1]["kind"] == "removed"


def test_an_exchanged_material_and_a_changed_class():
    a = {"steps": [{"type": "PostFixation", "materials": [{"material": "os"}], "repeats": 2}]}
    b = {
        "steps": [
            {
                "type": "EnBlocStaining",
                "materials": [{"material": "os"}, {"material_name": "water"}],
            }
        ]
    }
    osmium = [{"id": "os", "name": "osmium tetroxide"}]
    (step,) = diff_protocols(a, b, osmium).steps
    assert {(f.field, f.first, f.second) for f in step.fields} == {
        ("class", "post fixation", "en bloc staining"),
        ("repeats", "2", ""),
        ("water", "", "water"),
    }


def test_ids_do_not_matter_and_terms_do():
    a = {
        "steps": [
            {
                "type": "Rinsing",
                "materials": [{"material": "r1", "concentration": {"value": 1, "unit": "percent"}}],
            }
        ]
    }
    b = {
        "steps": [
            {
                "type": "Rinsing",
                "materials": [{"material": "x9", "concentration": {"value": 1, "unit": "percent"}}],
            }
        ]
    }
    pfa = [{"id": "r1", "name": "PFA", "substance_term": {"term": "CHEBI:31962"}}]
    long = [{"id": "x9", "name": "paraformaldehyde", "substance_term": "CHEBI:31962"}]
    assert diff_protocols(a, b, pfa, long).is_empty
    other = [{"id": "x9", "name": "formaldehyde", "substance_term": "CHEBI:16842"}]
    assert not diff_protocols(a, b, pfa, other).is_empty


def test_components_of_a_solution_are_compared():
    step = {"steps": [{"type": "PostStaining", "materials": [{"material": "mix"}]}]}
    one = [
        {
            "id": "mix",
            "name": "mix",
            "components": [
                {"material_name": "UA", "concentration": {"value": 1, "unit": "percent"}}
            ],
        }
    ]
    two = copy.deepcopy(one)
    two[0]["components"][0]["concentration"]["value"] = 2
    (found,) = diff_protocols(step, step, one, two).steps
    assert [(f.field, f.first, f.second) for f in found.fields] == [
        ("concentration of mix: UA", "1 %", "2 %")
    ]


def test_words_of_the_source_do_not_matter():
    a = {
        "steps": [
            {"type": "Rinsing", "description": "wash", "spans": [{"span_start": 0}], "repeats": 1}
        ]
    }
    b = {"steps": [{"type": "Rinsing", "notes": "again"}]}
    assert diff_protocols(a, b).is_empty


def test_unparsed_words_are_matched_by_likeness():
    a = {"steps": [{"type": "UnparsedStep", "unparsed_text": "Images were taken at 2 kV."}]}
    b = {"steps": [{"type": "UnparsedStep", "unparsed_text": "Images were taken at 3 kV."}]}
    (found,) = diff_protocols(a, b).steps
    assert (found.kind, [f.field for f in found.fields]) == ("changed", ["words"])


def test_empty_protocols():
    assert diff_protocols({}, {"steps": []}).is_empty
    (found,) = diff_protocols({}, {"steps": [{"type": "Storage"}]}).steps
    assert (found.kind, found.second) == ("added", 1)


KINDS = st.sampled_from(["Rinsing", "ChemicalFixation", "Dehydration", "Storage", "UnparsedStep"])
STEPS = st.lists(
    st.builds(
        lambda kind, time, name: {
            "type": kind,
            "duration": minutes(time),
            "materials": [{"material_name": name}],
            **({"unparsed_text": name * 3} if kind == "UnparsedStep" else {}),
        },
        KINDS,
        st.integers(1, 3),
        st.sampled_from(["water", "PBS", "ethanol"]),
    ),
    max_size=7,
)


@settings(max_examples=60, deadline=None)
@given(STEPS, STEPS)
def test_differences_account_for_every_step(first, second):
    found = diff_protocols({"steps": first}, {"steps": second})
    assert diff_protocols({"steps": first}, {"steps": copy.deepcopy(first)}).is_empty
    added = sum(s.kind == "added" for s in found.steps)
    removed = sum(s.kind == "removed" for s in found.steps)
    assert len(first) - removed == len(second) - added
    assert found.is_empty == (first == second)
    mirrored = diff_protocols({"steps": second}, {"steps": first})
    assert mirrored.is_empty == found.is_empty
