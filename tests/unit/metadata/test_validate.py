"""Messages, hints, formats and speed of the validation."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from pathlib import Path

import pytest

from clemkit.errors import ArgumentError
from clemkit.metadata.load import Document, read_document, read_text
from clemkit.metadata.model_map import profile_names
from clemkit.metadata.validate import RULES, validate
from clemkit.metadata.validate.check_digits import (
    cas_check_digit,
    orcid_check_digit,
    ror_check_digits,
)
from clemkit.metadata.validate.files import ImageFacts, check_files

EXAMPLES = sorted((Path(__file__).parents[3] / "examples" / "metadata").glob("*.yaml"))


def problems(text: str, *profiles: str):
    return validate(read_text(text), profiles).problems


@pytest.mark.parametrize(
    ("text", "rule", "hint"),
    [
        ("id: x\nimagess: []\n", "L1-unknown-field", "did you mean 'images'?"),
        (
            "id: x\nspecimens: [{id: s, type: Blok, biosamples: []}]\n",
            "L1-class",
            "did you mean 'Block'?",
        ),
        (
            "id: x\nimages: [{id: i, data_type: unit8, derived_from_images: []}]\n",
            "L1-value",
            "did you mean 'uint8'?",
        ),
        (
            "id: x\nimages: [{id: i, voxel_size_x: 5 angstrm}]\n",
            "L1-unit",
            "did you mean 'angstrom'?",
        ),
        ("id: x\nimages: [{id: i, voxel_size_x: '1,5 nm'}]\n", "L1-decimal-comma", "1.5"),
        (
            "id: x\nspecimens: [{id: block, type: Block, derived_from: [blok]}]\n",
            "L3-dangling",
            "did you mean 'block'?",
        ),
        (
            "id: x\nagents: [{id: a, type: Person, family_name: b, orcid: 0000-0002-1825-0098}]\n",
            "L1-checksum",
            "compare it",
        ),
        (
            "id: x\nstudy: {id: s, title: t, study_types: [OBI:0000011]}\n",
            "L2-obsolete",
            "COB:0000035",
        ),
    ],
)
def test_hints_say_what_to_do(text, rule, hint):
    found = {p.rule: p for p in problems(text)}
    assert rule in found
    assert hint in f"{found[rule].message} {found[rule].hint}"


def test_a_swapped_term_is_named():
    """A public list gives two-photon the identifier of spinning disk."""
    (found,) = problems(
        "id: x\nstudy: {id: s, title: t, study_types: [{term: FBbi:00000253, "
        "term_label: Two-photon laser scanning microscopy}]}\n"
    )
    assert (found.rule, found.severity) == ("L2-label", "error")
    assert "is FBbi:00000254" in found.hint


@pytest.mark.parametrize(
    "label",
    ["serial block face SEM (SBFSEM)", "Serial Block-Face SEM", "SBFSEM", "serial block face sem"],
)
def test_labels_are_compared_without_case_hyphens_and_abbreviations(label):
    term = f"{{term: FBbi:00000585, term_label: {label}}}"
    text = f"id: x\nstudy: {{id: s, title: t, study_types: [{term}]}}\n"
    assert problems(text) == ()


def test_an_unknown_identifier_under_a_known_label():
    """CHEBI:752978 for paraformaldehyde is in public code, and not in ChEBI."""
    text = (
        "id: x\nreagents: [{id: p, type: Reagent, "
        "substance_term: {term: CHEBI:752978, term_label: paraformaldehyde}}]\n"
    )
    (found,) = problems(text)
    assert found.rule == "L2-label"
    assert "CHEBI:31962" in found.hint or "CHEBI:61538" in found.hint


def test_a_declared_gap_satisfies_a_profile():
    head = "id: x\nstudy: {id: s, title: t}\nbiological_samples:\n- id: b\n"
    bare = [p for p in problems(head, "rembi") if "organisms" in p.message]
    gap = "  missing_values: [{missing_slot: organisms, missing_reason: withheld}]\n"
    assert len(bare) == 1
    assert [p for p in problems(head + gap, "rembi") if "organisms in" in p.message] == []


def test_lines_lead_to_the_place():
    text = "id: x\nimages:\n  - id: i\n    voxel_size_x: 5 nm\n    size_x: 0\n"
    report = validate(read_text(text, Path("a.yaml")))
    (line,) = [x for x in report.lines() if "L1-range" in x]
    assert line.startswith("a.yaml:5: error: images/0/size_x: ")


def test_strict_counts_warnings():
    text = "id: x\nspecimens: [{id: s, type: Block}]\n"
    document = read_text(text)
    assert validate(document).ok
    assert not validate(document, strict=True).ok


def test_json_and_sarif():
    report = validate(read_text("id: x\nimagess: []\n", Path("a.yaml")))
    content = report.to_dict()
    assert content["ok"] is False
    assert content["problems"][0] | {"message": "", "hint": ""} == {
        "rule": "L1-unknown-field",
        "severity": "error",
        "location": ["imagess"],
        "line": 2,
        "message": "",
        "hint": "",
    }
    sarif = json.loads(report.to_sarif())
    (run,) = sarif["runs"]
    (result,) = run["results"]
    assert sarif["version"] == "2.1.0"
    assert run["tool"]["driver"]["rules"][result["ruleIndex"]]["id"] == "L1-unknown-field"
    place = result["locations"][0]["physicalLocation"]
    assert (place["artifactLocation"]["uri"], place["region"]["startLine"]) == ("a.yaml", 2)


def test_unknown_profile():
    with pytest.raises(ArgumentError, match="expected bia, empiar, gide, rembi; found 'rembo'"):
        validate(read_text("id: x\n"), ["rembo"])


def test_every_rule_that_is_reported_is_in_the_catalogue():
    source = Path(__file__).parents[3] / "src" / "clemkit" / "metadata"
    import re

    text = "".join(p.read_text(encoding="utf-8") for p in source.rglob("*.py"))
    used = set(re.findall(r'"(L[0-6]-[a-z-]+)"', text)) - {"L1-model"}
    assert used == set(RULES)


def test_check_digits_of_published_identifiers():
    assert orcid_check_digit("000000021825009") == "7"
    assert orcid_check_digit("000000021694233") == "X"
    assert ror_check_digits("2catss") == "52"
    assert cas_check_digit("2081612") == "0"
    assert cas_check_digit("773218") == "5"


IMAGE = {
    "id": "i", "file_format": "tiff", "data_type": "uint8", "size_x": 13, "size_y": 11, "size_z": 7,
    "file_set": {"directory": "d", "file_pattern": "s_*.tif", "file_count": 7},
    "voxel_size_x": {"value": 8.0, "unit": "nm"}, "voxel_size_y": {"value": 8.0, "unit": "nm"},
    "voxel_size_z": {"value": 50.0, "unit": "nm"},
}  # fmt: skip
FACTS = {
    "names": tuple(f"s_{n:03}.tif" for n in range(1, 8)), "formats": ("tiff",),
    "data_types": ("uint8",), "plane_shapes": ((11, 13),), "sizes": {"x": 13, "y": 11, "z": 7},
    "voxel_size_zyx_nm": (None, 8.0, 8.0),
}  # fmt: skip


def test_files_as_described():
    assert check_files(IMAGE, ("images", 0), ImageFacts(**FACTS)) == []


@pytest.mark.parametrize(
    ("change", "rule"),
    [
        ({"names": ()}, "L4-absent"),
        ({"names": FACTS["names"][:6]}, "L4-count"),
        ({"names": (*FACTS["names"][:3], *FACTS["names"][4:])}, "L4-gap"),
        ({"empty": ("s_001.tif",)}, "L4-empty"),
        ({"unreadable": {"s_002.tif": "no header"}}, "L4-unreadable"),
        ({"plane_shapes": ((11, 13), (11, 12))}, "L4-mixed"),
        ({"data_types": ("uint8", "uint16")}, "L4-mixed"),
        ({"data_types": ("uint16",)}, "L4-data-type"),
        ({"formats": ("mrc",)}, "L4-format"),
        ({"sizes": {"x": 11, "y": 13, "z": 7}}, "L4-size"),
        ({"voxel_size_zyx_nm": (None, 80.0, 8.0)}, "L4-voxel-size"),
        ({"voxel_size_zyx_nm": (40.0, 8.0, 8.0)}, "L4-voxel-size"),
    ],
)
def test_files_otherwise(change, rule):
    found = check_files(IMAGE, ("images", 0), ImageFacts(**{**FACTS, **change}))
    assert rule in {p.rule for p in found}


def test_a_known_gap_is_no_finding():
    names = (*FACTS["names"][:3], *FACTS["names"][4:])
    file_set = IMAGE["file_set"] | {"file_count": 6}
    image = IMAGE | {"missing_slices": [4], "size_z": 6, "file_set": file_set}
    facts = ImageFacts(**{**FACTS, "names": names, "sizes": {"z": 6}})
    assert check_files(image, ("images", 0), facts) == []


def test_angstrom_for_nanometre_is_named():
    facts = ImageFacts(**{**FACTS, "voxel_size_zyx_nm": (None, 8.0, 0.8)})
    (found,) = check_files(IMAGE, ("images", 0), facts)
    assert "nm and angstrom swapped" in found.hint


def test_cold_run_loads_neither_pydantic_nor_rdflib():
    code = (
        "import sys\nfrom clemkit.workflows.metadata import validate_file\n"
        f"assert validate_file({str(EXAMPLES[0])!r}, ['all']).ok\n"
        "print(sorted({'pydantic', 'rdflib', 'numpy', 'openpyxl'} & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def seconds_for(images: int) -> float:
    data = dict(read_document(EXAMPLES[0]).data)
    image = data["images"][0]
    data["images"] = [*data["images"], *({**image, "id": f"i{n}"} for n in range(images))]
    before = time.process_time()
    report = validate(Document(data, {}), profile_names())
    assert report.problems == ()
    return time.process_time() - before


def test_time_grows_with_the_number_of_images_and_not_faster():
    seconds_for(10)  # what is read once
    few = min(seconds_for(200) for _ in range(3))
    assert seconds_for(1000) < 12 * few


@pytest.mark.performance
def test_a_thousand_images_in_five_seconds():
    assert seconds_for(1000) < 5.0


@pytest.mark.performance
def test_a_cold_run_in_one_second():
    command = [sys.executable, "-m", "clemkit.cli.main", "validate", str(EXAMPLES[0])]
    before = time.perf_counter()
    subprocess.run(command, capture_output=True, check=True)
    assert time.perf_counter() - before < 1.0
