"""ITK text and HDF5 files: bitwise round trips, agreement of caller and file, broken files."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import h5py
import numpy as np
import pytest

from clemkit.errors import (
    ArgumentError,
    FormatError,
    NotFoundError,
    SpaceMismatchError,
    UnitError,
)
from clemkit.geometry import FloatArray, Grid, Space
from clemkit.transforms import Affine, Identity, Transform
from clemkit.transforms.base import Chain
from clemkit.transforms.bspline import BSpline
from clemkit.transforms.displacement_field import DisplacementField
from clemkit.transforms.io.itk_hdf5 import read_itk_hdf5, write_itk_hdf5
from clemkit.transforms.io.itk_text import read_itk_text, write_itk_text
from clemkit.transforms.thin_plate_spline import fit_thin_plate_spline

EM, LM = Space("em"), Space("lm")
WRITE: dict[str, Callable[..., None]] = {".tfm": write_itk_text, ".h5": write_itk_hdf5}
READ: dict[str, Callable[..., Transform]] = {".tfm": read_itk_text, ".h5": read_itk_hdf5}
formats = pytest.mark.parametrize("suffix", [".tfm", ".h5"])


@formats
def test_a_chain_in_nanometres_reads_back_bit_by_bit(
    tmp_path: Path, suffix: str, chain: Chain
) -> None:
    path = tmp_path / f"t{suffix}"
    WRITE[suffix](path, chain)
    found = READ[suffix](path)
    assert isinstance(found, Chain)
    spline, affine = found.parts
    first, then = chain.parts
    assert isinstance(spline, BSpline)
    assert isinstance(first, BSpline)
    assert np.array_equal(spline.coefficients_zyx_nm, first.coefficients_zyx_nm)
    assert spline.lattice == first.lattice
    assert affine == then
    assert (spline.source, spline.target) == (first.source, first.target)


@formats
def test_a_field_reads_back_bit_by_bit(
    tmp_path: Path, suffix: str, field: DisplacementField
) -> None:
    path = tmp_path / f"t{suffix}"
    WRITE[suffix](path, field)
    found = READ[suffix](path, source=field.source, target=field.target, unit="nm")
    assert isinstance(found, DisplacementField)
    assert np.array_equal(found.displacement_zyx_nm, field.displacement_zyx_nm)
    assert found.grid == field.grid


@formats
@pytest.mark.parametrize("unit", ["um", "mm"])
def test_other_units_keep_points_to_a_billionth_of_a_nanometre(
    tmp_path: Path, suffix: str, unit: str, chain: Chain, fixed_grid: Grid
) -> None:
    path = tmp_path / f"t{suffix}"
    WRITE[suffix](path, chain, unit=unit)
    points = fixed_grid.points()
    found = READ[suffix](path).apply_points(points)
    np.testing.assert_allclose(found, chain.apply_points(points), atol=1e-9, rtol=0)


@formats
def test_an_identity_becomes_a_unit_matrix(tmp_path: Path, suffix: str, fixed_grid: Grid) -> None:
    path = tmp_path / f"t{suffix}"
    WRITE[suffix](path, Identity(EM, LM))
    assert READ[suffix](path) == Affine.identity(EM, LM)


@formats
def test_spaces_and_unit_must_agree_with_the_file(
    tmp_path: Path, suffix: str, affine: Affine
) -> None:
    path = tmp_path / f"t{suffix}"
    WRITE[suffix](path, affine)
    assert READ[suffix](path, source=EM, target=LM, unit="nanometer") == affine
    with pytest.raises(SpaceMismatchError, match="direction"):
        READ[suffix](path, source=LM, target=EM)
    with pytest.raises(UnitError, match="expected unit 'um'"):
        READ[suffix](path, unit="um")


@formats
def test_a_foreign_file_needs_unit_and_spaces(tmp_path: Path, suffix: str, affine: Affine) -> None:
    path = tmp_path / f"t{suffix}"
    WRITE[suffix](path, affine)
    _drop_note(path)
    with pytest.raises(UnitError, match="pass unit"):
        READ[suffix](path, source=EM, target=LM)
    with pytest.raises(ArgumentError, match="pass source"):
        READ[suffix](path, unit="nm")
    assert READ[suffix](path, source=EM, target=LM, unit="nm") == affine


@formats
def test_existing_files_stay_unless_told_otherwise(
    tmp_path: Path, suffix: str, affine: Affine
) -> None:
    path = tmp_path / f"t{suffix}"
    path.write_text("precious")
    with pytest.raises(ArgumentError, match="overwrite=True"):
        WRITE[suffix](path, affine)
    assert path.read_text() == "precious"
    WRITE[suffix](path, affine, overwrite=True)
    assert READ[suffix](path) == affine
    assert [item.name for item in tmp_path.iterdir()] == [path.name]


@formats
def test_what_itk_lacks_is_refused_and_nothing_is_left(
    tmp_path: Path, suffix: str, rng: np.random.Generator
) -> None:
    points = rng.normal(0, 100, (6, 3))
    spline = fit_thin_plate_spline(points, points * 1.1 + rng.normal(0, 5, (6, 3)),
                                   source=EM, target=LM)  # fmt: skip
    with pytest.raises(ArgumentError, match="found ThinPlateSpline"):
        WRITE[suffix](tmp_path / f"t{suffix}", spline)
    assert not list(tmp_path.iterdir())


@formats
def test_the_same_chain_gives_the_same_bytes(tmp_path: Path, suffix: str, chain: Chain) -> None:
    for name in ("a", "b"):
        WRITE[suffix](tmp_path / f"{name}{suffix}", chain)
    first, second = (path.read_bytes() for path in sorted(tmp_path.iterdir()))
    assert first == second


@formats
def test_a_missing_file_is_named(tmp_path: Path, suffix: str) -> None:
    with pytest.raises(NotFoundError, match="none"):
        READ[suffix](tmp_path / f"none{suffix}")


def _edit_text(path: Path, old: str, new: str) -> None:
    text = path.read_text()
    assert old in text
    path.write_text(text.replace(old, new))


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("#Insight Transform File V1.0", "something", "first line"),
        ("AffineTransform_double_3_3", "AffineTransform_double_2_2", "2D to 2D"),
        ("AffineTransform_double_3_3", "ThinPlateSpline_double_3_3", "ThinPlateSpline"),
        ("AffineTransform_double_3_3", "Affine", "expected a transform type"),
        ("61.3 -120.7 35.1", "61.3 -120.7", "expected 12 parameters; found 11"),
        ("61.3 -120.7 35.1", "61.3 -120.7 a", "expected numbers"),
        ("61.3 -120.7 35.1", "61.3 -120.7 nan", "finite"),
        ("FixedParameters: 0.0 0.0 0.0\n", "", "FixedParameters; the file ends early"),
        ("FixedParameters: 0.0 0.0 0.0", "FixedParameters: 0.0 0.0", "fixed parameters; found 2"),
        ("Transform: Affine", "Parameters: 1\nTransform: Affine", "found it first"),
        ("#Transform 0", "nonsense", "'Name: values'"),
        ("clemkit-frames {", "clemkit-frames [", "note"),
        ('["em", "lm"]', '["em", "x", "lm"]', "2 spaces"),
    ],
)
def test_broken_text_is_one_clear_error(
    tmp_path: Path, affine: Affine, old: str, new: str, message: str
) -> None:
    path = tmp_path / "t.tfm"
    write_itk_text(path, affine)
    _edit_text(path, old, new)
    with pytest.raises(FormatError, match=message) as caught:
        read_itk_text(path)
    assert caught.value.path == path


def test_text_files_with_several_bare_transforms_are_refused(tmp_path: Path, chain: Chain) -> None:
    path = tmp_path / "t.tfm"
    write_itk_text(path, chain)
    _edit_text(path, "#Transform 0\nTransform: CompositeTransform_double_3_3\n", "")
    with pytest.raises(FormatError, match="CompositeTransform"):
        read_itk_text(path)


def test_a_binary_file_is_not_text(tmp_path: Path) -> None:
    path = tmp_path / "t.tfm"
    path.write_bytes(b"\xff\xfe\x00\x01")
    with pytest.raises(FormatError, match="binary"):
        read_itk_text(path)


def _set(path: Path, name: str, value: object) -> None:
    with h5py.File(path, "r+") as file:
        del file[name]
        if value is not None:
            file[name] = value


@pytest.mark.parametrize(
    ("name", "value", "message"),
    [
        ("TransformGroup", None, "TransformGroup"),
        ("TransformGroup/0/TransformType", None, "TransformType"),
        ("TransformGroup/0/TransformType", "AffineTransform_double_2_3", "2D to 3D"),
        ("TransformGroup/0/TransformType", "KernelTransform_double_3_3", "KernelTransform"),
        ("TransformGroup/0/TransformParameters", None, "TransformParameters"),
        ("TransformGroup/0/TransformParameters", np.zeros(11), "found 11"),
        ("TransformGroup/0/TransformFixedParameters", np.zeros(5), "found 5"),
    ],
)
def test_broken_hdf5_is_one_clear_error(
    tmp_path: Path, affine: Affine, name: str, value: object, message: str
) -> None:
    path = tmp_path / "t.h5"
    write_itk_hdf5(path, affine)
    _set(path, name, value)
    with pytest.raises(FormatError, match=message):
        read_itk_hdf5(path)


@pytest.mark.parametrize("keep", [0, 100, 2000])
def test_truncated_hdf5_is_one_clear_error(tmp_path: Path, affine: Affine, keep: int) -> None:
    path = tmp_path / "t.h5"
    write_itk_hdf5(path, affine)
    path.write_bytes(path.read_bytes()[:keep])
    with pytest.raises(FormatError, match="cannot be read"):
        read_itk_hdf5(path)


def test_the_misspelt_names_of_older_itk_are_read(tmp_path: Path, affine: Affine) -> None:
    path = tmp_path / "t.h5"
    write_itk_hdf5(path, affine)
    with h5py.File(path, "r+") as file:
        group = file["TransformGroup/0"]
        group.move("TransformParameters", "TranformParameters")
        group.move("TransformFixedParameters", "TranformFixedParameters")
    assert read_itk_hdf5(path) == affine


@pytest.mark.parametrize(
    ("index", "value", "message"),
    [(0, 4.5, "whole numbers"), (0, 3.0, "parameters for a grid"), (6, -1.0, "BSpline"),
     (9, 0.0, "invertible direction")],
)  # fmt: skip
def test_broken_lattices_are_one_clear_error(
    tmp_path: Path, spline: BSpline, index: int, value: float, message: str
) -> None:
    path = tmp_path / "t.h5"
    write_itk_hdf5(path, spline)
    with h5py.File(path, "r+") as file:
        file["TransformGroup/0/TransformFixedParameters"][index] = value
    with pytest.raises(FormatError, match=message):
        read_itk_hdf5(path)


def test_reading_hdf5_needs_no_itk(tmp_path: Path, affine: Affine) -> None:
    path = tmp_path / "t.h5"
    write_itk_hdf5(path, affine)
    code = (
        "import sys\n"
        "from clemkit.transforms.io import read_transform\n"
        f"read_transform({str(path)!r})\n"
        "print('SimpleITK' in sys.modules, 'itk' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.split() == ["False", "False"]


def _drop_note(path: Path) -> None:
    if path.suffix == ".h5":
        with h5py.File(path, "r+") as file:
            del file.attrs["clemkit-frames"]
        return
    lines = [line for line in path.read_text().splitlines() if "clemkit-frames" not in line]
    path.write_text("\n".join(lines) + "\n")


GOLDEN = Path(__file__).parents[2] / "golden" / "transforms_io"


@formats
def test_files_of_simpleitk_map_the_pinned_points(suffix: str) -> None:
    numbers: FloatArray = np.loadtxt(GOLDEN / "expected_points_xyz_um.txt")
    points, expected = numbers[:, 2::-1] * 1e3, numbers[:, 5:2:-1] * 1e3
    found = READ[suffix](GOLDEN / f"sitk_composite{suffix}", source=EM, target=LM, unit="um")
    np.testing.assert_allclose(found.apply_points(points), expected, atol=1e-6, rtol=0)
    assert np.abs(expected - points).max() > 100  # the map does something
