"""Slips of people who write a description by hand: each is found, and the hint helps."""

from __future__ import annotations

import json

import pytest

from clemkit.errors import ArgumentError, FormatError
from clemkit.metadata.load import read_text
from clemkit.metadata.query import query_text
from clemkit.metadata.template import template
from clemkit.metadata.validate import validate
from clemkit.workflows.metadata import repair_file, validate_file

RIBBON = """\
id: roots
biological_samples:
  - {id: root, organisms: [{scientific_name: Arabidopsis thaliana}]}
specimens:
  - id: ribbon
    type: SectionSeries
    biosamples: [root]
    nominal_thickness: 50 nm
    section_count: 9
acquisitions:
  - {id: run, type: AtumSemAcquisition, imaging_method: atum_sem, imaged_specimens: [ribbon]}
images:
  - id: em
    modality: em
    acquired_by: run
    image_of: [ribbon]
    size_z: 8
    missing_slices: [4]
    voxel_size_x: 4 nm
    voxel_size_y: 4 nm
    voxel_size_z: 50 nm
"""


def found(*changes: tuple[str, str]) -> list[tuple[str, str]]:
    text = RIBBON
    for before, after in changes:
        assert before in text
        text = text.replace(before, after)
    return [(p.rule, p.hint) for p in validate(read_text(text)).problems]


def test_the_description_itself_is_clean():
    assert found() == []


@pytest.mark.parametrize(
    ("before", "after", "rule", "hint"),
    [
        ("voxel_size_x: 4 nm", "voxel_size_x: {value: 4,5, unit: nm}", "L1-decimal-comma", "1.5"),
        ("    size_z: 8", "    sizez:\n    size_z: 8", "L1-unknown-field", "'size_z'"),
        ("voxel_size_x: 4 nm", "voxel_size_x: 4 NM", "L1-unit", "did you mean 'nm'?"),
        ("voxel_size_x: 4 nm", "voxel_size_x: 4 nm/px", "L1-unit", "did you mean 'nm'?"),
        ("voxel_size_x: 4 nm", "voxel_size_x: 4-5 nm", "L1-unit", "{minimum: 4, maximum: 5"),
        ("voxel_size_x: 4 nm", "voxel_size_x: 4 A", "L6-dimension", "write Å"),
        ("voxel_size_x: 4 nm", "voxel_size_x: 40 nm", "L6-length-scale", "both units"),
        ("size_z: 8", "size_z: 8,000", "L1-type", "digits only"),
        ("imaging_method: atum_sem", "imaging_method: ATUM-SEM", "L1-value", "'atum_sem'"),
        ("AtumSemAcquisition", "ATUM", "L1-class", "'AtumSemAcquisition'"),
        ("AtumSemAcquisition", "LightAcquisition", "L6-method", "class or the method"),
        ("modality: em", "modality: lm", "L6-method", "modality or acquired_by"),
        ("size_z: 8", "slicing: {knife: x}", "L1-unknown-field", "field of FibSemAcquisition"),
        ("acquired_by: run", "acquired_by: Run", "L3-dangling", "'run'"),
        ("voxel_size_z: 50 nm", "voxel_size_z: 50 Å", "L6-thickness", "correct one"),
        ("size_z: 8", "size_z: 12", "L6-count", "correct one"),
        ("[4]", "[40]", "L6-count", "from 1"),
        ("ness: 50 nm", "ness: 50 um", "L6-length-scale", "0.001"),
        ("Arabidopsis thaliana", "Mouse", "L2-common-name", "Mus musculus"),
        ("Arabidopsis thaliana}", "human, taxon_id: NCBITaxon:9606}", "L2-label", "Homo sapiens"),
        ("size_z:", "size\u200b_z:", "L0-hidden-character", "remove"),
    ],
)
def test_slip(before, after, rule, hint):
    matching = [h for r, h in found((before, after)) if r == rule]
    assert matching
    assert any(hint in h for h in matching)


@pytest.mark.parametrize(
    ("term", "rule", "hint"),
    [
        ("go:0005739", "L2-unknown-prefix", "'GO:0005739'"),
        ("GO:5739", "L2-malformed", "'GO:0005739'"),
        ("GO_0005739", "L1-type", "'GO:0005739'"),
        ("FBBI:00000585", "L2-unknown-prefix", "'FBbi:00000585'"),
        ("mitochondrion", "L1-type", "'GO:0005739'"),
        ("no such thing", "L1-type", "look the term up"),
    ],
)
def test_term_that_was_meant(term, rule, hint):
    change = ("organisms:", f"biological_entities: ['{term}'], organisms:")
    ((got, said),) = found(change)
    assert got == rule
    assert hint in said


def test_time_as_yaml_writers_put_it():
    plain = read_text("id: x\nsessions: [{id: s, started: 2026-01-05 10:00:00+00:00}]\n")
    assert plain.data["sessions"][0]["started"] == "2026-01-05T10:00:00+00:00"


def test_json_with_characters_beyond_16_bits():
    text = json.dumps({"id": "x", "name": "a \\ud83d \U0001f600 \\\U0001f9ec", "notes": "é"})
    assert "\\ud83d\\ude00" in text
    assert read_text(text).data == json.loads(text)


@pytest.mark.parametrize(
    ("text", "line", "hint"),
    [
        ("id: x\n\tname: y\n", 2, "spaces"),
        ("id: x\n---\nid: y\n", 2, "one description"),
        ("id: x\nname: a: b\n", 2, "quotes"),
        ("id: é\n", 1, "UTF-8"),
    ],
)
def test_file_that_is_no_description_is_a_finding(tmp_path, text, line, hint):
    path = tmp_path / "broken.yaml"
    path.write_bytes(text.encode("latin-1"))
    report = validate_file(path)
    (problem,) = report.problems
    assert problem.rule == "L0-syntax"
    assert hint in problem.hint
    assert next(report.lines()).startswith(f"{path}:{line}: error: ")
    assert json.loads(report.to_sarif())["runs"][0]["results"][0]["ruleId"] == "L0-syntax"
    assert repair_file(path) == ""
    with pytest.raises(FormatError):
        read_text(text.replace("é", "[é"))


def test_workbook_is_not_taken_for_yaml(tmp_path):
    (tmp_path / "a.xlsx").write_bytes(b"PK")
    (problem,) = validate_file(tmp_path / "a.xlsx").problems
    assert "from-xlsx" in problem.hint


def test_methods_and_queries_by_other_spellings():
    assert template(["SBF-SEM", "Confocal"]) == template(["sbf_sem", "confocal"])
    with pytest.raises(ArgumentError, match="did you mean 'confocal'"):
        template(["confocl"])
    with pytest.raises(ArgumentError, match="name the methods that were joined"):
        template(["clem"])
    with pytest.raises(ArgumentError, match="did you mean 'images-by-voxel-size'"):
        query_text("imagesbyvoxelsize")


def test_number_of_a_taxon_is_repaired(tmp_path):
    path = tmp_path / "mouse.yaml"
    path.write_text("id: x\nbiological_samples:\n- id: b\n  organisms: [{taxon_id: 10090}]\n")
    assert "+  organisms: [{taxon_id: NCBITaxon:10090}]" in repair_file(path)
    assert repair_file(path) == ""
