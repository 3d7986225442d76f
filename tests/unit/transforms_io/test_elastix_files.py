"""elastix parameter files: round trips, real files, chains whose initial file has moved."""

from __future__ import annotations

import csv
from pathlib import Path

import numpy as np
import pytest

from clemkit.errors import ArgumentError, FormatError, NotFoundError, UnitError
from clemkit.geometry import Grid, Space
from clemkit.transforms import Affine
from clemkit.transforms.base import Chain
from clemkit.transforms.bspline import BSpline
from clemkit.transforms.displacement_field import DisplacementField
from clemkit.transforms.io.elastix import read_elastix, write_elastix
from clemkit.transforms.io.elastix_text import parse_parameters
from clemkit.transforms.io.itk_text import read_itk_text

EM, LM = Space("em"), Space("lm")
GOLDEN = Path(__file__).parents[2] / "golden" / "transforms_io"


def test_a_chain_in_nanometres_reads_back_bit_by_bit(
    tmp_path: Path, chain: Chain, fixed_grid: Grid
) -> None:
    paths = write_elastix(tmp_path, chain, fixed_grid=fixed_grid)
    assert [p.name for p in paths] == ["TransformParameters.0.txt", "TransformParameters.1.txt"]
    found = read_elastix(paths[-1])
    assert isinstance(found, Chain)
    spline, affine = found.parts
    first, then = chain.parts
    assert isinstance(spline, BSpline)
    assert isinstance(first, BSpline)
    assert np.array_equal(spline.coefficients_zyx_nm, first.coefficients_zyx_nm)
    assert spline.lattice == first.lattice
    assert affine == then
    assert spline.target == first.target


def test_the_files_say_all_that_transformix_asks_for(
    tmp_path: Path, chain: Chain, fixed_grid: Grid
) -> None:
    path = write_elastix(tmp_path, chain, fixed_grid=fixed_grid, unit="um")[0]
    values = parse_parameters(path.read_text(), path)
    assert values["Size"] == ("13", "11", "7")
    assert [float(v) for v in values["Spacing"]] == [0.01, 0.008, 0.05]
    assert [float(v) for v in values["Origin"]] == [0.06125, 0.1205, -0.035]
    assert values["Transform"] == ("BSplineTransform",)
    assert int(values["NumberOfParameters"][0]) == len(values["TransformParameters"])
    wanted = {
        "FixedImageDimension", "MovingImageDimension", "FixedInternalImagePixelType",
        "MovingInternalImagePixelType", "Index", "Direction", "UseDirectionCosines",
        "HowToCombineTransforms", "InitialTransformParameterFileName", "ResampleInterpolator",
        "Resampler", "DefaultPixelValue", "ResultImageFormat", "ResultImagePixelType",
        "CompressResultImage", "GridSize", "GridIndex", "GridSpacing", "GridOrigin",
        "GridDirection", "BSplineTransformSplineOrder", "UseCyclicTransform",
    }  # fmt: skip
    assert wanted <= set(values)


def test_writing_the_golden_chain_gives_the_golden_files(tmp_path: Path) -> None:
    chain = read_itk_text(GOLDEN / "sitk_composite.tfm", source=EM, target=LM, unit="um")
    grid = Grid(
        space=EM,
        shape_zyx=(7, 11, 13),
        voxel_size_zyx_nm=(250.0, 190.0, 280.0),
        origin_zyx_nm=(700.0, -1500.0, 400.0),
    )
    for path in write_elastix(tmp_path, chain, fixed_grid=grid, unit="um"):
        found = path.read_text().splitlines()
        expected = (GOLDEN / path.name).read_text().splitlines()
        assert [line.split(" ")[0] for line in found] == [line.split(" ")[0] for line in expected]
    points = np.loadtxt(GOLDEN / "expected_points_xyz_um.txt")
    mapped = read_elastix(GOLDEN / "TransformParameters.1.txt").apply_points(points[:, 2::-1] * 1e3)
    np.testing.assert_allclose(mapped, points[:, 5:2:-1] * 1e3, atol=1e-6, rtol=0)


def test_the_platynereis_chain_maps_sbem_landmarks_to_xray(shared_data: Path) -> None:
    folder = shared_data / "platy-sbem-xray"
    xray, sbem = _landmarks_um(folder / "big-warp-landmarks.csv")
    sources = {"source": Space("sbem"), "target": Space("xray"), "unit": "mm"}
    # its initial file has an absolute path of another machine
    both = read_elastix(folder / "elastix-affine.txt", **sources)
    rough = read_elastix(folder / "elastix-similarity-transform-from-big-warp.txt", **sources)
    assert isinstance(both, Chain)
    for transform, bound_um in ((rough, 8.0), (both, 12.0)):
        found = transform.apply_points(sbem[:, ::-1] * 1e3)[:, ::-1] / 1e3
        residual = np.linalg.norm(found - xray, axis=1)
        assert residual.max() < bound_um
        wrong_way = transform.apply_points(xray[:, ::-1] * 1e3)[:, ::-1] / 1e3
        assert np.linalg.norm(wrong_way - sbem, axis=1).min() > 30.0


def _landmarks_um(path: Path) -> tuple[np.ndarray, np.ndarray]:
    with path.open() as stream:
        rows = np.array([[float(v) for v in row[2:]] for row in csv.reader(stream)])
    return rows[:, :3], rows[:, 3:]


ROUGH = """(Transform "EulerTransform")
(NumberOfParameters 6)
(TransformParameters 0.1 -0.2 0.3 1 2 3)
(InitialTransformParametersFileName "NoInitialTransform")
(HowToCombineTransforms "Compose")
(FixedImageDimension 3)
(MovingImageDimension 3)
(CenterOfRotationPoint 5 6 7)
(ComputeZYX "false")
"""
FINE = """(Transform "TranslationTransform")
(TransformParameters 10 20 30) // a remark
(InitialTransformParameterFileName "{initial}")
"""


@pytest.mark.parametrize(
    "initial", ["rough.txt", "./rough.txt", "/home/me/run 1/rough.txt", "C:\\\\runs\\\\rough.txt"]
)
def test_an_initial_file_that_moved_is_found_beside(tmp_path: Path, initial: str) -> None:
    (tmp_path / "rough.txt").write_text(ROUGH)
    fine = tmp_path / "fine.txt"
    fine.write_text(FINE.format(initial=initial))
    chain = read_elastix(fine, source=EM, target=LM, unit="um")
    assert isinstance(chain, Chain)
    first, then = chain.parts
    assert isinstance(first, Affine)
    # the centre moves by the translation only: z, y, x in nm
    np.testing.assert_allclose(first.apply_points([[7e3, 6e3, 5e3]]), [[10e3, 8e3, 6e3]])
    np.testing.assert_allclose(then.apply_points([[0, 0, 0]]), [[30e3, 20e3, 10e3]])


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ('"TranslationTransform"', '"SplineKernelTransform"', "SplineKernelTransform"),
        ("10 20 30", "10 20", "expected 3 parameters; found 2"),
        ("10 20 30", "10 20 x", "TransformParameters: expected numbers"),
        ("(TransformParameters 10 20 30) // a remark", "", "TransformParameters"),
        ("(Transform ", "Transform ", "line 1"),
        ("(Transform ", "(FixedImageDimension 2)\n(Transform ", "expected 3; found 2"),
        ("(Transform ", "(NumberOfParameters 4)\n(Transform ", "expected 4"),
        ("(Transform ", '(HowToCombineTransforms "Add")\n(Transform ', "Compose; found 'Add'"),
        ('"rough.txt"', '"lost.txt"', "copy 'lost.txt' into"),
        ('"rough.txt"', '"fine.txt"', "repeats"),
    ],
)
def test_broken_files_are_one_clear_error(tmp_path: Path, old: str, new: str, message: str) -> None:
    (tmp_path / "rough.txt").write_text(ROUGH)
    fine = tmp_path / "fine.txt"
    text = FINE.format(initial="rough.txt")
    assert old in text
    fine.write_text(text.replace(old, new))
    with pytest.raises(FormatError, match=message):
        read_elastix(fine, source=EM, target=LM, unit="um")


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("BSplineTransformSplineOrder 3", "BSplineTransformSplineOrder 2", "order 2"),
        ('UseCyclicTransform "false"', 'UseCyclicTransform "true"', "cycle"),
        ("GridSize 6 5 4", "GridSize 6 5", "GridSize: expected 3 numbers; found 2"),
        ("GridSize 6 5 4", "GridSize 6 5 5", "parameters for a grid"),
    ],
)
def test_broken_lattices_are_one_clear_error(
    tmp_path: Path, old: str, new: str, message: str
) -> None:
    for name in ("TransformParameters.0.txt", "TransformParameters.1.txt"):
        (tmp_path / name).write_text((GOLDEN / name).read_text())
    path = tmp_path / "TransformParameters.1.txt"
    text = path.read_text()
    assert old in text
    path.write_text(text.replace(old, new))
    with pytest.raises(FormatError, match=message):
        read_elastix(path)


def test_a_grid_index_moves_the_lattice(tmp_path: Path) -> None:
    text = (GOLDEN / "TransformParameters.1.txt").read_text()
    text = text.replace('"TransformParameters.0.txt"', '"NoInitialTransform"')
    plain, moved = tmp_path / "plain.txt", tmp_path / "moved.txt"
    plain.write_text(text)
    moved.write_text(text.replace("GridIndex 0 0 0", "GridIndex 2 0 1"))
    a, b = read_elastix(plain), read_elastix(moved)
    assert isinstance(a, BSpline)
    assert isinstance(b, BSpline)
    shift = np.array(b.lattice.origin_zyx_nm) - np.array(a.lattice.origin_zyx_nm)
    np.testing.assert_allclose(shift, [1 * 1700.0, 0.0, 2 * 1600.0])


def test_a_missing_file_and_a_missing_unit_are_named(tmp_path: Path) -> None:
    with pytest.raises(NotFoundError, match=r"none\.txt"):
        read_elastix(tmp_path / "none.txt", source=EM, target=LM, unit="nm")
    path = tmp_path / "rough.txt"
    path.write_text(ROUGH)
    with pytest.raises(UnitError, match="pass unit"):
        read_elastix(path, source=EM, target=LM)


def test_fields_and_existing_files_are_refused(
    tmp_path: Path, field: DisplacementField, affine: Affine, fixed_grid: Grid
) -> None:
    with pytest.raises(ArgumentError, match=r"ITK \.h5"):
        write_elastix(tmp_path, field, fixed_grid=fixed_grid)
    assert not list(tmp_path.iterdir())
    write_elastix(tmp_path, affine, fixed_grid=fixed_grid)
    with pytest.raises(ArgumentError, match="overwrite=True"):
        write_elastix(tmp_path, affine, fixed_grid=fixed_grid)
    write_elastix(tmp_path, affine, fixed_grid=fixed_grid, overwrite=True)
