"""Headers of many files against a description: every fault is found, valid sets are clean."""

from __future__ import annotations

import logging
import struct

import numpy as np
import pytest
import tifffile

from clemkit.deposition.headers import file_facts, matching_paths
from clemkit.metadata.validate.files import check_files

SLICES = 24
IMAGE = {
    "file_format": "tiff",
    "data_type": "uint8",
    "size_x": 13,
    "size_y": 11,
    "size_z": SLICES,
    "voxel_size_x": {"value": 5, "unit": "nm"},
    "voxel_size_y": {"value": 6, "unit": "nm"},
    "voxel_size_z": {"value": 50, "unit": "nm"},
    "file_set": {"directory": "raw", "file_pattern": "s_*.tif", "file_count": SLICES},
}


def write_slice(path, shape=(11, 13), dtype="uint8", size_xy_nm=(5.0, 6.0)):
    per_cm = tuple(1e7 / size for size in size_xy_nm)
    tifffile.imwrite(path, np.zeros(shape, dtype), resolution=per_cm, resolutionunit=3)


def write_mrc(path, dtype_mode=0, voxel_zyx_nm=(50.0, 6.0, 5.0), shape=(7, 11, 13)):
    z, y, x = shape
    header = bytearray(1024)
    struct.pack_into("<4i", header, 0, x, y, z, dtype_mode)
    struct.pack_into("<3i", header, 28, x, y, z)
    cell = [n * v * 10 for n, v in zip((x, y, z), voxel_zyx_nm[::-1], strict=True)]
    struct.pack_into("<3f", header, 40, *cell)
    struct.pack_into("<3i", header, 64, 1, 2, 3)
    struct.pack_into("<i", header, 108, 20140)
    header[208:212], header[212:214] = b"MAP ", b"\x44\x44"
    path.write_bytes(bytes(header) + bytes(z * y * x * {0: 1, 1: 2}[dtype_mode]))


@pytest.fixture
def stack(tmp_path):
    (tmp_path / "raw").mkdir()
    for number in range(1, SLICES + 1):
        write_slice(tmp_path / "raw" / f"s_{number:04d}.tif")
    return tmp_path


def rules_of(folder, image=IMAGE):
    facts = file_facts(image["file_set"], folder)
    return {p.rule for p in check_files(image, ("images", 0), facts)}


def test_a_good_stack_is_clean(stack):
    assert rules_of(stack) == set()


def absent(path):
    path.unlink()


def emptied(path):
    path.write_bytes(b"")


def cut(path):
    path.write_bytes(path.read_bytes()[:-40])


FAULTS = {
    "missing slice": (absent, {"L4-gap", "L4-count"}),
    "zero bytes": (emptied, {"L4-empty"}),
    "truncated": (cut, {"L4-unreadable"}),
    "data type": (lambda p: write_slice(p, dtype="uint16"), {"L4-mixed"}),
    "size": (lambda p: write_slice(p, shape=(11, 12)), {"L4-mixed"}),
    "voxel size": (lambda p: write_slice(p, size_xy_nm=(5.0, 6.6)), {"L4-mixed"}),
    "unit of one file": (lambda p: write_slice(p, size_xy_nm=(50.0, 60.0)), {"L4-mixed"}),
    "no voxel size": (lambda p: tifffile.imwrite(p, np.zeros((11, 13), "uint8")), {"L4-mixed"}),
}


@pytest.mark.parametrize("fault", FAULTS)
def test_every_fault_at_a_random_slice_is_found_and_the_file_named(stack, fault):
    seed = sorted(FAULTS).index(fault)
    number = int(np.random.default_rng(seed).integers(2, SLICES))
    break_it, expected = FAULTS[fault]
    path = stack / "raw" / f"s_{number:04d}.tif"
    break_it(path)
    facts = file_facts(IMAGE["file_set"], stack)
    found = check_files(IMAGE, ("images", 0), facts)
    assert expected == {p.rule for p in found}
    named = " ".join(p.message for p in found)
    assert path.name in named or f"missing {number}" in named


@pytest.mark.parametrize(
    ("slot", "value", "rule"),
    [
        ("voxel_size_x", {"value": 50, "unit": "nm"}, "L4-voxel-size"),
        ("voxel_size_y", {"value": 6, "unit": "um"}, "L4-voxel-size"),
        ("data_type", "int8", "L4-data-type"),
        ("size_y", 13, "L4-size"),
        ("file_format", "mrc", "L4-format"),
    ],
)
def test_a_wrong_description_of_a_good_stack_is_found(stack, slot, value, rule):
    assert rules_of(stack, IMAGE | {slot: value}) == {rule}


@pytest.mark.parametrize(
    ("slot", "value", "rule"),
    [
        (None, None, None),
        ("voxel_size_z", {"value": 5, "unit": "nm"}, "L4-voxel-size"),
        ("voxel_size_x", {"value": 5, "unit": "angstrom"}, "L4-voxel-size"),
        ("data_type", "uint8", "L4-data-type"),
    ],
)
def test_mrc_headers_know_z_and_type(tmp_path, slot, value, rule):
    write_mrc(tmp_path / "v.mrc")
    image = IMAGE | {
        "file_format": "mrc",
        "data_type": "int8",
        "size_z": 7,
        "file_set": {"directory": ".", "file_pattern": "v.mrc"},
    }
    found = rules_of(tmp_path, image | ({slot: value} if slot else {}))
    assert found == ({rule} if rule else set())


def test_mixed_mrc_types_are_found(tmp_path):
    for number in range(3):
        write_mrc(tmp_path / f"v{number}.mrc", dtype_mode=int(number == 1))
    facts = file_facts({"file_pattern": "*.mrc"}, tmp_path)
    assert facts.data_types == ("int8", "int16")
    assert facts.odd == {"data type": ("v1.mrc",)}


def test_jitter_of_the_instrument_is_one_voxel_size(tmp_path):
    for number in range(4):
        write_slice(tmp_path / f"a{number}.tif", size_xy_nm=(5.0 + 0.002 * number, 6.0))
    facts = file_facts({"file_pattern": "*.tif"}, tmp_path)
    assert len(facts.voxel_sizes) == 1
    assert facts.odd == {}
    assert facts.voxel_size_zyx_nm is not None


def test_threads_change_nothing_and_leave_the_log_as_it_was(tmp_path):
    for number in range(200):
        write_slice(tmp_path / f"s_{number:04d}.tif", shape=(11, 13 + (number == 77)))
    file_set = {"file_pattern": "s_*.tif"}
    alone = file_facts(file_set, tmp_path, workers=1)
    assert file_facts(file_set, tmp_path, workers=4) == alone
    assert alone.odd == {"size": ("s_0077.tif",)}
    assert not logging.getLogger("tifffile").disabled


def test_voxels_beside_a_header_are_no_volume_of_their_own(tmp_path):
    head = (
        "ObjectType = Image\nNDims = 3\nDimSize = 13 11 7\nElementType = MET_UCHAR\n"
        "ElementSpacing = 5 6 50\nElementDataFile = v.raw\n"
    )
    (tmp_path / "v.mhd").write_text(head)
    (tmp_path / "v.raw").write_bytes(bytes(7 * 11 * 13))
    facts = file_facts({"file_pattern": "v.*"}, tmp_path)
    assert facts.names == ("v.mhd", "v.raw")
    assert facts.unreadable == {}
    assert facts.sizes == {"z": 7, "y": 11, "x": 13, "c": 1, "t": 1}
    assert facts.odd == {}


def test_hidden_files_are_not_part_of_a_set(stack):
    (stack / "raw" / ".DS_Store").write_bytes(b"")
    file_set = {"directory": "raw", "file_pattern": "*"}
    assert len(matching_paths(file_set, stack)) == SLICES
    assert len(matching_paths(file_set | {"file_pattern": ".*"}, stack)) == 1


def test_progress_is_told(stack):
    told = []
    file_facts(IMAGE["file_set"], stack, progress=lambda *words: told.append(words))
    assert told[0][:2] == ("headers", 0.0)


def test_the_hint_names_missing_slices_as_the_model_counts_them(stack):
    for number in range(3):
        (stack / "raw" / f"s_{number + 1:04d}.tif").unlink()
    (stack / "raw" / "s_0006.tif").unlink()
    image = IMAGE | {"file_set": {"directory": "raw", "file_pattern": "s_*.tif"}}
    facts = file_facts(image["file_set"], stack)
    (gap,) = [p for p in check_files(image, (), facts) if p.rule == "L4-gap"]
    assert "missing 6" in gap.message
    assert gap.hint.endswith("counted from 1: [3]")
    there = {"missing_slices": [3], "size_z": SLICES - 4}
    assert check_files(image | there, (), facts) == []
    (size,) = check_files(image | there | {"size_z": SLICES - 3}, (), facts)
    assert size.rule == "L4-size"
    assert "without missing_slices" in size.hint


@pytest.mark.parametrize(("depth", "rules"), [(7, set()), (14, set()), (8, {"L4-size"})])
def test_several_volumes_tell_the_planes_of_each_or_of_all(tmp_path, depth, rules):
    for number in (1, 2):
        write_mrc(tmp_path / f"v{number}.mrc")
    image = {"size_z": depth, "file_set": {"directory": ".", "file_pattern": "v*.mrc"}}
    assert rules_of(tmp_path, image) == rules


def test_colour_among_grey_pictures_is_found(tmp_path):
    for number in range(3):
        colours = (3,) if number == 1 else ()
        tifffile.imwrite(tmp_path / f"p{number}.tif", np.zeros((11, 13, *colours), "uint8"))
    facts = file_facts({"file_pattern": "p*.tif"}, tmp_path)
    assert facts.is_rgb
    assert facts.channel_counts == (1, 3)
    (found,) = check_files({"file_set": {}}, (), facts)
    assert found.rule == "L4-mixed"
    assert "number of channels" in found.message
    assert "p1.tif" in found.message
