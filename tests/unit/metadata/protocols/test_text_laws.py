"""Whatever the text: nothing is lost, spans hold their words, the model and RDF come back."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from clemkit.metadata.load import Document
from clemkit.metadata.models import build, canonical
from clemkit.metadata.protocols.text import read_markdown, read_text
from clemkit.metadata.protocols.text.segments import find_segments
from clemkit.metadata.rdf import from_graph, to_graph
from clemkit.metadata.validate.run import validate

PROSE = """\
Mice were perfused with 4% PFA and 0.5% glutaraldehyde in 0.1 M phosphate buffer (pH 7.4). After
three 10-min rinses in the same buffer, tissue was postfixed in 1% OsO4 and 1.5 % potassium
ferrocyanide for 1 h on ice, washed twice in water (2 × 5 min) and dehydrated in 50, 70, 90, 100 %
ethanol (10 min each). It was infiltrated with Epon:ethanol 1:1 for 2 h, then pure Epon overnight,
and polymerised for 48–72 h at 60±2 °C. Sections (70 nm) were cut with a diamond knife and picked
up on slot grids.
"""
NOTES = """\
# HPF / FS

- 20% BSA, HPM010, 2100 bar
- 0.1% UA in acetone, -90 °C 48 h, dann -45 °C mit 5 °C/h
- HM20 25, 50, 75 % je 4 h; 100% ×3
- UV 48 h -45 °C

| step | solution | time (min) | T |
|---|---|---|---|
| rinse | H2O | 3x7` | RT |
| xyzzy | | | |
"""
WORDS = st.sampled_from(
    [
        "fixed", "washed", "in", "2%", "OsO4", "for", "1 h,", "3 ×", "10 min", ";", "and", "then",
        "RT", "overnight", "Epon", "1:1", "(", ")", ".", "\n\n", "\n", "|", "-", "#", "1.",
        "->", "**",
        "ethanol", "50,", "70", "%", "glutaraldehyde", "dehydrated", "60 °C", "UA", "the", "cells",
        "were", "e.g.", "Fig. 2", "ü.N.", "`", "µm",
    ]
)  # fmt: skip
TEXTS = st.one_of(
    st.lists(WORDS, max_size=30).map(" ".join),
    st.text(max_size=80),
    st.text(st.characters(max_codepoint=0x2FF, exclude_categories=("Cs",)), max_size=80),
)
QUICK = settings(deadline=None, suppress_health_check=list(HealthCheck))


def spans_in(value: Any) -> Iterator[Mapping[str, Any]]:
    if isinstance(value, Mapping):
        if "span_start" in value:
            yield value
        for inner in value.values():
            yield from spans_in(inner)
    elif isinstance(value, list | tuple):
        for inner in value:
            yield from spans_in(inner)


def check(text, data):
    """The laws of every reading."""
    for span in spans_in(data):
        assert text[span["span_start"] : span["span_end"]] == span["verbatim"]
        assert span["rule_name"]
        assert 0 < span["confidence"] <= 1
    (protocol,) = data["protocols"]
    assert protocol["source_text"] == text
    covered: set[int] = set()
    for step in protocol["steps"]:
        whole = [s for s in step["spans"] if "span_field" not in s]
        assert whole
        for span in whole:
            covered |= set(range(span["span_start"], span["span_end"]))
    assert [i for i, c in enumerate(text) if not c.isspace() and i not in covered] == []


@given(TEXTS)
@settings(QUICK, max_examples=120)
def test_segments_hold_every_character_once(text):
    seen: set[int] = set()
    for segment in find_segments(text):
        place = set(range(segment.start, segment.end))
        assert not place & seen
        assert segment.start <= segment.body <= segment.end
        seen |= place
    assert {i for i, c in enumerate(text) if not c.isspace()} <= seen


@given(TEXTS)
@settings(QUICK, max_examples=80)
def test_any_text_is_read_without_loss(text):
    reading = read_text(text, name="any")
    check(text, reading.data)
    assert read_text(text, name="any") == reading
    build(reading.data)


@given(TEXTS)
@settings(QUICK, max_examples=40)
def test_any_markdown_is_read_without_loss(text):
    reading = read_markdown(text, name="any")
    check(text, reading.data)
    build(reading.data)


@pytest.mark.parametrize("text", [PROSE, NOTES], ids=["prose", "notes"])
def test_text_to_model_to_rdf_and_back(text):
    data = read_text(text, name="A protocol").data
    check(text, data)
    model = build(data)
    assert from_graph(to_graph(model)) == canonical(model)


@pytest.mark.parametrize("text", [PROSE, NOTES], ids=["prose", "notes"])
def test_the_description_has_no_errors(text):
    report = validate(Document(read_text(text, name="A protocol").data, {}))
    assert [p for p in report.problems if p.severity == "error"] == []


def test_an_empty_text_is_a_protocol_without_steps():
    assert read_text(" \n", name="x").data["protocols"][0]["steps"] == []


def test_five_thousand_characters_are_read_in_well_under_a_second():
    text = PROSE * (5000 // len(PROSE) + 1)
    read_text(PROSE, name="warm")  # tables are loaded once
    start = time.process_time()
    read_text(text, name="long")
    assert time.process_time() - start < 1.0
