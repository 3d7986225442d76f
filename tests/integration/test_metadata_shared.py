"""Real image files against their description: seeded faults are all found, the truth is clean."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from clemkit.metadata.load import read_document, write_document
from clemkit.volumes import VolumeInfo, probe
from clemkit.workflows.metadata import validate_file

REAL = (
    "yeast-clem-2d/em.tif", "platy-sbem-xray/xray-segmented-neuropil.ome.tif",
    "mito-fibsem/image.ome.tif", "nuclei3d/img3d.tif", "mrc/EMD-3001.map",
    "mrc/julian-test.mrc", "dm-tiny/ref_F_2_1.dm3", "dm-tiny/ref_T_0_2.dm4",
    "tfs-tiff/test_image_2.tif", "neubias-em/xy_8bit__em_mitochondria_er.tif",
)  # fmt: skip
FORMATS = {
    "tiff": "tiff", "ome-tiff": "ome_tiff", "mrc": "mrc", "dm3": "dm3", "dm4": "dm4",
    "hdf5": "hdf5", "ome-zarr-0.5": "ome_zarr",
}  # fmt: skip


def described(path: Path, info: VolumeInfo) -> dict[str, Any]:
    """The image as its header says."""
    image: dict[str, Any] = {
        "id": "i",
        "image_kind": "processed",
        "derived_from_images": ["raw"],
        "file_set": {"directory": str(path.parent), "file_pattern": path.name, "file_count": 1},
        "file_format": FORMATS[info.format],
        "data_type": info.dtype,
    }
    if info.datasets:
        image["file_set"]["dataset_path"] = info.datasets[0]
    image |= {f"size_{axis}": info.extent(axis) for axis in "zyx"}
    for axis, size in zip("zyx", info.voxel_size_zyx_nm or (), strict=False):
        image[f"voxel_size_{axis}"] = {"value": size, "unit": "nm"}
    return image


def rules_of(image: dict[str, Any], folder: Path) -> set[str]:
    data = {
        "id": "x",
        "images": [image, {"id": "raw", "acquired_by": "a"}],
        "acquisitions": [{"id": "a", "type": "SbfSemAcquisition", "imaging_method": "sbf_sem"}],
    }
    write_document(data, folder / "experiment.yaml", overwrite=True)
    assert read_document(folder / "experiment.yaml").data == data
    return {p.rule for p in validate_file(folder / "experiment.yaml", files=True).problems}


def seeded(image: dict[str, Any], info: VolumeInfo) -> list[tuple[str, dict[str, Any]]]:
    """The description with one fault each, and the rule that has to find it."""
    other = "uint16" if info.dtype != "uint16" else "uint8"
    faults = [
        ("L4-data-type", image | {"data_type": other}),
        ("L4-format", image | {"file_format": "nrrd"}),
        ("L4-count", image | {"file_set": image["file_set"] | {"file_count": 2}}),
        ("L4-absent", image | {"file_set": image["file_set"] | {"file_pattern": "absent.*"}}),
        *(("L4-size", image | {f"size_{a}": image[f"size_{a}"] + 1}) for a in "zyx"),
    ]
    for axis in "yx" if info.voxel_size_zyx_nm else "":
        size = image[f"voxel_size_{axis}"]["value"]
        for wrong in (size * 10, size / 10, size * 1.05):
            value = {"value": wrong, "unit": "nm"}
            faults.append(("L4-voxel-size", image | {f"voxel_size_{axis}": value}))
    return faults


def check(path: Path, folder: Path) -> int:
    info = probe(path)
    image = described(path, info)
    assert rules_of(image, folder) == set()
    faults = seeded(image, info)
    missed = [(rule, wrong) for rule, wrong in faults if rule not in rules_of(wrong, folder)]
    assert missed == []
    return len(faults)


@pytest.mark.shared
@pytest.mark.parametrize("name", REAL)
def test_real_files(shared_data, tmp_path, name):
    assert check(shared_data / name, tmp_path) >= 7


@pytest.mark.parametrize("kind", ["h5", "ome.zarr", "ome.tif", "mrc"])
def test_written_files(tmp_path, kind):
    from clemkit.geometry import Grid, Space
    from clemkit.volumes import Volume, write_ome_tiff, write_ome_zarr

    voxels = np.arange(7 * 11 * 13, dtype=np.uint16).reshape(7, 11, 13)
    path = tmp_path / f"volume.{kind}"
    if kind == "h5":
        h5py = pytest.importorskip("h5py")
        with h5py.File(path, "w") as store:
            store.create_dataset("raw", data=voxels).attrs["element_size_um"] = (0.05, 0.008, 0.01)
    elif kind == "mrc":
        mrcfile = pytest.importorskip("mrcfile")
        with mrcfile.new(path) as file:
            file.set_data(voxels)
            file.voxel_size = (100.0, 80.0, 500.0)
    else:
        grid = Grid(space=Space("em"), shape_zyx=(7, 11, 13), voxel_size_zyx_nm=(50.0, 8.0, 10.0))
        volume = Volume(data=voxels, grid=grid, modality="em")
        (write_ome_zarr if kind == "ome.zarr" else write_ome_tiff)(path, volume)
    assert check(path, tmp_path) >= 13
