"""Somebody else's reader: its answer passes the same checks."""

from __future__ import annotations

import json
import sys

import pytest

from clemkit.errors import DataError, InvalidMetadataError
from clemkit.metadata.models import build
from clemkit.metadata.protocols.text import read_text

TEXT = "Title\nFixed in GA for 1 h. Washed. The end.\n"


def answer(**step):
    start = TEXT.index("Fixed")
    end = TEXT.index(" Washed")
    span = {"span_start": start, "span_end": end, "verbatim": TEXT[start:end]}
    made = {"type": "ChemicalFixation", "duration": {"value": 1.0, "unit": "h"}, "spans": [span]}
    return {"id": "e", "protocols": [{"id": "p", "steps": [made | step]}]}


def test_what_is_left_out_is_kept():
    reading = read_text(TEXT, name="x", source_file="x.txt", extractor=lambda text: answer())
    protocol = reading.data["protocols"][0]
    assert [(s["type"], s.get("unparsed_text")) for s in protocol["steps"]] == [
        ("UnparsedStep", "Title"),
        ("ChemicalFixation", None),
        ("UnparsedStep", "Washed. The end."),
    ]
    assert (protocol["name"], protocol["source_file"]) == ("x", "x.txt")
    assert protocol["source_text"] == TEXT
    assert [p.location[-1] for p in reading.findings] == [0, 2]
    build(reading.data)


def test_a_command():
    program = f"import sys; sys.stdin.read(); print({json.dumps(json.dumps(answer()))})"
    reading = read_text(TEXT, name="x", extractor=[sys.executable, "-c", program])
    assert [s["type"] for s in reading.data["protocols"][0]["steps"]].count("ChemicalFixation") == 1


def test_the_answer_is_not_changed():
    given = answer()
    before = json.dumps(given)
    read_text(TEXT, name="x", extractor=lambda text: given)
    assert json.dumps(given) == before


@pytest.mark.parametrize(
    ("program", "message"),
    [
        ("import sys; sys.exit('no model')", "expected exit code 0; found 1: no model"),
        ("print('{')", "expected JSON in UTF-8"),
        ("print('[]')", "expected a description, a mapping; found list"),
    ],
)
def test_a_command_that_fails(program, message):
    with pytest.raises(DataError, match=message):
        read_text(TEXT, name="x", extractor=[sys.executable, "-c", program])


def test_a_program_that_is_not_there():
    with pytest.raises(DataError, match="expected a program that answers"):
        read_text(TEXT, name="x", extractor=["/nowhere/extractor"])


WRONG = {"span_start": 0, "span_end": 5, "verbatim": "Words"}


@pytest.mark.parametrize(
    ("step", "message"),
    [
        ({"spans": [WRONG]}, "expected 'Title' at 0; found 'Words'"),
        ({"spans": [WRONG | {"span_end": 999}]}, "expected offsets in 0 to"),
        ({"spans": []}, "expected a span for the whole step; found none"),
        ({"materials": [{"material_name": "GA", "spans": [WRONG]}]}, "found 'Words'"),
        ({"duration": {"value": 1.0, "unit": "fortnight"}}, "does not fit the model"),
        ({"type": "Magic"}, "does not fit the model"),
    ],
)
def test_an_answer_that_is_wrong(step, message):
    with pytest.raises(InvalidMetadataError, match=message) as caught:
        read_text(TEXT, name="x", extractor=lambda text: answer(**step))
    assert caught.value.problems


def test_no_protocol():
    with pytest.raises(DataError, match="expected one protocol in `protocols`; found none"):
        read_text(TEXT, name="x", extractor=lambda text: {"id": "e"})
