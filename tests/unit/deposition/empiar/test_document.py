"""The deposition document made from a description and from what its files say."""

from __future__ import annotations

import copy
import json
import sys
from pathlib import Path

import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from clemkit.deposition.empiar import build_deposition, check_document
from clemkit.deposition.empiar.rules import EMPIAR_RULES
from clemkit.deposition.empiar.schema_check import schema_problems
from clemkit.errors import IncompleteDepositionError
from clemkit.metadata.load import read_document
from clemkit.metadata.template import acquisition_class
from clemkit.metadata.validate.files import ImageFacts

sys.path.insert(0, str(Path(__file__).parents[2] / "metadata"))
from any_experiment import experiments, instances  # of the tests of metadata

LISTS = {
    "agents": "Agent",
    "acquisitions": "ImageAcquisition",
    "specimens": "Specimen",
    "protocols": "Protocol",
    "images": "Image",
    "correlations": "ImageCorrelation",
}
PHASES = [p for p in Phase if p is not Phase.shrink]
FOLDER = Path(__file__).parents[4] / "examples" / "metadata"


@pytest.fixture
def data():
    return copy.deepcopy(read_document(FOLDER / "fib-sem-confocal.yaml").data)


def facts(number=7, depth=1, **changes):
    """Facts of FIB-SEM slices 7 x 11 x 13 with voxels 50 x 8 x 10 nm."""
    known = {
        "names": tuple(f"slice_{i:03d}.tif" for i in range(number)),
        "formats": ("tiff",),
        "data_types": ("uint8",),
        "plane_shapes": ((11, 13),),
        "sizes": {"x": 13, "y": 11, "z": number * depth, "c": 1, "t": 1},
        "voxel_size_zyx_nm": (None, 8.0, 10.0),
    }
    return ImageFacts(**(known | changes))


def image(**changes):
    plain = {
        "id": "em",
        "name": "Slices",
        "acquired_by": "acq",
        "file_set": {"directory": "data/em", "file_pattern": "slice_*.tif"},
    }
    return plain | changes


def one_image(data, **changes):
    """Return a small description with one image."""
    return {
        "id": "small",
        "study": data["study"],
        "agents": data["agents"],
        "acquisitions": [{"id": "acq", "type": "FibSemAcquisition", "imaging_method": "fib_sem"}],
        "images": [image(**changes)],
    }


def rules(problems):
    return {p.rule for p in problems}


def test_the_three_examples_give_documents_without_errors():
    for path in sorted(FOLDER.glob("*.yaml")):
        built = build_deposition(read_document(path).data)
        assert not [n for n in built.notes if n.severity == "error"]
        assert check_document(built.document) == []
        assert len(built.document["imagesets"]) == len(built.image_ids) == len(built.images)


@pytest.mark.parametrize(
    ("methods", "code"),
    [
        (["sbf_sem"], 4),
        (["fib_sem"], 5),
        (["confocal", "fib_sem"], 7),
        (["two_photon", "micro_ct", "sbf_sem"], 7),
        (["light_sheet", "micro_ct"], 8),
        (["atum_sem"], 11),
        (["array_tomography"], 11),
        (["micro_ct"], 12),
        (["ss_et"], 13),
        (["ss_tem"], 13),
        (["stem_tomography"], 13),
        (["soft_xray_tomography"], 1),
    ],
)
def test_every_chain_gives_a_whole_document(data, methods, code):
    described = one_image(data)
    described["acquisitions"] = [
        {"id": f"acq-{m}", "type": acquisition_class(m), "imaging_method": m} for m in methods
    ]
    described["images"] = [
        image(id=m, name=f"Images by {m}", acquired_by=f"acq-{m}",
              file_set={"directory": f"data/{m}", "file_pattern": "slice_*.tif"})
        for m in methods
    ]  # fmt: skip
    wide = facts(voxel_size_zyx_nm=(None, 80.0, 100.0))
    built = build_deposition(described, dict.fromkeys(methods, wide))
    assert built.document["experiment_type"] == code
    assert len(built.document["imagesets"]) == len(methods)
    assert check_document(built.document) == []
    assert list(schema_problems(built.document)) == []


def test_head_and_people_of_an_example(data):
    document = build_deposition(data).document
    assert document["experiment_type"] == 7
    assert (document["release_date"], document["scale"]) == ("HP", "3")
    assert document["authors"] == [
        {"name": "('Example', 'A')", "order_id": 0, "author_orcid": "0000-0002-1825-0097"},
        {"name": "('Sample', 'B')", "order_id": 1, "author_orcid": None},
    ]
    contact = document["corresponding_author"]
    assert (contact["first_name"], contact["last_name"]) == ("Ada", "Example")
    assert (contact["organization"], contact["country"]) == ("Example Institute", "DE")
    assert [p["last_name"] for p in document["principal_investigator"]] == ["Sample"]
    paper = document["citation"][0]
    assert [a["name"] for a in paper["authors"]] == ["('Example', 'A')", "('Sample', 'B')"]
    assert (paper["published"], paper["year"]) == (False, 2026)


def test_image_sets_of_an_example(data):
    built = build_deposition(data)
    lm, raw, aligned = built.document["imagesets"]
    assert built.image_ids == ("lm-raw", "em-raw", "em-aligned")
    assert (raw["category"], raw["num_images_or_tilt_series"]) == ("('T1', '')", 1200)
    assert (raw["frames_per_image"], raw["frame_range_min"]) == (1, None)
    assert (raw["header_format"], raw["voxel_type"]) == ("('T3', '')", "('T1', '')")
    assert (raw["pixel_width"], raw["pixel_height"]) == (50.0, 50.0)  # 5 nm in ångström
    assert (aligned["category"], aligned["frames_per_image"]) == ("('T13', '')", 1200)
    assert aligned["data_format"] == "('OT', 'OME ZARR')"
    assert (aligned["frame_range_min"], aligned["frame_range_max"]) == (1, 1200)
    assert (lm["category"], lm["frames_per_image"]) == ("('T2', '')", 60)
    assert lm["pixel_width"] == 700.0


def test_the_files_come_before_the_description(data):
    described = one_image(
        data, size_x=99, size_y=99, file_format="mrc", data_type="uint16", voxel_size_x=None
    )
    built = build_deposition(described, {"em": facts()}, draft=True)
    entry = built.document["imagesets"][0]
    assert (entry["image_width"], entry["image_height"]) == (13, 11)
    assert (entry["header_format"], entry["voxel_type"]) == ("('T3', '')", "('T1', '')")
    assert (entry["num_images_or_tilt_series"], entry["frames_per_image"]) == (7, 1)
    assert (entry["pixel_width"], entry["pixel_height"]) == (100.0, 80.0)
    assert {"L4-size", "L4-format", "L4-data-type"} <= rules(built.notes)
    with pytest.raises(
        IncompleteDepositionError,
        match="deposition for EMPIAR: expected a description that is complete",
    ) as caught:
        build_deposition(described, {"em": facts()})
    assert {"L4-size", "L4-format", "L4-data-type"} == rules(caught.value.problems)


def test_agreeing_files_leave_nothing_to_say(data):
    built = build_deposition(one_image(data), {"em": facts()})
    assert not [n for n in built.notes if n.location[:1] == ("images",)]
    assert check_document(built.document) == []


@pytest.mark.parametrize(
    ("changes", "found", "category", "number", "frames"),
    [
        ({"image_kind": "raw"}, facts(), "('T1', '')", 7, 1),
        ({"image_kind": "raw"}, facts(1, 7), "('T2', '')", 1, 7),
        ({"image_kind": "aligned"}, facts(), "('T1', '')", 7, 1),
        ({"image_kind": "aligned"}, facts(1, 7), "('T13', '')", 1, 7),
        ({"image_kind": "reconstruction"}, facts(), "('T13', '')", 7, 1),
        ({"image_kind": "registered"}, facts(1, 7), "('OT', 'registered volumes')", 1, 7),
        ({"image_kind": "segmentation"}, facts(1, 7), "('OT', 'segmentation')", 1, 7),
        ({"image_kind": "tilt_series"}, facts(3, 41), "('T9', '')", 3, 41),
        ({"image_kind": "tilt_series"}, facts(41), "('T9', '')", 1, 41),
        ({"image_kind": "projections"}, facts(41), "('T9', '')", 1, 41),
        ({"image_kind": "raw"}, facts(1, 7, formats=("tiff-series",)), "('T1', '')", 7, 1),
        ({"generated_by_processing": "join"}, facts(), "('T11', '')", 7, 1),
        (
            {"image_kind": "raw"},
            facts(1, 7, sizes={"x": 13, "y": 11, "z": 7, "c": 2, "t": 1}),
            "('T2', '')", 1, 14,
        ),
        (
            {"image_kind": "raw"},
            facts(1, 1, formats=("png",), sizes={"x": 13, "y": 11, "z": 1, "c": 3, "t": 1}),
            "('T1', '')", 1, 1,
        ),
    ],
)  # fmt: skip
def test_category_and_counts(data, changes, found, category, number, frames):
    described = one_image(data, **changes)
    described["processing_steps"] = [{"id": "join", "processing_kind": "stitching"}]
    entry = build_deposition(described, {"em": found}, draft=True).document["imagesets"][0]
    assert entry["category"] == category
    assert (entry["num_images_or_tilt_series"], entry["frames_per_image"]) == (number, frames)
    assert entry["frame_range_max"] == (frames if frames > 1 else None)


@pytest.mark.parametrize(
    ("format_found", "data_type", "header", "data_format", "voxel"),
    [
        ("mrc", "int16", "('T1', '')", "('T1', '')", "('T4', '')"),
        ("dm4", "uint32", "('T6', '')", "('T6', '')", "('T5', '')"),
        ("bdv-hdf5", "uint16", "('T8', '')", "('T8', '')", "('T3', '')"),
        ("bdv-n5", "uint16", "('T8', '')", "('OT', 'N5')", "('T3', '')"),
        ("hdf5", "float32", "('OT', 'HDF5')", "('OT', 'HDF5')", "('T7', '')"),
        ("ome-zarr-0.5", "float64", "('OT', 'OME ZARR')", "('OT', 'OME ZARR')",
         "('OT', '64 BIT FLOAT')"),
        ("n5", "uint64", "('OT', 'N5')", "('OT', 'N5')", "('OT', 'UNSIGNED 64 BIT INTEGER')"),
        ("nrrd", "bool", "('OT', 'NRRD')", "('OT', 'NRRD')", "('T8', '')"),
    ],
)  # fmt: skip
def test_codes_of_formats_and_types(data, format_found, data_type, header, data_format, voxel):
    found = facts(1, 7, formats=(format_found,), data_types=(data_type,))
    entry = build_deposition(one_image(data), {"em": found}).document["imagesets"][0]
    codes = (entry["header_format"], entry["data_format"], entry["voxel_type"])
    assert codes == (header, data_format, voxel)


def test_a_format_that_clemkit_does_not_read_is_taken_as_described(data):
    unread = ImageFacts(names=("a.czi",), unreadable={"a.czi": "unknown format"})
    changes = {
        "file_format": "czi", "data_type": "uint16", "size_x": 13, "size_y": 11, "size_z": 7,
        "file_set": {"directory": "data/lm", "file_pattern": "a.czi"},
    }  # fmt: skip
    built = build_deposition(one_image(data, **changes), {"em": unread})
    entry = built.document["imagesets"][0]
    assert entry["data_format"] == "('OT', 'CZI')"
    assert (entry["num_images_or_tilt_series"], entry["frames_per_image"]) == (1, 7)
    assert [n.severity for n in built.notes if n.rule == "L4-unreadable"] == ["warning"]


@pytest.mark.parametrize(("source", "severity"), [("measured", "warning"), ("nominal", "error")])
def test_a_measured_pixel_size_may_differ_from_the_header(data, source, severity):
    described = one_image(
        data, voxel_size_x={"value": 10.4, "unit": "nm"}, voxel_size_source=source
    )
    built = build_deposition(described, {"em": facts()}, draft=True)
    assert built.document["imagesets"][0]["pixel_width"] == 104.0
    assert [n.severity for n in built.notes if n.rule == "L4-voxel-size"] == [severity]


@pytest.mark.parametrize(
    ("folders", "wanted"),
    [
        (["data/em", "data/lm"], ["data/em", "data/lm"]),
        (["raw", "./data/lm"], ["data/i0", "data/lm"]),
        (["data/em", "data/em"], ["data/i0", "data/i1"]),
        (["data", "data/em"], ["data/i0", "data/em"]),
        (["data/em", "data/em/deep"], ["data/i0", "data/em/deep"]),
        (["../data/em", "/data/em"], ["data/i0", "data/i1"]),
        (["raw", "data/i0"], ["data/i0-set", "data/i0"]),
    ],
)
def test_each_image_set_has_a_folder_of_its_own_under_data(data, folders, wanted):
    described = one_image(data)
    described["images"] = [
        image(id=f"i{n}", name=f"set {n}", file_set={"directory": f, "file_pattern": "*.tif"})
        for n, f in enumerate(folders)
    ]
    known = {f"i{n}": facts() for n in range(len(folders))}
    sets = build_deposition(described, known, draft=True).document["imagesets"]
    assert [s["directory"] for s in sets] == wanted


@pytest.mark.parametrize(
    ("remove", "place"),
    [
        (("study", "title"), ("study", "title")),
        (("study", "release_policy"), ("study", "release_policy")),
        (("study", "contributions"), ("study", "contributions")),
        (("study", "publications"), ("study", "publications")),
        (("agents", 3, "given_name"), ("agents", 3, "initials")),
        (("agents", 3, "email"), ("agents", 3, "email")),
        (("agents", 3, "affiliations"), ("agents", 3, "affiliations")),
        (("agents", 0, "country_code"), ("agents", 0, "country_code")),
        (("agents", 0, "name"), ("agents", 0, "name")),
        (("images", 1, "file_set"), ("images", 1, "file_set")),
        (("images", 1, "file_set", "file_count"), ("images", 1, "file_set", "file_count")),
        (("images", 1, "file_format"), ("images", 1, "file_format")),
        (("images", 1, "data_type"), ("images", 1, "data_type")),
        (("images", 1, "size_x"), ("images", 1, "size_x")),
        (("study", "publications", 0, "publication_status"),
         ("study", "publications", 0, "publication_status")),
    ],
)  # fmt: skip
def test_what_is_missing_is_named_at_its_place(data, remove, place):
    target = data
    for step in remove[:-1]:
        target = target[step]
    del target[remove[-1]]
    with pytest.raises(IncompleteDepositionError) as caught:
        build_deposition(data)
    wrong = caught.value.problems
    assert place in {p.location for p in wrong}
    assert all(p.rule == "empiar-missing" and p.hint for p in wrong)
    draft = build_deposition(data, draft=True)
    assert set(wrong) <= set(draft.notes)
    # in the document itself, sizes are optional, and nobody sees an image set that is not there
    silent = (("images", 1, "file_set"), ("images", 1, "size_x"))
    if remove not in silent and remove[-1] != "publication_status":
        assert [p for p in check_document(draft.document) if p.severity == "error"]


def test_without_images_there_is_no_deposition(data):
    del data["images"]
    with pytest.raises(IncompleteDepositionError) as caught:
        build_deposition(data)
    assert ("images",) in {p.location for p in caught.value.problems}


def test_nothing_at_all_is_told_and_does_not_break():
    built = build_deposition({"id": "empty"}, draft=True)
    assert built.document == {}
    assert {("study", "title"), ("images",)} <= {n.location for n in built.notes}


def test_related_entries_go_where_they_belong(data):
    entries = {
        "EMDB": "EMD-8000", "BioStudies": "S-BIAD1", "IDR": "idr0001", "EMPIAR": "EMPIAR-10002",
        "WorkflowHub": "https://workflowhub.example/1",
    }  # fmt: skip
    data["study"]["related_entries"] = [
        {"identifier_scheme": s, "identifier_value": v} for s, v in entries.items()
    ]
    document = build_deposition(data).document
    assert document["cross_references"] == [{"name": "EMD-8000"}]
    assert document["biostudies_references"] == [{"name": "S-BIAD1"}]
    assert document["idr_references"] == [{"name": "idr0001"}]
    assert document["empiar_references"] == [{"name": "EMPIAR-10002"}]
    assert document["workflows"] == [{"url": "https://workflowhub.example/1", "type": 1}]
    assert check_document(document) == []


def test_related_entries_of_a_wrong_form_or_archive(data):
    data["study"]["related_entries"] = [
        {"identifier_scheme": "EMDB", "identifier_value": "8000"},
        {"identifier_scheme": "Zenodo", "identifier_value": "1"},
    ]
    notes = build_deposition(data, draft=True).notes
    found = {n.location[2]: n.severity for n in notes if n.rule == "empiar-reference"}
    assert found == {0: "error", 1: "warning"}


@pytest.mark.parametrize(
    ("policy", "code"),
    [("immediately", "RE"), ("with_emdb", "EP"), ("with_publication", "HP"),
     ("hold_one_year", "HO"), ("on_date", "HO")],
)  # fmt: skip
def test_release(data, policy, code):
    data["study"]["release_policy"] = policy
    built = build_deposition(data)
    assert built.document["release_date"] == code
    assert ("empiar-release" in rules(built.notes)) is (policy == "on_date")


@pytest.mark.parametrize(
    ("status", "published", "journal", "noted"),
    [("published", True, True, True), ("preprint", True, False, True),
     ("in_review", False, True, False), ("in_preparation", False, True, False)],
)  # fmt: skip
def test_published_is_ambiguous_and_said_so(data, status, published, journal, noted):
    data["study"]["publications"][0] |= {"publication_status": status, "journal": "bioRxiv"}
    built = build_deposition(data)
    paper = built.document["citation"][0]
    assert (paper["published"], paper["j_or_nj_citation"]) == (published, journal)
    assert ("empiar-published" in rules(built.notes)) is noted
    assert (paper["details"] == "Preprint on bioRxiv.") is (status == "preprint")
    assert check_document(built.document) == []


def test_a_choice_that_was_made_is_not_asked_again(data):
    data["study"] |= {
        "release_policy": "on_date",
        "archive_settings": [
            {"parameter_name": "empiar:release_date", "parameter_json": '"HO"'},
            {"parameter_name": "empiar:experiment_type", "parameter_json": "7"},
        ],
    }
    paper = data["study"]["publications"][0]
    paper["publication_status"] = "published"
    paper["archive_settings"] = [{"parameter_name": "empiar:published", "parameter_json": "false"}]
    built = build_deposition(data)
    assert built.document["citation"][0]["published"] is False
    assert rules(built.notes) == {"empiar-unopened", "empiar-setting"}


def test_authors_of_papers_by_their_names(data):
    paper = data["study"]["publications"][0]
    paper["author_names"] = ["Ada Example", "Sample, Ben", "Carl Other", "O'Hara K"]
    built = build_deposition(data)
    assert [(a["name"], a["author_orcid"]) for a in built.document["citation"][0]["authors"]] == [
        ("('Example', 'A')", "0000-0002-1825-0097"),
        ("('Sample', 'B')", None),
        ("('Other', 'C')", None),
        ("('O’Hara', 'K')", None),
    ]
    guessed = [n for n in built.notes if n.rule == "empiar-name"]
    assert [n.location[-1] for n in guessed] == [2]
    del paper["author_names"]
    built = build_deposition(data)
    assert "empiar-citation-authors" in rules(built.notes)
    assert built.document["citation"][0]["authors"] == built.document["authors"]


def test_settings_of_the_archive_win_and_are_told(data):
    data["study"]["archive_settings"] = [
        {"parameter_name": "empiar:experiment_type", "parameter_json": "5"},
        {"parameter_name": "empiar:workflow_file", "parameter_json": '{"path": "data/w.json"}'},
        {"parameter_name": "empiar:corresponding_author/fax", "parameter_json": '"12"'},
        {"parameter_name": "empiar:scale"},
        {"parameter_name": "empiar:nowhere/at/all", "parameter_json": "1"},
        {"parameter_name": "bia:experiment_type", "parameter_json": "9"},
    ]
    data["images"][0]["archive_settings"] = [
        {"parameter_name": "empiar:micrographs_file_pattern", "parameter_json": '"data/lm/*.tif"'}
    ]
    built = build_deposition(data)
    document = built.document
    assert document["experiment_type"] == 5
    assert document["workflow_file"] == {"path": "data/w.json"}
    assert document["corresponding_author"]["fax"] == "12"
    assert "scale" not in document
    assert document["imagesets"][0]["micrographs_file_pattern"] == "data/lm/*.tif"
    told = {n.location[-1] for n in built.notes if n.rule == "empiar-setting"}
    assert told == {0, 2, 3, 4}
    assert check_document(document) == []


def test_files_with_faults_stop_the_build(data):
    wrong = facts(
        empty=("slice_003.tif",),
        unreadable={"slice_004.tif": "truncated"},
        data_types=("uint8", "uint16"),
        names=tuple(f"slice_{i:03d}.tif" for i in (0, 1, 2, 3, 4, 6, 7)),
    )
    with pytest.raises(IncompleteDepositionError) as caught:
        build_deposition(one_image(data), {"em": wrong})
    assert rules(caught.value.problems) == {"L4-empty", "L4-unreadable", "L4-mixed", "L4-gap"}


def test_annotation_files_that_are_no_image_are_told(data):
    data["annotation_sets"][0]["annotation_files"] = {"directory": "data/labels"}
    notes = [n for n in build_deposition(data).notes if n.rule == "empiar-annotation"]
    assert [n.location for n in notes] == [("annotation_sets", 0, "annotation_files")]
    data["annotation_sets"][0]["annotation_images"] = ["em-aligned"]
    assert "empiar-annotation" not in rules(build_deposition(data).notes)


@st.composite
def described_images(draw):
    """Any experiment with a study and images with files, which refer to what there is."""
    data = draw(experiments(2))
    data["study"] = draw(instances("Study", 2))
    data["study"]["contributions"] = draw(st.lists(instances("Contribution", 1), max_size=3))
    data["study"]["publications"] = draw(st.lists(instances("Publication", 1), max_size=2))
    for key, name in LISTS.items():
        data[key] = draw(st.lists(instances(name, 2), min_size=1, max_size=2))
        for number, thing in enumerate(data[key]):
            thing["id"] = f"{key}-{number}"
    for number, thing in enumerate(data["images"]):
        thing["file_set"] = draw(instances("FileSet", 0))
        thing |= {"acquired_by": "acquisitions-0", "image_of": ["specimens-0"]}
        thing["derived_from_images"] = [f"images-{number - 1}"] if number else []
    data["specimens"][0]["preparation_protocols"] = ["protocols-0"]
    data["correlations"][0] |= {"fixed_image": "images-0", "moving_image": "images-1"}
    for line in data["study"]["contributions"]:
        line["contributor"] = "agents-0"
    return data


@given(described_images())
@settings(max_examples=25, deadline=None, suppress_health_check=list(HealthCheck), phases=PHASES)
def test_any_experiment_gives_a_draft_and_reasons(experiment):
    built = build_deposition(experiment, draft=True)
    assert rules(built.notes) <= set(EMPIAR_RULES)
    assert any(n.severity == "error" for n in built.notes) or check_document(built.document) == []
    json.dumps(built.document)


def test_every_note_has_a_rule_in_words(data):
    built = build_deposition({**data, "study": {"id": "study"}}, draft=True)
    assert rules(built.notes) <= set(EMPIAR_RULES)


def test_the_description_is_not_changed(data):
    before = copy.deepcopy(data)
    build_deposition(data, {"em-raw": facts()}, draft=True)
    assert data == before
