"""Reading a description: lines, short forms, spellings, what is refused."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml

from clemkit.errors import FormatError, NotFoundError
from clemkit.metadata.load import read_document, read_text, write_document
from clemkit.metadata.models import build, to_plain
from clemkit.metadata.shorthand import expanded, shortened, unit_named

EXAMPLES = sorted((Path(__file__).parents[3] / "examples" / "metadata").glob("*.yaml"))
FIB_SEM = next(p for p in EXAMPLES if p.stem == "fib-sem-confocal")


def dwell(text: str):
    head = "id: x\nacquisitions:\n- id: a\n  type: FibSemAcquisition\n  imaging_method: fib_sem\n"
    return read_text(f"{head}  dwell_time: {text}\n").data["acquisitions"][0]["dwell_time"]


@pytest.mark.parametrize(
    ("text", "value", "unit"),
    [
        ("6 us", 6.0, "us"),
        ("6 µs", 6.0, "us"),  # micro sign
        ("6 μs", 6.0, "us"),  # Greek letter
        ("6μs", 6.0, "us"),
        ("1e-3 ms", 0.001, "ms"),
        ("-0.5 s", -0.5, "s"),
        (".5 seconds", 0.5, "s"),
    ],
)
def test_quantity_in_short(text, value, unit):
    assert dwell(text) == {"value": value, "unit": unit}


@pytest.mark.parametrize("text", ["6 parsec", "six us", "6,5 us", "6", "us"])
def test_what_is_no_quantity_stays_as_written(text):
    assert dwell(f'"{text}"') == text


@pytest.mark.parametrize(
    ("spelling", "unit"),
    [
        ("Å", "angstrom"), ("µm", "um"), ("°C", "degC"), ("% w/v", "percent_wv"), ("M", "M"),
        ("m", "m"), ("mM", "mM"), ("mm", "mm"), ("min", "min"), ("K", "K"), ("kV", "kV"),
        ("e⁻/Å²", "electrons_per_angstrom2"), ("parsec", None),
    ],
)  # fmt: skip
def test_spellings_of_units(spelling, unit):
    assert unit_named(spelling) == unit


def test_term_in_short_and_as_iri():
    iri = "http://purl.obolibrary.org/obo/CHEBI_88215"
    data = expanded({"id": "x", "reagents": [
        {"id": "a", "type": "Reagent", "substance_term": "CHEBI:88215"},
        {"id": "b", "type": "Reagent", "substance_term": {"term": iri, "term_label": "OsO4"}},
        {"id": "c", "type": "Reagent", "substance_term": "osmium tetroxide"},
    ]})  # fmt: skip
    terms = [r["substance_term"] for r in data["reagents"]]
    assert terms[0] == {"term": "CHEBI:88215"}
    assert terms[1] == {"term": "CHEBI:88215", "term_label": "OsO4"}
    assert terms[2] == "osmium tetroxide"


def test_lines_of_keys_and_items():
    document = read_text("id: x\n\nimages:\n  - id: a\n    size_x: 3\n  - id: b\n    size_x: 4\n")
    assert document.line_of(("images", 1, "size_x")) == 7
    assert document.line_of(("images", 1, "absent")) == 6
    assert document.line_of(()) == 1


def test_numbers_of_yaml_1_2_and_dates_stay_text():
    document = read_text("id: x\nstudy: {id: s, title: t, release_date: 2027-03-01}\n")
    assert document.data["study"]["release_date"] == "2027-03-01"
    assert read_text("a: 1e-9").data["a"] == 1e-9
    assert read_text("a: 010").data["a"] == "010"


def test_text_that_looks_like_a_number_is_kept_as_written():
    document = read_text(
        "id: x\nstudy: {id: s, title: 2026, publications: [{publication_title: p, issue: 1.10}]}\n"
    )
    assert document.data["study"]["title"] == "2026"
    assert document.data["study"]["publications"][0]["issue"] == "1.10"


@pytest.mark.parametrize(
    ("text", "rule", "line"),
    [
        ("id: x\nname: a\nname: b\n", "L0-duplicate-key", 2),
        ("id: x\nname: a\u202eb\n", "L0-hidden-character", 2),
        ("id: x\nstudy: &s {id: s, title: t}\nimages:\n- <<: *s\n", "L0-merge-key", 4),
        ("id: x\nimages: &i [*i]\n", "L0-alias-cycle", 2),
    ],
)
def test_problems_of_the_file_itself(text, rule, line):
    document = read_text(text)
    assert [p.rule for p in document.problems] == [rule]
    assert document.line_of(document.problems[0].location) == line


def test_clean_examples_have_no_problems():
    assert EXAMPLES
    assert [read_document(p).problems for p in EXAMPLES] == [()] * len(EXAMPLES)


@pytest.mark.parametrize("text", ["- a\n- b\n", "just words", ""])
def test_only_a_mapping_is_a_description(text):
    with pytest.raises(FormatError, match="expected a mapping"):
        read_text(text)


def test_broken_yaml_names_the_line():
    with pytest.raises(FormatError, match=r"in line [23]"):
        read_text("id: x\nname: [a\n")


def test_wrong_encoding(tmp_path):
    path = tmp_path / "latin.yaml"
    path.write_bytes("name: Müller\n".encode("latin-1"))
    with pytest.raises(
        FormatError, match="expected UTF-8; found byte 0xfc in line 1; save it again"
    ):
        read_document(path)


def test_absent_file(tmp_path):
    with pytest.raises(NotFoundError, match="found no such file"):
        read_document(tmp_path / "absent.yaml")


def test_byte_order_mark_is_read(tmp_path):
    path = tmp_path / "bom.yaml"
    path.write_bytes(b"\xef\xbb\xbfid: x\n")
    assert read_document(path).data == {"id": "x"}


@pytest.mark.parametrize("path", EXAMPLES, ids=lambda p: p.stem)
def test_written_and_read_again_is_the_same(path, tmp_path):
    data = read_document(path).data
    write_document(data, tmp_path / "again.yaml")
    assert read_document(tmp_path / "again.yaml").data == data
    assert "dwell_time: " in (tmp_path / "again.yaml").read_text()
    with pytest.raises(FileExistsError):
        write_document(data, tmp_path / "again.yaml")


def test_short_forms_lose_nothing():
    path = FIB_SEM
    data = read_document(path).data
    assert expanded(shortened(data)) == data
    quantity = {"value": 0.1 + 0.2, "unit": "nm"}
    image = {"id": "x", "images": [{"id": "i", "voxel_size_x": quantity}]}
    assert expanded(shortened(image)) == image


@pytest.mark.parametrize("path", EXAMPLES, ids=lambda p: p.stem)
def test_model_and_plain_data(path):
    experiment = build(read_document(path).data)
    again = build(to_plain(experiment))
    assert again == experiment
    assert yaml.safe_load(yaml.safe_dump(to_plain(experiment))) == to_plain(experiment)
