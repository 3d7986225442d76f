"""EMPIAR's documents and API entries back into the description; nothing is lost."""

from __future__ import annotations

import copy
import json
import sys
from pathlib import Path

import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from clemkit.deposition.empiar import (
    build_deposition,
    check_document,
    diff_depositions,
    import_entry,
)
from clemkit.errors import ArgumentError, InvalidMetadataError
from clemkit.metadata.load import read_document, read_text, write_document
from clemkit.metadata.models import build
from clemkit.metadata.validate.schema import check_schema

sys.path.insert(0, str(Path(__file__).parent))
from valid_documents import documents, valid_document  # beside this file

PHASES = [p for p in Phase if p is not Phase.shrink]
QUICK = settings(
    max_examples=40, deadline=None, suppress_health_check=list(HealthCheck), phases=PHASES
)
EXAMPLES = sorted((Path(__file__).parents[4] / "examples" / "metadata").glob("*.yaml"))


def settings_of(thing):
    return {s["parameter_name"] for s in thing.get("archive_settings", ())}


def comes_back(document, *, faulty=False):
    imported = import_entry(document)
    # what is missing in a faulty document is missing in its description too
    assert faulty or check_schema(imported.data) == []
    again = build_deposition(imported.data, draft=True).document
    assert again == document
    assert not diff_depositions(document, again)
    return imported


def test_a_document_comes_back():
    imported = comes_back(valid_document())
    build(imported.data)  # a model of its own


def test_the_official_example_comes_back(shared_data):
    path = shared_data / "empiar-json" / "working_example.json"
    document = json.loads(path.read_text(encoding="utf-8"))
    data = comes_back(document).data
    # only what the model has no field for is kept aside
    assert settings_of(data["study"]) == {
        "empiar:principal_investigator/0/email",  # one person with two addresses
        "empiar:workflow_file",
    }
    assert settings_of(data["images"][0]) == {"empiar:directory", "empiar:details"}
    assert settings_of(data["study"]["publications"][0]) == {"empiar:language"}
    assert data["images"][0] | {"archive_settings": []} == {
        "id": "micrographs",
        "name": document["imagesets"][0]["name"],
        "image_kind": "tilt_series",
        "file_set": {"directory": "data/micrographs", "file_count": 16},
        "size_t": 121,
        "file_format": "mrc",
        "data_type": "uint32",
        "size_x": 3838,
        "size_y": 3710,
        "acquired_by": "acquisition",
        "archive_settings": [],
    }


@given(documents())
@QUICK
def test_any_valid_document_comes_back(document):
    comes_back(document)


JSON = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-9, 9)
    | st.floats(-1, 1)
    | st.text("aT1'(), /~", max_size=5),
    lambda inner: (
        st.lists(inner, max_size=2)
        | st.dictionaries(st.text("ab/~0", max_size=3), inner, max_size=2)
    ),
    max_leaves=4,
)


@given(document=documents(), data=st.data())
@QUICK
def test_a_document_with_anything_anywhere_comes_back(document, data):
    """Also faulty documents are imported as they are: nothing is lost, nothing breaks."""
    target = document
    while True:
        key = data.draw(st.sampled_from(sorted(target)))
        inner = target[key]
        if isinstance(inner, list) and inner and isinstance(inner[0], dict):
            inner = inner[0]
        if not isinstance(inner, dict) or not inner or data.draw(st.booleans()):
            break
        target = inner
    target[key] = data.draw(JSON)
    target[data.draw(st.text("ab/~0", min_size=1, max_size=4))] = data.draw(JSON)
    comes_back(document, faulty=True)


@pytest.mark.parametrize("path", EXAMPLES, ids=lambda p: p.stem)
def test_built_documents_come_back(path):
    comes_back(build_deposition(read_document(path).data).document)


def test_what_is_kept_aside_is_told():
    imported = import_entry(valid_document())
    kept = {"/".join(map(str, p.location)) for p in imported.problems}
    assert "imagesets/0/details" in kept
    assert {p.rule for p in imported.problems} == {"empiar-leftover"}
    assert {p.severity for p in imported.problems} == {"warning"}


def test_people_of_a_document():
    data = import_entry(valid_document()).data
    assert [c["roles"] for c in data["study"]["contributions"]] == [
        ["author", "corresponding_author"],
        ["author", "principal_investigator"],
    ]
    people = {a["id"]: a for a in data["agents"]}
    assert people["person-example-am"]["given_name"] == "Ada Maria"
    assert people["person-example-am"]["orcid"] == "0000-0002-1825-0097"
    assert people["person-sample-b"]["affiliations"] == ["organization-1"]
    assert people["organization-1"]["town"] == "Exampletown"


def test_an_edited_import_gives_an_edited_document():
    data = import_entry(valid_document()).data
    data["study"]["title"] = "A better title for the same data"
    data["images"][0]["size_x"] = 99
    document = build_deposition(data, draft=True).document
    assert document["title"] == "A better title for the same data"
    assert document["imagesets"][0]["image_width"] == 99
    assert check_document(document) == []


def test_an_import_can_be_written_and_read(tmp_path):
    imported = import_entry(valid_document())
    write_document(imported.data, tmp_path / "experiment.yaml")
    again = read_document(tmp_path / "experiment.yaml").data
    assert build_deposition(again, draft=True).document == valid_document()


API = {
    "EMPIAR-10001": {
        "title": "FIB-SEM of a cell, with a light stack",
        "status": "REL",
        "deposition_date": "2024-05-25",
        "release_date": "2025-02-04",
        "dataset_size": "165.4 GB",
        "experiment_type": "FIB-SEM",
        "scale": "cell",
        "entry_doi": "10.6019/EMPIAR-10001",
        "cross_references": ["EMD-8000"],
        "biostudies_references": [{"name": "S-BIAD1"}],
        "empiar_references": [],
        "grant_references": [
            {"funding_body": "Example Agency", "code": "12/34", "country": "United Kingdom"}
        ],
        "workflow_file": None,
        "corresponding_author": {
            "author": {"name": "('Example', 'A')", "author_orcid": "0000-0002-1825-0097"}
        },
        "authors": [
            {"author": {"name": "Example A", "order_id": 0, "author_orcid": None}},
            {"author": {"name": "Sample, Ben", "order_id": 1, "author_orcid": None}},
        ],
        "principal_investigator": [
            {
                "author": {
                    "first_name": "Ben", "last_name": "Sample", "organization": "Institute",
                    "email": "ben@example.org", "country": "United Kingdom",
                }
            }
        ],
        "citation": [
            {
                "authors": [{"name": "Example A", "order_id": 0, "author_orcid": None}],
                "published": True, "j_or_nj_citation": True, "title": "A paper", "year": "2024",
                "doi": "10.1000/1", "pubmedid": 28165453, "country": "",
            }
        ],
        "imagesets": [
            {
                "name": "Slices", "directory": "data/slices",
                "category": "micrographs - single frame", "header_format": "TIFF",
                "data_format": "TIFF", "num_images_or_tilt_series": 46, "frames_per_image": 1,
                "frame_range_min": None, "frame_range_max": None, "voxel_type": "UNSIGNED BYTE",
                "pixel_width": 50.0, "pixel_height": 50, "details": "Slices of 8 nm.",
                "image_width": "5760", "image_height": "4092", "micrographs_file_pattern": "",
                "segmentations": [{"name": "mito"}],
            },
            {
                "name": "Container", "directory": "data/zarr",
                "category": "reconstructed volumes", "header_format": "OME-Zarr",
                "data_format": "OME-Zarr", "num_images_or_tilt_series": 1,
                "frames_per_image": 46, "voxel_type": "32 BIT FLOAT", "image_width": None,
                "image_height": "", "pixel_width": None, "pixel_height": None, "details": "",
            },
        ],
    }
}  # fmt: skip


def test_an_entry_of_the_api():
    imported = import_entry(API)
    data = imported.data
    assert imported.accession == "EMPIAR-10001"
    assert check_schema(data) == []
    build(data)
    study = data["study"]
    assert study["title"] == "FIB-SEM of a cell, with a light stack"
    assert study["biological_scale"] == "cell"
    assert study["release_date"] == "2025-02-04"
    assert study["identifiers"] == [
        {"identifier_scheme": "EMPIAR", "identifier_value": "EMPIAR-10001"},
        {"identifier_scheme": "DOI", "identifier_value": "10.6019/EMPIAR-10001"},
    ]
    assert study["funding"] == [{"funder": "funder-1", "grant_number": "12/34"}]
    assert {e["identifier_value"] for e in study["related_entries"]} == {"EMD-8000", "S-BIAD1"}
    assert data["acquisitions"][0]["imaging_method"] == "fib_sem"
    people = {a["id"]: a for a in data["agents"]}
    assert people["funder-1"]["country_code"] == "GB"
    assert people["person-sample-b"]["email"] == "ben@example.org"
    assert people["person-example-a"]["orcid"] == "0000-0002-1825-0097"
    slices, container = data["images"]
    assert (slices["size_x"], slices["size_y"]) == (5760, 4092)  # text in the API
    assert slices["voxel_size_x"] == {"value": 50.0, "unit": "angstrom"}
    assert slices["description"] == "Slices of 8 nm."
    assert (slices["data_type"], slices["file_format"]) == ("uint8", "tiff")
    assert (container["file_format"], container["size_z"]) == ("ome_zarr", 46)
    assert container["image_kind"] == "reconstruction"
    paper = study["publications"][0]
    assert (paper["year"], paper["pubmed_id"]) == (2024, "28165453")


def test_what_only_an_entry_has_is_kept():
    study = import_entry(API).data["study"]
    kept = {s["parameter_name"]: json.loads(s["parameter_json"]) for s in study["archive_settings"]}
    assert kept["empiar-api:status"] == "REL"
    assert kept["empiar-api:dataset_size"] == "165.4 GB"
    assert kept["empiar-api:imagesets/0/segmentations"] == [{"name": "mito"}]


def test_gaps_of_an_entry_are_gaps_to_fill_and_not_settings():
    data = import_entry(API).data
    kept = set().union(*(settings_of(i) for i in data["images"]), settings_of(data["study"]))
    assert {k for k in kept if not k.startswith("empiar-api:")} == set()
    notes = build_deposition(data, draft=True).notes
    missing = {n.location[0] for n in notes if n.severity == "error"}
    assert missing == {"study", "agents", "images"}


@pytest.mark.parametrize("name", ["SPECIMENTEST", "IMAGEPATTERNTEST"])
def test_stored_entries(shared_data, name):
    path = shared_data.parent / "meta" / "empiar-api" / f"{name}.json"
    content = json.loads(path.read_text(encoding="utf-8"))
    imported = import_entry(content)
    assert imported.accession == f"EMPIAR-{name}"
    assert check_schema(imported.data) == []
    entry = next(iter(content.values()))
    built = build_deposition(imported.data, draft=True).document
    assert built["title"] == entry["title"]
    told, found = entry["imagesets"][0], built["imagesets"][0]
    for key in ("name", "directory", "num_images_or_tilt_series", "frames_per_image"):
        assert found[key] == told[key]
    assert found["pixel_width"] == told["pixel_width"]
    assert found["image_width"] == (int(told["image_width"]) if told["image_width"] else None)
    assert {p.rule for p in imported.problems if "authors" in p.location} == {"empiar-unread"}


def test_one_of_several_entries():
    two = {**API, "EMPIAR-10002": API["EMPIAR-10001"]}
    with pytest.raises(ArgumentError, match="choose one by accession"):
        import_entry(two)
    assert import_entry(two, "EMPIAR-10002").accession == "EMPIAR-10002"
    with pytest.raises(ArgumentError, match="expected EMPIAR-3"):
        import_entry(two, "EMPIAR-3")


def test_one_entry_without_its_key():
    imported = import_entry(API["EMPIAR-10001"])
    assert imported.accession == "EMPIAR-10001"  # from its DOI
    assert imported.data == import_entry(API).data


def test_numbers_that_are_none_are_told_and_kept():
    entry = copy.deepcopy(API)
    entry["EMPIAR-10001"]["imagesets"][0]["image_width"] = "2000 to 4000"
    imported = import_entry(entry)
    assert "size_x" not in imported.data["images"][0]
    unread = [p.location for p in imported.problems if p.rule == "empiar-unread"]
    assert unread == [("EMPIAR-10001", "imagesets", 0, "image_width")]
    kept = {s["parameter_name"] for s in imported.data["study"]["archive_settings"]}
    assert "empiar-api:imagesets/0/image_width" in kept


@pytest.mark.parametrize("content", [None, [], {}, "text"])
def test_what_is_no_entry(content):
    with pytest.raises(InvalidMetadataError, match="EMPIAR entry: expected"):
        import_entry(content)


def test_a_description_of_an_entry_reads_back_from_text():
    text = json.dumps(import_entry(API).data)
    assert check_schema(read_text(text).data) == []
