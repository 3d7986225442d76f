"""Other programs read what clemkit writes, and clemkit what they write."""

from __future__ import annotations

import json
import warnings

import numpy as np
import pytest
import SimpleITK as sitk

from clemkit.geometry import Grid, Space
from clemkit.volumes import Volume, open_volume, probe, write_ome_tiff, write_ome_zarr

SHAPE = (7, 11, 13)
VOXEL = (50.0, 8.0, 10.0)
ORIGIN = (100.0, -20.0, 3.5)


@pytest.fixture
def volume(rng):
    grid = Grid(space=Space("em"), shape_zyx=SHAPE, voxel_size_zyx_nm=VOXEL, origin_zyx_nm=ORIGIN)
    data = rng.integers(0, 60000, SHAPE, dtype=np.uint16)
    return Volume(data=data, grid=grid, modality="em")


@pytest.fixture
def ngff_zarr():
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # its dependencies warn when imported
        return pytest.importorskip("ngff_zarr")


@pytest.fixture
def quiet():
    """Warnings of the other program are not ours to fix."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        yield


@pytest.fixture
def image(volume):
    made = sitk.GetImageFromArray(volume.data)
    made.SetSpacing(VOXEL[::-1])
    made.SetOrigin(ORIGIN[::-1])
    return made


def same_place(volume, other, rel=1e-6):
    assert volume.grid.voxel_size_zyx_nm == pytest.approx(other.grid.voxel_size_zyx_nm, rel=rel)
    assert volume.grid.origin_zyx_nm == pytest.approx(other.grid.origin_zyx_nm, rel=rel)


def test_ngff_zarr_reads_every_level_where_it_lies(tmp_path, volume, ngff_zarr, quiet):
    path = write_ome_zarr(tmp_path / "a.ome.zarr", volume, levels=4)
    images = ngff_zarr.from_ngff_zarr(path, validate=True).images
    assert len(images) == 4
    for level, image in enumerate(images):
        mine = open_volume(path, level=level)
        assert list(image.dims) == ["z", "y", "x"]
        assert tuple(image.scale[a] for a in "zyx") == pytest.approx(mine.grid.voxel_size_zyx_nm)
        assert tuple(image.translation[a] for a in "zyx") == pytest.approx(mine.grid.origin_zyx_nm)
        assert set(image.axes_units.values()) == {"nanometer"}
        np.testing.assert_array_equal(np.asarray(image.data), mine.read())


def test_ngff_zarr_reads_channels(tmp_path, rng, ngff_zarr, quiet):
    data = rng.integers(0, 255, (2, *SHAPE), dtype=np.uint8)
    grid = Grid(space=Space("lm"), shape_zyx=SHAPE, voxel_size_zyx_nm=VOXEL)
    volume = Volume(data=data, grid=grid, modality="lm", channels=("dna", "mito"))
    path = write_ome_zarr(tmp_path / "a.ome.zarr", volume)
    image = ngff_zarr.from_ngff_zarr(path, validate=True).images[0]
    assert list(image.dims) == ["c", "z", "y", "x"]
    np.testing.assert_array_equal(np.asarray(image.data), data)


@pytest.mark.parametrize("version", ["0.4", "0.5"])
def test_reads_what_ngff_zarr_writes(tmp_path, volume, ngff_zarr, quiet, version):
    image = ngff_zarr.to_ngff_image(
        np.asarray(volume.data),
        dims=["z", "y", "x"],
        scale=dict(zip("zyx", (0.05, 0.008, 0.010), strict=True)),
        translation=dict(zip("zyx", (0.1, -0.02, 0.0035), strict=True)),
        axes_units=dict.fromkeys("zyx", "micrometer"),
    )
    multiscales = ngff_zarr.to_multiscales(image, scale_factors=[2], chunks=8)
    path = tmp_path / "a.ome.zarr"
    ngff_zarr.to_ngff_zarr(path, multiscales, version=version)
    assert probe(path).format == f"ome-zarr-{version}"
    mine = open_volume(path)
    same_place(mine, volume)
    np.testing.assert_array_equal(mine.read(), volume.data)
    coarse = multiscales.images[1]
    second = open_volume(path, level=1)
    assert second.grid.voxel_size_zyx_nm == pytest.approx([coarse.scale[a] * 1e3 for a in "zyx"])
    assert second.grid.origin_zyx_nm == pytest.approx([coarse.translation[a] * 1e3 for a in "zyx"])


def test_metadata_are_valid_against_the_schema(tmp_path, volume, ngff_zarr):
    """The schema of OME-Zarr 0.5 that ngff-zarr carries, applied with jsonschema alone."""
    from pathlib import Path

    import jsonschema
    from referencing import Registry
    from referencing.jsonschema import DRAFT202012

    folder = next(Path(ngff_zarr.__file__).parent.rglob("0.5/schemas"), None)
    if folder is None:
        pytest.skip("this ngff-zarr carries no schemas")
    schemas = [json.loads(p.read_text()) for p in folder.glob("*.schema")]
    by_id = {s["$id"]: s for s in schemas if "$id" in s}
    registry = Registry().with_resources(
        (k, DRAFT202012.create_resource(s)) for k, s in by_id.items()
    )
    schema = next(s for k, s in by_id.items() if k.endswith("/image.schema"))
    path = write_ome_zarr(tmp_path / "a.ome.zarr", volume, levels=3)
    attributes = json.loads((path / "zarr.json").read_text())["attributes"]
    validator = jsonschema.validators.validator_for(schema)(schema, registry=registry)
    assert [e.message for e in validator.iter_errors(attributes)] == []
    del attributes["ome"]["multiscales"][0]["axes"]
    assert [e.message for e in validator.iter_errors(attributes)] != []


@pytest.mark.parametrize("suffix", [".mha", ".mhd", ".nrrd", ".nii", ".nii.gz"])
@pytest.mark.parametrize("packed", [False, True])
def test_reads_what_itk_writes(tmp_path, volume, image, suffix, packed):
    """ITK writes no unit but in NIfTI (mm), so the size is passed and the origin follows."""
    path = tmp_path / f"a{suffix}"
    sitk.WriteImage(image, str(path), useCompression=packed)
    if suffix.startswith(".nii"):
        assert probe(path).unit == "mm"
        assert probe(path).voxel_size_zyx_nm == pytest.approx([v * 1e6 for v in VOXEL])
        assert probe(path).origin_zyx_nm == pytest.approx([v * 1e6 for v in ORIGIN])
    else:
        mine = open_volume(path, voxel_size_zyx_nm=VOXEL)
        same_place(mine, volume)
    np.testing.assert_array_equal(open_volume(path, voxel_size_zyx_nm=VOXEL).read(), volume.data)


@pytest.mark.parametrize("suffix", [".mha", ".nrrd", ".nii"])
def test_rotated_and_mirrored_images_of_itk_are_told(tmp_path, image, suffix):
    for name, direction in {
        "rotated": (0, -1, 0, 1, 0, 0, 0, 0, 1),
        "mirrored": (-1, 0, 0, 0, 1, 0, 0, 0, 1),
    }.items():
        image.SetDirection(direction)
        path = tmp_path / f"{name}{suffix}"
        try:
            sitk.WriteImage(image, str(path))
        except RuntimeError:  # ITK itself refuses left-handed frames in some formats
            continue
        assert any(name in w for w in probe(path).warnings), path


def test_nifti_agrees_with_nibabel(tmp_path, volume):
    nibabel = pytest.importorskip("nibabel")
    affine = np.diag([-10e-3, -8e-3, 50e-3, 1.0])
    affine[:3, 3] = [-3.5e-3, 20e-3, 100e-3]
    for kind in (nibabel.Nifti1Image, nibabel.Nifti2Image):
        made = kind(np.asarray(volume.data).T, affine)
        made.header.set_xyzt_units(xyz="micron")
        path = tmp_path / f"{kind.__name__}.nii.gz"
        nibabel.save(made, path)
        mine = open_volume(path)
        same_place(mine, volume, rel=1e-5)
        np.testing.assert_array_equal(mine.read(), volume.data)


def test_itk_reads_our_ome_tiff(tmp_path, volume):
    path = write_ome_tiff(tmp_path / "a.ome.tif", volume)
    sitk.ProcessObject.SetGlobalWarningDisplay(False)
    np.testing.assert_array_equal(sitk.GetArrayFromImage(sitk.ReadImage(str(path))), volume.data)


def test_mrcfile_and_clemkit_agree(tmp_path, volume):
    import mrcfile

    path = tmp_path / "a.mrc"
    with mrcfile.new(path) as mrc:
        mrc.set_data(volume.data)
        mrc.voxel_size = tuple(10 * v for v in reversed(VOXEL))
        mrc.set_volume()
        mrc.voxel_size = tuple(10 * v for v in reversed(VOXEL))
    mine = open_volume(path)
    assert mine.grid.voxel_size_zyx_nm == pytest.approx(VOXEL, rel=1e-6)
    np.testing.assert_array_equal(mine.read(), volume.data)
