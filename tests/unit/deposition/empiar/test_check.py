"""A document against EMPIAR's rules: what the official schema takes and what it should not."""

from __future__ import annotations

import hashlib
import json
import sys
import time
from pathlib import Path

import pytest
from hypothesis import HealthCheck, Phase, given, settings

from clemkit.deposition.empiar import build_deposition, check_document
from clemkit.deposition.empiar.rules import EMPIAR_RULES
from clemkit.deposition.empiar.schema_check import (
    SCHEMA_VERSION,
    official_schema,
    schema_problems,
)
from clemkit.metadata.load import read_document

sys.path.insert(0, str(Path(__file__).parent))
from valid_documents import documents, image_set, person, valid_document  # beside this file

EXAMPLES = sorted((Path(__file__).parents[4] / "examples" / "metadata").glob("*.yaml"))

PHASES = [p for p in Phase if p is not Phase.shrink]


def put(*path_and_value):
    """Return a change: the value at the end of a path; a function changes what is there."""
    *path, last, value = path_and_value

    def change(document):
        target = document
        for step in path:
            target = target[step]
        target[last] = value(target[last]) if callable(value) else value

    return change


def rename(*path_and_names):
    *path, old, new = path_and_names

    def change(document):
        target = document
        for step in path:
            target = target[step]
        target[new] = target.pop(old)

    return change


def both(*changes):
    def change(document):
        for one in changes:
            one(document)

    return change


# accepted by the official schema although wrong: fault, change, code, place, words of the message
ACCEPTED = [
    ("text after a category code", put("imagesets", 0, "category", "('T1', '') and more"),
     "empiar-coded-pair", "imagesets/0/category", "nothing else"),
    ("text before OT", put("imagesets", 1, "data_format", "my own ('OT', 'OME TIFF')"),
     "empiar-coded-pair", "imagesets/1/data_format", "nothing else"),
    ("negative count", put("imagesets", 0, "num_images_or_tilt_series", -7),
     "empiar-range", "imagesets/0/num_images_or_tilt_series", "expected at least 1; found -7"),
    ("zero frames", put("imagesets", 0, "frames_per_image", 0),
     "empiar-range", "imagesets/0/frames_per_image", "expected at least 1; found 0"),
    ("frame range reversed", both(put("imagesets", 1, "frame_range_min", 5),
                                  put("imagesets", 1, "frame_range_max", 1)),
     "empiar-frame-range", "imagesets/1/frame_range_min", "found 5 and 1"),
    ("negative pixel size", put("imagesets", 0, "pixel_width", -80.0),
     "empiar-range", "imagesets/0/pixel_width", "expected more than 0; found -80"),
    ("parent steps", put("imagesets", 0, "directory", "data/../secret"),
     "empiar-directory", "imagesets/0/directory", "without parent steps"),
    ("not under data", put("imagesets", 0, "directory", "em-raw"),
     "empiar-directory", "imagesets/0/directory", "expected a folder under data"),
    ("two identical image sets", put("imagesets", lambda sets: [*sets, dict(sets[0])]),
     "empiar-duplicate", "imagesets/2", "that of imagesets/0 again"),
    ("misspelt optional key", rename("imagesets", 0, "pixel_width", "pixel_widht"),
     "empiar-unknown-key", "imagesets/0/pixel_widht", "'pixel_widht'"),
    ("misnamed key at the top", rename("cross_references", "crossreferences"),
     "empiar-unknown-key", "crossreferences", "'crossreferences'"),
    ("check digit of an ORCID", put("authors", 0, "author_orcid", "0000-0002-1825-0098"),
     "empiar-orcid", "authors/0/author_orcid", "expected check digit 7"),
    ("repeated order_id", put("authors", 1, "order_id", 0),
     "empiar-order", "authors/1/order_id", "found 0 again"),
    ("type 3 without EMDB", both(put("experiment_type", 3), put("cross_references", [])),
     "empiar-emdb-link", "cross_references", "for type 3"),
    ("reference without a name", put("cross_references", [{}]),
     "empiar-reference", "cross_references/0", "expected a name in cross_references"),
    ("e-mail", put("corresponding_author", "email", "ada at example.org"),
     "empiar-email", "corresponding_author/email", "expected an e-mail address"),
]  # fmt: skip
# rejected by the official schema too
REJECTED = [
    ("code T99", put("imagesets", 0, "category", "('T99', '')"),
     "empiar-coded-pair", "imagesets/0/category", "found T99"),
    ("voxel type T10", put("imagesets", 0, "voxel_type", "('T10', '')"),
     "empiar-coded-pair", "imagesets/0/voxel_type", "a code T1 to T9"),
    ("author not as a tuple", put("authors", 0, "name", "Example AM"),
     "empiar-name", "authors/0/name", "found 'Example AM'"),
    ("DOI as an address", put("citation", 0, "doi", "https://doi.org/10.1038/x.2016.269"),
     "empiar-doi", "citation/0/doi", "expected a bare DOI"),
    ("year as text", put("citation", 0, "year", "2026"),
     "empiar-type", "citation/0/year", "expected a whole number"),
    ("type 10", put("experiment_type", 10),
     "empiar-value", "experiment_type", "found 10"),
    ("title of nine characters", put("title", "Two cells"),
     "empiar-length", "title", "expected 10 to 255 characters; found 9"),
    ("empty middle name", put("corresponding_author", "middle_name", ""),
     "empiar-empty", "corresponding_author/middle_name", "found an empty one"),
    ("country UK", put("corresponding_author", "country", "UK"),
     "empiar-country", "corresponding_author/country", "found 'UK'"),
    ("scale as a number", put("scale", 3),
     "empiar-type", "scale", "expected text in quotes; found 3"),
]  # fmt: skip
HINTS = {
    "misspelt optional key": "did you mean 'pixel_width'?",
    "misnamed key at the top": "did you mean 'cross_references'?",
    "author not as a tuple": "write ('Example', 'AM')",
    "DOI as an address": "write 10.1038/x.2016.269",
    "country UK": "write GB",
    "text after a category code": "write ('T1', '')",
    "empty middle name": "write null",
}


def errors(document):
    return [p for p in check_document(document) if p.severity == "error"]


def test_there_are_sixteen_and_ten():
    assert (len(ACCEPTED), len(REJECTED)) == (16, 10)


@pytest.mark.parametrize("case", [*ACCEPTED, *REJECTED], ids=lambda case: case[0])
def test_a_fault_is_flagged_once_with_its_reason(case):
    fault, change, rule, place, words = case
    document = valid_document()
    change(document)
    found = errors(document)
    assert [(p.rule, "/".join(map(str, p.location))) for p in found] == [(rule, place)]
    assert words in found[0].message
    assert HINTS.get(fault, "") in found[0].hint
    assert found[0].hint


@pytest.mark.parametrize("case", ACCEPTED, ids=lambda case: case[0])
def test_the_official_schema_takes_these(case):
    document = valid_document()
    case[1](document)
    assert list(schema_problems(document)) == []


@pytest.mark.parametrize("case", REJECTED, ids=lambda case: case[0])
def test_the_official_schema_rejects_these(case):
    document = valid_document()
    case[1](document)
    assert [p.rule for p in schema_problems(document)] == ["empiar-schema"]


def test_a_valid_document_is_clean():
    assert check_document(valid_document()) == []
    assert list(schema_problems(valid_document())) == []


def test_the_official_example_is_clean(shared_data):
    path = shared_data / "empiar-json" / "working_example.json"
    assert check_document(json.loads(path.read_text(encoding="utf-8"))) == []


def test_the_vendored_schema_is_the_published_one(shared_data):
    path = shared_data / "empiar-json" / "empiar_deposition.schema.json"
    assert json.loads(path.read_text(encoding="utf-8")) == official_schema()


def test_the_vendored_schema_is_unchanged_and_has_its_licence():
    folder = Path(check_document.__code__.co_filename).parent / "schema"
    told = (folder / "README.md").read_text(encoding="utf-8")
    (schema,) = folder.glob("empiar_deposition.schema.*.json")
    assert hashlib.sha256(schema.read_bytes()).hexdigest() in told
    assert schema.stem.endswith(SCHEMA_VERSION)
    assert "Apache License" in (folder / "LICENSE-Apache-2.0.txt").read_text(encoding="utf-8")


@pytest.mark.parametrize("path", EXAMPLES, ids=lambda p: p.stem)
def test_documents_built_from_the_examples_are_clean(path):
    document = build_deposition(read_document(path).data).document
    assert check_document(document) == []


@given(documents())
@settings(max_examples=60, deadline=None, suppress_health_check=list(HealthCheck), phases=PHASES)
def test_valid_documents_are_clean(document):
    assert list(schema_problems(document)) == []
    assert check_document(document) == []


@pytest.mark.parametrize(
    ("wrong", "right"),
    [
        ("principal_investigators", "principal_investigator"),
        ("imagestes", "imagesets"),
        ("citations", "citation"),
    ],
)
def test_names_of_other_writers_are_known(wrong, right):
    document = valid_document()
    document[wrong] = document.pop(right)
    rules = {p.rule: p for p in errors(document)}
    assert f"did you mean '{right}'?" in rules["empiar-unknown-key"].hint
    assert rules["empiar-missing-field"].location == (right,)
    assert set(rules) == {"empiar-unknown-key", "empiar-missing-field"}


@pytest.mark.parametrize(
    ("wrong", "right"),
    [("city", "town_or_city"), ("state", "state_or_province"), ("postal_code", "post_or_zip")],
)
def test_names_of_contact_fields(wrong, right):
    document = valid_document()
    document["corresponding_author"][wrong] = document["corresponding_author"].pop(right)
    assert [p.hint for p in errors(document)] == [f"did you mean {right!r}?"]


@pytest.mark.parametrize(
    ("header", "data", "severity"),
    [
        ("('T8', '')", "('T8', '')", None),  # XML and BigDataViewer HDF5
        ("('T1', '')", "('T8', '')", "error"),
        ("('OT', 'HDF5')", "('T8', '')", "error"),
        ("('T8', '')", "('OT', 'N5')", None),
        ("('T3', '')", "('T1', '')", "warning"),
        ("('T3', '')", "('T3', '')", None),
    ],
)
def test_the_two_lists_differ_in_t8(header, data, severity):
    document = valid_document()
    document["imagesets"][0] |= {"header_format": header, "data_format": data}
    found = [p for p in check_document(document) if p.rule == "empiar-format-pair"]
    assert [p.severity for p in found] == ([severity] if severity else [])


@pytest.mark.parametrize(
    ("change", "rule", "severity"),
    [
        (both(put("imagesets", 0, "pixel_width", 4.0), put("imagesets", 0, "pixel_height", 5.0)),
         "empiar-unit", None),
        (put("imagesets", 0, "pixel_width", 2.0), "empiar-unit", "warning"),
        (put("imagesets", 0, "pixel_width", None), "empiar-pixel-size", "warning"),
        (put("imagesets", 1, "directory", "/data/em-raw/"), "empiar-duplicate", "warning"),
        (put("imagesets", 1, "name", "FIB-SEM slices"), "empiar-duplicate", "error"),
        (put("imagesets", 1, "frame_range_max", 6), "empiar-frame-range", "error"),
        (put("imagesets", 1, "frame_range_max", None), "empiar-frame-range", "warning"),
        (put("imagesets", 0, "data_format", "('OT', 'OME-ZARR')"), "empiar-coded-pair", "error"),
        (put("imagesets", 0, "category", "('OT', 'tilt series')"), "empiar-coded-pair", "warning"),
        (put("imagesets", 0, "pixel_width", float("nan")), "empiar-range", "error"),
        (put("imagesets", 0, "image_width", True), "empiar-type", "error"),
        (put("authors", 1, "order_id", 2), "empiar-order", "error"),
        (put("authors", 1, "author_orcid", "0000-0002-1825-0097"), "empiar-orcid", "error"),
        (put("authors", 0, "name", "('Example', 'Ada')"), "empiar-initials", "warning"),
        (put("authors", 0, "name", "('" + "E" * 61 + "', 'A')"), "empiar-length", "error"),
        (put("corresponding_author", "last_name", "Other"), "empiar-contact", "warning"),
        (put("corresponding_author", "last_name", "Example1"), "empiar-name", "error"),
        (both(put("release_date", "EP"), put("cross_references", [])), "empiar-release", "error"),
        (put("cross_references", [{"name": "EMD-1"}]), "empiar-reference", "error"),
        (put("citation", 0, "pubmedid", "0"), "empiar-pubmed", "error"),
        (put("citation", 0, "first_page", "123456789"), "empiar-length", "error"),
        (put("citation", 0, "publisher", "Example Press"), "empiar-citation", "warning"),
        (put("imagesets", []), "empiar-missing-field", "error"),
        (put("corresponding_author", None), "empiar-missing-field", "error"),
        (put("workflows", [{"url": "ftp://x", "type": 1}]), "empiar-reference", "error"),
        (put("workflow_file", {"path": "../workflow.json"}), "empiar-directory", "error"),
        (put("authors", "everybody"), "empiar-type", "error"),
        (put("experiment_type", 2), "empiar-permission", "warning"),
        (put("imagesets", 1, "category", "('T1', '')"), "empiar-category", "error"),
        (put("imagesets", 0, "category", "('T2', '')"), "empiar-category", "warning"),
        (put("title", "Mitochondria\u200b of one cell"), "empiar-hidden-character", "warning"),
        (put("title", "Mitochondria of one cell "), "empiar-hidden-character", "warning"),
        (put("imagesets", 0, "details", "One line.\nAnother."), "empiar-hidden-character", None),
    ],
)  # fmt: skip
def test_further_rules(change, rule, severity):
    document = valid_document()
    change(document)
    found = {p.rule: p.severity for p in check_document(document)}
    assert found.get(rule) == severity


def test_a_published_paper_needs_no_waiting():
    document = valid_document()
    document["citation"][0] |= {"published": True, "pubmedid": "28165453"}
    assert [(p.rule, p.severity) for p in check_document(document)] == [
        ("empiar-release", "warning")
    ]


@pytest.mark.parametrize("document", [None, [], "text", 3])
def test_anything_can_be_checked(document):
    assert [p.rule for p in check_document(document)] == ["empiar-type"]


@pytest.mark.parametrize("key", sorted(valid_document()))
@pytest.mark.parametrize("value", [None, 3, 2.5, "x", "", [], {}, [3], [None], {"x": 1}, True])
def test_nothing_breaks_the_check(key, value):
    document = valid_document()
    document[key] = value
    problems = check_document(document)
    assert all(p.rule in EMPIAR_RULES and p.message for p in problems)
    official = [p.location for p in schema_problems(document)]
    assert not official or any(p.severity == "error" for p in problems)


def test_every_rule_of_the_check_is_in_words():
    sources = (Path(check_document.__code__.co_filename).parent).glob("*.py")
    text = "".join(p.read_text(encoding="utf-8") for p in sources if p.name != "rules.py")
    unused = [rule for rule in EMPIAR_RULES if f'"{rule}"' not in text]
    assert unused == []


def test_a_document_is_checked_in_milliseconds():
    document = valid_document()
    document["imagesets"] = [image_set(name=f"set {i}", directory=f"data/{i}") for i in range(20)]
    document["principal_investigator"] = [person()] * 3
    check_document(document)
    began = time.process_time()
    check_document(document)
    assert time.process_time() - began < 0.25


@pytest.mark.parametrize(("height", "flagged"), [(800.5, True), (8, True), (400.0, False)])
def test_a_unit_that_slipped_in_one_of_two_sides(height, flagged):
    document = valid_document()
    document["imagesets"][0] |= {"pixel_width": 80.0, "pixel_height": height}
    problems = check_document(document)
    assert {(p.rule, p.severity) for p in problems} == (
        {("empiar-unit", "warning")} if flagged else set()
    )
