"""The generated text of image sets: each thing that EMPIAR has no field for, and nothing else."""

from __future__ import annotations

import copy
from pathlib import Path

import pytest

from clemkit.deposition.empiar import build_deposition
from clemkit.deposition.empiar.acquisition_text import electrons_per_nm2
from clemkit.deposition.empiar.wording import joined, plain_number, quantity_text, sentence
from clemkit.metadata.load import read_document
from clemkit.metadata.validate.files import ImageFacts

FOLDER = Path(__file__).parents[4] / "examples" / "metadata"


def details(name, change=lambda data: None, facts=None):
    data = copy.deepcopy(read_document(FOLDER / f"{name}.yaml").data)
    change(data)
    built = build_deposition(data, facts, draft=True)
    sets = built.document["imagesets"]
    return {i: s["details"] for i, s in zip(built.image_ids, sets, strict=True)}


@pytest.mark.parametrize(
    "words",
    [
        "Raw images by FIB-SEM, TIFF files (slice_*.tif).",
        "Pixel size 5 nm x 5 nm (x, y) (nominal), given in this entry in ångström: 50 x 50 Å.",
        "Distance of planes (z): 8 nm.",
        "Size 3000 x 2000 x 1200 (x, y, z).",
        "Contrast: stained dark; grey values were inverted.",
        "Specimen: Resin block with the same cell.",
        "Biological material: HeLa cells (Homo sapiens).",
        "high-pressure freezing",
        "Instrument: FIB-SEM (Maker C F-3).",
        "acceleration voltage 1.5 kV, probe current 1 nA",
        "dwell time 6 µs",
        "Dose of one image: 1500 electrons per nm², computed from probe current",
        "nominal thickness 8 nm, measured thickness 8.3 nm",
        "From it was made image set “FIB-SEM volume, aligned” (data/em-aligned).",
    ],
)
def test_a_raw_volume_says(words):
    assert words.lower() in details("fib-sem-confocal")["em-raw"].lower()


@pytest.mark.parametrize(
    "words",
    [
        "Aligned volume by FIB-SEM, OME-Zarr files (volume.ome.zarr), compressed without loss",
        "Processing: slice alignment with clemkit 0.1.0 (search_radius 200 nm).",
        "Made from image set “FIB-SEM slices” (data/em-raw).",
        "Image set “Confocal stack” (data/lm) is registered onto this one by affine transform.",
    ],
)
def test_an_aligned_volume_says(words):
    assert words in details("fib-sem-confocal")["em-aligned"]


def test_a_light_volume_says_its_registration_and_the_held_out_error():
    text = details("fib-sem-confocal")["lm-raw"]
    assert "Registered onto image set “FIB-SEM volume, aligned” (data/em-aligned)" in text
    assert (
        "Registration error, held out (landmarks that the fit never used): median 95 nm, "
        "90 % interval 70 nm to 130 nm, 24 points."
    ) in text
    assert "60 nm" not in text.split("Registration error")[1]  # the fit is no accuracy
    assert "Fluorescence: mitochondria (MitoTracker Red, excited at 561 nm" in text
    assert "63x" in text


def test_a_fit_is_called_a_fit():
    text = details("sbf-sem-micro-ct-two-photon")["stack-2p"]
    assert (
        "Residual of the registration's fit (no measure of accuracy elsewhere): median 3 µm" in text
    )


def test_a_registration_without_error_says_so():
    def change(data):
        del data["correlations"][0]["correlation_errors"]
        data["correlations"][0]["correlation_status"] = "uncertain"

    text = details("fib-sem-confocal", change)["lm-raw"]
    assert "No error of this registration is described." in text
    assert "marked as uncertain" in text


def test_a_derived_volume_alone_tells_of_the_instrument():
    def change(data):
        del data["images"][1]["file_set"]

    text = details("fib-sem-confocal", change)["em-aligned"]
    assert "Instrument: FIB-SEM (Maker C F-3)." in text
    assert "Made from FIB-SEM slices (not in this entry)." in text
    assert "Instrument: FIB-SEM" not in details("fib-sem-confocal")["em-aligned"]


def test_a_warped_volume_says_its_error_and_a_segmentation_what_it_shows():
    def change(data):
        files = {"directory": "data/x", "file_pattern": "v.ome.zarr"}
        data["images"] += [
            {"id": "warped", "name": "Warped", "image_kind": "registered", "file_set": files,
             "derived_from_images": ["lm-raw"]},
            {"id": "labels", "name": "Labels", "image_kind": "segmentation", "file_set": files,
             "derived_from_images": ["em-aligned"]},
        ]  # fmt: skip
        data["annotation_sets"][0]["annotation_images"] = ["labels"]

    texts = details("fib-sem-confocal", change)
    assert "Made from image set “Confocal stack” (data/lm)." in texts["warped"]
    assert (
        "Warped into the frame of image set “FIB-SEM volume, aligned” (data/em-aligned) by affine "
        "transform. Registration error, held out (landmarks that the fit never used): median 95 nm"
    ) in texts["warped"]
    assert (
        "Annotation of mitochondrion in image set “FIB-SEM volume, aligned” (data/em-aligned). "
        "Thresholding and correction by hand."
    ) in texts["labels"]
    assert "From it was made image set “Warped” (data/warped)." in texts["lm-raw"]


def test_the_preparation_in_full_at_the_source_and_in_short_after_it():
    texts = details("fib-sem-confocal")
    assert "with 30 % Epon for 2 h" in texts["em-raw"]
    assert "with 30 % Epon for 2 h" not in texts["em-aligned"]
    assert "freeze-substituted" in texts["em-aligned"]
    assert "Deviations from the protocol: Oven ran longer." in texts["em-raw"]


def test_where_a_protocol_is_published():
    def change(data):
        data["protocols"][0]["doi"] = "10.6019/SPW-00001"
        data["protocols"][0]["identifiers"] = [
            {"identifier_scheme": "SPW", "identifier_value": "SPW-00001"}
        ]

    text = details("fib-sem-confocal", change)["em-raw"]
    assert "Protocol: SPW SPW-00001, doi:10.6019/SPW-00001." in text


def test_x_rays_sections_and_lost_slices():
    texts = details("sbf-sem-micro-ct-two-photon")
    assert "X-rays: tube voltage 40 kV, rotation over 360°. 1601 projections." in texts["volume-ct"]
    assert "Lost slices, counted from 1: 317." in texts["volume-em"]
    assert "Charging reduced by: focal gas injection." in texts["volume-em"]
    sections = details("array-tomography-sim")["sem-raw"]
    assert "Sections: nominal thickness 70 nm. Lost sections, counted from 1: 13." in sections
    assert "Support: silicon." in sections
    assert "3 x 3 tiles (x, y), overlapping by 10 %." in sections
    assert "Missing slices, counted from 1: 13." in sections


def test_sizes_and_spacing_are_those_of_the_files():
    facts = ImageFacts(
        names=("v.mrc",),
        formats=("mrc",),
        data_types=("int16",),
        plane_shapes=((11, 13),),
        sizes={"x": 13, "y": 11, "z": 7, "c": 1, "t": 1},
        voxel_size_zyx_nm=(50.0, 8.0, 10.0),
    )

    def change(data):
        for axis in "xyz":
            del data["images"][1][f"voxel_size_{axis}"]

    text = details("fib-sem-confocal", change, {"em-raw": facts})["em-raw"]
    assert "Pixel size 10 nm x 8 nm (x, y)" in text
    assert "in ångström: 100 x 80 Å." in text
    assert "Distance of planes (z): 50 nm." in text
    assert "Size 13 x 11 x 7 (x, y, z)." in text
    assert "MRC files" in text


def test_nothing_is_said_about_nothing():
    data = {"id": "x", "images": [{"id": "i", "file_set": {"directory": "data/i"}}]}
    assert (
        build_deposition(data, draft=True).document["imagesets"][0]["details"] == "Images, files."
    )


@pytest.mark.parametrize(
    ("quantity", "text"),
    [
        ({"value": 8.0, "unit": "nm"}, "8 nm"),
        ({"value": 0.5, "unit": "um"}, "0.5 µm"),
        ({"minimum": 20.0, "maximum": 25.0, "unit": "degC"}, "20 to 25 °C"),
        ({"value": 360.0, "unit": "deg"}, "360°"),
        ({"unit": "h", "verbatim": "overnight"}, "overnight"),
        (None, ""),
        ({}, ""),
    ],
)
def test_quantities(quantity, text):
    assert quantity_text(quantity) == text


def test_words():
    assert joined(["a", "b", "c"]) == "a, b and c"
    assert joined(["a"]) == "a"
    assert joined([]) == ""
    assert sentence("  two\nwords ") == "Two words."
    assert sentence(None) == ""
    assert plain_number(1497.9) == "1500"
    assert plain_number(0.01234) == "0.0123"


def test_dose_of_one_image():
    acquisition = {
        "electron_beam": {"probe_current": {"value": 100.0, "unit": "pA"}},
        "dwell_time": {"value": 1.0, "unit": "us"},
        "acquired_pixel_size_x": {"value": 8.0, "unit": "nm"},
        "line_averaging": 2,
    }
    # 1e-10 A x 2e-6 s / 1.602e-19 C = 1248.3 electrons on 64 nm²
    assert electrons_per_nm2(acquisition) == pytest.approx(1248.302 / 64, rel=1e-6)
    assert electrons_per_nm2({"dwell_time": {"value": 1.0, "unit": "us"}}) is None


@pytest.mark.parametrize(
    ("kind", "depths", "total", "text"),
    [
        ("tilt_series", (41,), 82, "Size 13 x 11 (x, y), 41 tilts in each of 2 series."),
        ("reconstruction", (7,), 14, "Size 13 x 11 (x, y), 7 planes (z) in each of 2 files."),
        ("aligned", (7, 9), 16, "Size 13 x 11 (x, y), 7 to 9 planes (z) in each of 2 files."),
    ],
)
def test_an_angle_is_no_depth_and_two_volumes_are_not_one(kind, depths, total, text):
    facts = ImageFacts(
        names=("a.mrc", "b.mrc"),
        formats=("mrc",),
        data_types=("int16",),
        plane_shapes=((11, 13),),
        sizes={"x": 13, "y": 11, "z": total, "c": 1, "t": 1},
        voxel_size_zyx_nm=(8.0, 8.0, 8.0),
        depths=depths,
    )

    def change(data):
        data["images"][1]["image_kind"] = kind

    found = details("fib-sem-confocal", change, {"em-raw": facts})["em-raw"]
    assert text in found
    assert ("Distance of planes" in found) is (kind != "tilt_series")


def test_tilts_are_told_in_one_phrase():
    tilts = {"tilt_minimum": -60, "tilt_maximum": 60, "tilt_increment": 2}
    acquisition = {k: {"value": v, "unit": "deg"} for k, v in tilts.items()}
    data = {
        "id": "x",
        "acquisitions": [{"id": "a", **acquisition, "tilt_axes": 2, "serial_tomograms": 3}],
        "images": [{"id": "i", "acquired_by": "a", "file_set": {"directory": "data/i"}}],
    }
    (entry,) = build_deposition(data, draft=True).document["imagesets"]
    assert (
        "Tilts: from -60° to 60° in steps of 2°, 2 axes. Serial tomograms: 3." in entry["details"]
    )
