"""Markdown, Word and tables, with places in the text that they become."""

from __future__ import annotations

import pytest

from clemkit.errors import FormatError, NotFoundError
from clemkit.metadata.models import build
from clemkit.metadata.protocols.text import read_docx, read_markdown, read_table


def steps(reading):
    """Steps that were understood."""
    build(reading.data)
    protocol = reading.data["protocols"][0]
    return [s for s in protocol["steps"] if s["type"] != "UnparsedStep"]


def names(reading):
    return [s["type"] for s in steps(reading)]


def materials(step):
    return [m["material_name"] for m in step["materials"]]


MARKDOWN = """\
---
title: Leaf for TEM
---
# Day 1

**Fixation.** Fix in *2.5 %* glutaraldehyde &amp; 0.1 M PHEM for **2 h** at 4&nbsp;&deg;C.

1. Wash 3 × 10 min in [PHEM](https://example.org/a_b).
2. 1 % OsO<sub>4</sub>, 1 h, on ice
   - keep it dark

| step | solution | time (min) | temp (°C) | repeats |
|------|----------|-----------:|-----------|---------|
| a | water | 10 | 20 | 3 |
| b | ethanol 50 % | 15-20 | 4 | 1 |
"""


def test_markdown():
    reading = read_markdown(MARKDOWN)
    assert reading.data["name"] == "Leaf for TEM"
    assert names(reading) == [
        "ChemicalFixation", "Rinsing", "PostFixation", "Rinsing", "Dehydration",
    ]  # fmt: skip
    fixation, wash, osmium, rinse, _ = steps(reading)
    assert fixation["materials"][0]["concentration"]["value"] == 2.5
    assert fixation["duration"]["value"] == 2.0
    assert fixation["temperature"]["value"] == 4.0
    (place,) = [s for s in fixation["spans"] if s.get("span_field") == "duration"]
    assert MARKDOWN[place["span_start"] : place["span_end"]] == place["verbatim"] == "2 h"
    assert wash["step_label"] == "1"
    assert materials(wash) == ["PHEM"]
    assert materials(osmium) == ["OsO4"]
    assert next(s["verbatim"] for s in osmium["materials"][0]["spans"]) == "OsO<sub>4</sub>"
    assert rinse["repeats"] == 3


def test_numbers_of_a_table_have_the_unit_of_their_column():
    *_, rinse, dehydration = steps(read_markdown(MARKDOWN))
    assert rinse["duration"] == {"value": 10.0, "unit": "min", "verbatim": "10"}
    assert rinse["temperature"] == {"value": 20.0, "unit": "degC", "verbatim": "20"}
    stage = dehydration["ladder"][0]
    assert (stage["duration"]["minimum"], stage["duration"]["maximum"]) == (15.0, 20.0)
    assert stage["stage_concentration"]["value"] == 50.0


def test_a_name_is_taken_from_the_heading():
    assert read_markdown("# My *protocol*\n\nFix in 2% GA.\n").data["name"] == "My protocol"


@pytest.fixture
def document(tmp_path):
    docx = pytest.importorskip("docx")
    made = docx.Document()
    made.add_heading("Embedding", 1)
    made.add_paragraph("Samples were fixed in 2 % glutaraldehyde for 1 h.")
    made.add_paragraph("Wash 3 × 5 min in water", style="List Number")
    made.add_paragraph("1 % OsO4, 30 min", style="List Number")
    made.add_paragraph("in the hood", style="List Bullet")
    table = made.add_table(rows=2, cols=3)
    for row, cells in zip(
        table.rows, (("Schritt", "Lösung", "Zeit"), ("Entwässerung", "Ethanol 50 %", "10 min")),
        strict=True,
    ):  # fmt: skip
        for cell, words in zip(row.cells, cells, strict=True):
            cell.text = words
    path = tmp_path / "embedding.docx"
    made.save(str(path))
    return path


def test_word(document):
    reading = read_docx(document)
    assert names(reading) == ["ChemicalFixation", "Rinsing", "PostFixation", "Dehydration"]
    assert [s.get("step_label") for s in steps(reading)] == [None, "1", "2", None]
    protocol = reading.data["protocols"][0]
    assert protocol["source_file"] == "embedding.docx"
    text = protocol["source_text"]
    assert text.index("# Embedding") < text.index("1. Wash") < text.index("| Entwässerung |")
    for step in protocol["steps"]:
        for span in step["spans"]:
            assert text[span["span_start"] : span["span_end"]] == span["verbatim"]


def test_word_file_that_is_none(tmp_path):
    pytest.importorskip("docx")
    path = tmp_path / "a.docx"
    with pytest.raises(NotFoundError, match="found no such file"):
        read_docx(path)
    path.write_bytes(b"nothing")
    with pytest.raises(FormatError, match="expected a Word document"):
        read_docx(path)


ROWS = [
    ["Nr.", "Schritt", "Lösung", "Konz. (%)", "Zeit (min)", "Temp.", "Wiederholungen", "Bemerkung"],
    [1, "Fixierung", "Glutaraldehyd in PHEM", 2.5, 120, 4, None, None],
    [2, "Waschen", "PHEM", None, 10, 4, 3, None],
    [3, "Osmium", "OsO4", 1, 60, "auf Eis", None, "im Dunkeln"],
    [4, None, "Aceton", 50, 15, 20, None, None],
    [5, None, "Aceton", 100, 15, 20, 2, None],
]


def check_rows(reading):
    assert names(reading) == ["ChemicalFixation", "Rinsing", "PostFixation", "Dehydration"]
    fixation, wash, osmium, dehydration = steps(reading)
    assert [s["step_label"] for s in steps(reading)] == ["1", "2", "3", "4"]
    assert fixation["materials"][0]["concentration"]["value"] == 2.5
    assert fixation["duration"]["value"] == 120.0
    # the header names no unit of the temperature
    assert fixation["temperature"]["is_interpretation"] is True
    assert wash["repeats"] == 3
    assert osmium["light_conditions"] == "im Dunkeln"
    assert [s["stage_concentration"]["value"] for s in dehydration["ladder"]] == [50.0, 100.0]
    assert dehydration["ladder"][1]["repeats"] == 2


def test_workbook(tmp_path):
    openpyxl = pytest.importorskip("openpyxl")
    book = openpyxl.Workbook()
    for row in ROWS:
        book.active.append(row)
    book.create_sheet("other").append(["Step", "Time (h)"])
    path = tmp_path / "steps.xlsx"
    book.save(path)
    check_rows(read_table(path))
    with pytest.raises(NotFoundError, match="expected the sheet 'third'; found Sheet, other"):
        read_table(path, sheet="third")
    path.write_bytes(b"nothing")
    with pytest.raises(FormatError, match="expected a workbook"):
        read_table(path)


@pytest.mark.parametrize("sign", [",", ";", "\t"])
def test_separated_values(tmp_path, sign):
    path = tmp_path / "steps.csv"
    lines = [sign.join("" if c is None else str(c) for c in row) for row in ROWS]
    path.write_text("\n".join(lines), encoding="utf-8")
    check_rows(read_table(path))


def test_a_table_that_cannot_be_read(tmp_path):
    path = tmp_path / "steps.csv"
    with pytest.raises(NotFoundError):
        read_table(path)
    path.write_bytes(b"a,b\n\xff\xfe,c\n")
    with pytest.raises(FormatError, match="expected UTF-8; found byte 0xff at 4"):
        read_table(path)
