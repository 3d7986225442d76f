"""A protocol put into a description: comments stay, ids stay unique, nothing else moves."""

from __future__ import annotations

import pytest

from clemkit.errors import ArgumentError
from clemkit.metadata.load import read_text
from clemkit.metadata.models import build
from clemkit.metadata.protocols.additions import additions, inserted

DESCRIPTION = """\
# my experiment
id: e1   # short
name: Cells

reagents:  # what we have
  - id: ga            # a bottle
    type: Reagent
    name: Glutaraldehyde, EM grade
    substance_term: CHEBI:64276
  - {id: water, type: Reagent, name: water}
  # the end of the reagents

# images come last
images:
- id: em   # raw
"""
SOURCE = {
    "id": "p1",
    "reagents": [
        {"id": "glutaraldehyde", "type": "Reagent", "name": "glutaraldehyde",
         "substance_term": {"term": "CHEBI:64276"}},
        {"id": "em", "type": "Reagent", "name": "embedding medium"},
    ],
    "protocols": [
        {"id": "p1-protocol", "steps": [
            {"type": "ChemicalFixation", "materials": [
                {"material": "glutaraldehyde",
                 "concentration": {"value": 2.5, "unit": "percent"}}]},
            {"type": "Infiltration", "resin": "em"},
        ]}
    ],
}  # fmt: skip


def test_what_is_there_already_is_referred_to():
    target = read_text(DESCRIPTION).data
    added = additions(target, SOURCE)
    assert set(added) == {"reagents", "protocols"}
    assert [r["id"] for r in added["reagents"]] == ["em-2"]
    fixation, infiltration = added["protocols"][0]["steps"]
    assert fixation["materials"][0]["material"] == "ga"
    assert infiltration["resin"] == "em-2"
    assert SOURCE["reagents"][1]["id"] == "em"


def test_the_text_is_only_added_to():
    added = additions(read_text(DESCRIPTION).data, SOURCE)
    text = inserted(DESCRIPTION, added)
    kept = iter(text.splitlines())
    assert all(line in kept for line in DESCRIPTION.splitlines())
    data = read_text(text).data
    build(data)
    assert [r["id"] for r in data["reagents"]] == ["ga", "water", "em-2"]
    assert data["protocols"][0]["id"] == "p1-protocol"
    assert data["images"] == [{"id": "em"}]
    end, begin = text.index("  # the end of the reagents"), text.index("em-2")
    assert begin < end


@pytest.mark.parametrize(
    "text",
    [
        "id: e\nreagents:\n- {id: a, type: Reagent}",  # no line end at the end
        "id: e\nreagents:\n- id: a\n  type: Reagent\n  notes: |\n    two\n\n    lines\n",
        "id: e\n",
        "id: e\nprotocols:\n    - id: x\n      steps: [{type: Rinsing}]\n\n\n# end\n",
        "id: e\nreagents:\n- id: a\n  type: Reagent\n  hazards: 'not # a comment'\nname: last\n",
    ],
)
def test_ways_to_write_a_list(text):
    before = read_text(text).data
    added = additions(before, SOURCE)
    data = read_text(inserted(text, added)).data
    assert len(data["reagents"]) == len(before.get("reagents", ())) + len(added["reagents"])
    assert all(data[k] == v for k, v in before.items() if k not in ("reagents", "protocols"))
    build(data)


def test_line_ends_of_windows_stay():
    text = DESCRIPTION.replace("\n", "\r\n")
    made = inserted(text, additions(read_text(text).data, SOURCE))
    assert made.count("\n") == made.count("\r\n")
    assert read_text(made).data == read_text(made.replace("\r\n", "\n")).data
    assert len(read_text(made).data["reagents"]) == 3


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ('{"id": "e"}', "found JSON"),
        ("id: e\nreagents: [{id: a, type: Reagent}]\n", "one item a line"),
        ("id: e\nreagents:\n", "one item a line"),
    ],
)
def test_what_cannot_be_added_to_is_refused(text, words):
    with pytest.raises(ArgumentError, match=words):
        inserted(text, {"reagents": [{"id": "b", "type": "Reagent"}]})


def test_a_protocol_is_never_taken_for_one_that_is_there():
    target = {"id": "e", "protocols": [{"id": "p1-protocol", "name": "x"}]}
    added = additions(target, {"id": "s", "protocols": [{"id": "p1-protocol", "name": "x"}]})
    assert [p["id"] for p in added["protocols"]] == ["p1-protocol-2"]
