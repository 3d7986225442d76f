"""The document against what its files say."""

from __future__ import annotations

import sys
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from clemkit.deposition.empiar import build_deposition, check_against_files
from clemkit.deposition.empiar.rules import EMPIAR_RULES
from clemkit.metadata.validate.files import ImageFacts

sys.path.insert(0, str(Path(__file__).parent))
from valid_documents import valid_document  # beside this file

SLICES = ImageFacts(
    names=tuple(f"slice_{i:03d}.tif" for i in range(7)),
    formats=("tiff",),
    data_types=("uint8",),
    plane_shapes=((11, 13),),
    sizes={"x": 13, "y": 11, "z": 7, "c": 1, "t": 1},
    voxel_size_zyx_nm=(None, 10.0, 8.0),
)
STACK = ImageFacts(
    names=("cell.ome.tiff",),
    formats=("ome-tiff",),
    data_types=("uint16",),
    plane_shapes=((11, 13),),
    sizes={"x": 13, "y": 11, "z": 5, "c": 1, "t": 1},
    voxel_size_zyx_nm=(200.0, 70.0, 70.0),
)


def findings(facts=SLICES, images=(), **changes):
    document = valid_document()
    document["imagesets"][0] |= changes
    return check_against_files(document, [facts, STACK], images)


def test_a_document_that_agrees():
    assert findings() == []


def test_files_that_were_not_opened_are_not_compared():
    assert check_against_files(valid_document(), []) == []
    assert check_against_files(valid_document(), [None, None]) == []
    assert check_against_files({}, [SLICES]) == []


@pytest.mark.parametrize(
    ("key", "value", "rule", "words"),
    [
        ("num_images_or_tilt_series", 8, "empiar-file-count", "expected 7"),
        ("frames_per_image", 7, "empiar-file-count", "expected 1"),
        ("image_width", 11, "empiar-file-size", "expected 13"),
        ("image_height", 13, "empiar-file-size", "expected 11"),
        ("voxel_type", "('T3', '')", "empiar-file-voxel-type", "expected UNSIGNED BYTE"),
        ("header_format", "('T1', '')", "empiar-file-format", "expected TIFF"),
        ("data_format", "('T8', '')", "empiar-file-format", "found BIG DATA VIEWER HDF5"),
        ("pixel_width", 8.0, "empiar-file-pixel-size", "expected 80 Å (8 nm)"),
        ("pixel_height", 101.5, "empiar-file-pixel-size", "expected 100 Å (10 nm)"),
    ],
)
def test_each_number_is_compared(key, value, rule, words):
    found = findings(**{key: value})
    assert [(p.rule, p.location, p.severity) for p in found] == [
        (rule, ("imagesets", 0, key), "error")
    ]
    assert words in found[0].message
    assert found[0].rule in EMPIAR_RULES


def test_nanometres_for_angstrom_is_said():
    assert "nanometres for ångström" in findings(pixel_width=8.0)[0].hint
    assert "micrometres for ångström" in findings(pixel_width=0.008)[0].hint
    assert "correct one of them" in findings(pixel_width=60.0)[0].hint


def test_rounding_in_headers_is_no_difference():
    assert findings(pixel_width=80.7) == []


def test_a_pixel_size_that_only_the_files_have():
    found = findings(pixel_width=None)
    assert [(p.rule, p.severity) for p in found] == [("empiar-file-pixel-size", "warning")]
    assert "80 Å" in found[0].message


def test_a_measured_pixel_size_may_differ():
    found = findings(images=[{"voxel_size_source": "measured"}], pixel_width=84.0)
    assert [p.severity for p in found] == ["warning"]


@pytest.mark.parametrize(
    ("changes", "rule"),
    [
        ({"names": ()}, "empiar-files-absent"),
        ({"empty": ("slice_002.tif",)}, "empiar-file-empty"),
        ({"unreadable": {"slice_002.tif": "truncated"}}, "empiar-file-unreadable"),
        ({"data_types": ("uint8", "uint16")}, "empiar-file-mixed"),
        ({"plane_shapes": ((11, 13), (11, 12))}, "empiar-file-mixed"),
        ({"formats": ("tiff", "ome-tiff")}, "empiar-file-mixed"),
        ({"voxel_sizes": ((None, 10.0, 8.0), (None, 10.0, 9.0))}, "empiar-file-mixed"),
        (
            {"names": tuple(f"slice_{i:03d}.tif" for i in (0, 1, 2, 4, 5, 6, 7))},
            "empiar-file-gap",
        ),
    ],
)
def test_faults_of_files_stop_the_build(changes, rule):
    found = findings(replace(SLICES, **changes))
    assert [(p.rule, p.severity) for p in found] == [(rule, "error")]
    assert found[0].location == ("imagesets", 0, "directory")


def test_described_gaps_are_no_gaps():
    gap = replace(SLICES, names=tuple(f"s_{i:03d}.tif" for i in (1, 2, 4, 5, 6, 7, 8)))
    assert [p.rule for p in findings(gap)] == ["empiar-file-gap"]
    assert findings(gap, [{"missing_slices": [3]}]) == []


def test_what_clemkit_cannot_read_is_a_warning():
    opaque = ImageFacts(names=("a.czi",), unreadable={"a.czi": "unknown"})
    czi = {"header_format": "('OT', 'CZI')", "data_format": "('OT', 'CZI')"}
    assert [p.severity for p in findings(opaque, **czi)] == ["warning"]
    assert [p.severity for p in findings(opaque)] == ["error"]


def test_an_ome_tiff_may_be_called_a_tiff():
    tiff = {"header_format": "('T3', '')", "data_format": "('T3', '')"}
    ome = {"header_format": "('OT', 'OME TIFF')", "data_format": "('OT', 'OME TIFF')"}
    found = replace(SLICES, formats=("ome-tiff",))
    assert findings(found, **tiff) == findings(found, **ome) == []
    assert {p.rule for p in findings(SLICES, **ome)} == {"empiar-file-format"}


def test_tilt_series_as_files_of_one_plane():
    series = {"category": "('T9', '')", "num_images_or_tilt_series": 1, "frames_per_image": 7}
    assert findings(**series) == []
    found = findings(**(series | {"category": "('T1', '')"}))
    assert {p.rule for p in found} == {"empiar-file-count"}


EXTENTS = st.integers(1, 50)


@st.composite
def any_facts(draw):
    """Facts of readable files of one kind."""
    names = tuple(f"f_{i:03d}.dat" for i in range(draw(st.integers(1, 9))))
    y, x = draw(EXTENTS), draw(EXTENTS)
    z = draw(EXTENTS) * len(names)
    formats = ["tiff", "ome-tiff", "mrc", "dm4", "png", "bdv-hdf5", "bdv-n5", "n5", "ome-zarr-0.5"]
    return ImageFacts(
        names=names,
        formats=(draw(st.sampled_from([*formats, "tiff-series"])),),
        data_types=(draw(st.sampled_from(["uint8", "int16", "float32", "float64", "bool"])),),
        plane_shapes=((y, x),),
        sizes={"x": x, "y": y, "z": z, "c": draw(st.integers(1, 3)), "t": draw(st.integers(1, 3))},
        voxel_size_zyx_nm=draw(
            st.none() | st.tuples(st.none() | st.just(50.0), *[st.floats(0.1, 1e6)] * 2)
        ),
    )


@given(any_facts(), st.sampled_from(["raw", "aligned", "tilt_series", "segmentation"]))
@settings(max_examples=80, deadline=None)
def test_what_is_built_from_files_agrees_with_them(facts, kind):
    files = {"directory": "data/em", "file_pattern": "*.dat"}
    image = {"id": "em", "name": "Slices", "image_kind": kind, "file_set": files}
    built = build_deposition({"id": "x", "images": [image]}, {"em": facts}, draft=True)
    assert check_against_files(built.document, [facts], built.images) == []
