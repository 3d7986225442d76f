"""SimpleITK reads what clemkit writes, and the other way round: points agree within 1e-6 nm."""

from __future__ import annotations

import re
import subprocess
import sys
from collections.abc import Callable
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import pytest

from clemkit.geometry import FloatArray, Grid, Space
from clemkit.transforms import Affine, Transform
from clemkit.transforms.base import Chain
from clemkit.transforms.bspline import BSpline
from clemkit.transforms.displacement_field import DisplacementField
from clemkit.transforms.io.elastix import read_elastix, write_elastix
from clemkit.transforms.io.itk_hdf5 import read_itk_hdf5, write_itk_hdf5
from clemkit.transforms.io.itk_text import read_itk_text, write_itk_text

sitk = pytest.importorskip("SimpleITK", reason="the oracle is SimpleITK")

EM, MID, LM = Space("em"), Space("mid"), Space("lm")
NANOMETRES = {"nm": 1.0, "um": 1e3}
WRITERS = {".tfm": write_itk_text, ".h5": write_itk_hdf5}
READERS: dict[str, Callable[..., Transform]] = {".tfm": read_itk_text, ".h5": read_itk_hdf5}


def affine(source: Space, target: Space) -> Affine:
    linear = [[1.02, 0.05, -0.02], [-0.03, 0.97, 0.11], [0.04, -0.08, 1.05]]
    return Affine.from_parts(linear, [35.5, -120.25, 61.0], source=source, target=target)


def bspline(rng: np.random.Generator, source: Space, target: Space) -> BSpline:
    lattice = Grid(
        space=source,
        shape_zyx=(5, 7, 6),
        voxel_size_zyx_nm=(180.0, 40.0, 55.0),
        origin_zyx_nm=(-210.0, 930.0, -41.0),
    )
    return BSpline(rng.normal(0, 9, (5, 7, 6, 3)), lattice, source, target)


def field(rng: np.random.Generator, source: Space, target: Space) -> DisplacementField:
    grid = Grid(
        space=source,
        shape_zyx=(5, 8, 7),
        voxel_size_zyx_nm=(90.0, 22.0, 31.0),
        origin_zyx_nm=(-10.0, 950.0, 5.0),
    )
    return DisplacementField(rng.normal(0, 9, (5, 8, 7, 3)), grid, source, target)


def inside(transform: BSpline | DisplacementField, rng: np.random.Generator) -> FloatArray:
    """Points well inside the domain of a deformation."""
    grid = transform.lattice if isinstance(transform, BSpline) else transform.grid
    margin = 1.1 if isinstance(transform, BSpline) else 0.1
    high = np.array(grid.shape_zyx) - 1 - margin
    return grid.to_physical(rng.uniform(margin, high, (50, 3)))


def by_sitk(path: Path, points_zyx_nm: FloatArray, scale: float) -> FloatArray:
    transform = sitk.ReadTransform(str(path))
    xyz = points_zyx_nm[:, ::-1] / scale
    return np.array([transform.TransformPoint(p) for p in xyz.tolist()])[:, ::-1] * scale


@pytest.mark.parametrize("unit", ["nm", "um"])
@pytest.mark.parametrize("suffix", [".tfm", ".h5"])
@pytest.mark.parametrize("make", [bspline, field])
def test_sitk_maps_the_points_of_a_written_chain_alike(
    tmp_path: Path, rng: np.random.Generator, suffix: str, unit: str, make: Callable[..., BSpline]
) -> None:
    deformation = make(rng, EM, MID)
    chain = Chain((deformation, affine(MID, LM)))
    path = tmp_path / f"chain{suffix}"
    WRITERS[suffix](path, chain, unit=unit)
    points = inside(deformation, rng)
    error = np.abs(by_sitk(path, points, NANOMETRES[unit]) - chain.apply_points(points)).max()
    assert error < 1e-6


@pytest.mark.parametrize("suffix", [".tfm", ".h5"])
def test_sitk_reads_a_single_affine(tmp_path: Path, rng: np.random.Generator, suffix: str) -> None:
    path = tmp_path / f"affine{suffix}"
    WRITERS[suffix](path, affine(EM, LM))
    points = rng.uniform(-500, 900, (20, 3))
    np.testing.assert_allclose(
        by_sitk(path, points, 1.0), affine(EM, LM).apply_points(points), atol=1e-9, rtol=0
    )


def sitk_transforms() -> dict[str, object]:
    centred = sitk.AffineTransform(3)
    centred.SetMatrix([1, 0.1, 0, 0, 1.2, 0, 0.2, 0, 0.9])
    centred.SetTranslation([1, 2, 3])
    centred.SetCenter([50, 60, -70])
    euler = sitk.Euler3DTransform([10, -20, 30], 0.3, -0.5, 1.1, [4, 5, 6])
    zyx = sitk.Euler3DTransform([10, -20, 30], 0.3, -0.5, 1.1, [4, 5, 6])
    zyx.SetComputeZYX(True)
    return {
        "affine": centred,
        "euler": euler,
        "euler-zyx": zyx,
        "versor": sitk.VersorRigid3DTransform([0.1, 0.2, -0.3, 0.9], [1, 2, 3], [9, 8, 7]),
        "similarity": sitk.Similarity3DTransform(1.3, [0.1, 0.2, -0.3, 0.9], [1, 2, 3], [9, 8, 7]),
        "translation": sitk.TranslationTransform(3, [7.0, -8.0, 9.0]),
        "identity": sitk.Transform(3, sitk.sitkIdentity),
        "composite": sitk.CompositeTransform([centred, euler]),
    }


@pytest.mark.parametrize("suffix", [".tfm", ".h5"])
@pytest.mark.parametrize("name", sorted(sitk_transforms()))
def test_reads_every_linear_transform_of_sitk(
    tmp_path: Path, rng: np.random.Generator, suffix: str, name: str
) -> None:
    theirs = sitk_transforms()[name]
    path = tmp_path / f"t{suffix}"
    sitk.WriteTransform(theirs, str(path))
    ours = READERS[suffix](path, source=EM, target=LM, unit="nm")
    points = rng.uniform(-100, 100, (20, 3))
    expected = by_sitk(path, points, 1.0)
    np.testing.assert_allclose(ours.apply_points(points), expected, atol=1e-9, rtol=0)


@pytest.mark.parametrize("suffix", [".tfm", ".h5"])
@pytest.mark.parametrize("kind", ["bspline", "field"])
def test_reads_deformations_on_an_oblique_grid(
    tmp_path: Path, rng: np.random.Generator, suffix: str, kind: str
) -> None:
    turn = np.array(sitk.Euler3DTransform([0, 0, 0], 0.4, -0.2, 0.7).GetMatrix()).reshape(3, 3)
    size, origin, spacing = (6, 7, 5), np.array([3.0, -4.0, 5.0]), np.array([10.0, 14.0, 22.0])
    if kind == "bspline":
        theirs = sitk.BSplineTransform(3, 3)
        theirs.SetFixedParameters([*size, *origin, *spacing, *turn.ravel()])
        theirs.SetParameters(rng.normal(0, 2, 3 * 6 * 7 * 5).tolist())
    else:
        image = sitk.GetImageFromArray(rng.normal(0, 2, (5, 7, 6, 3)), isVector=True)
        image.SetOrigin(origin.tolist())
        image.SetSpacing(spacing.tolist())
        image.SetDirection(turn.ravel().tolist())
        theirs = sitk.DisplacementFieldTransform(image)
    path = tmp_path / f"t{suffix}"
    sitk.WriteTransform(theirs, str(path))
    index = rng.uniform(1.1, np.array(size) - 2.1, (30, 3))
    points = (origin + (index * spacing) @ turn.T)[:, ::-1]
    ours = READERS[suffix](path, source=EM, target=LM, unit="nm")
    np.testing.assert_allclose(
        ours.apply_points(points), by_sitk(path, points, 1.0), atol=1e-9, rtol=0
    )


def test_the_elastix_chain_maps_points_like_the_itk_file(
    tmp_path: Path, rng: np.random.Generator
) -> None:
    deformation = bspline(rng, MID, LM)
    first = affine(EM, MID)
    chain = Chain((first, deformation))
    grid = Grid(
        space=EM, shape_zyx=(7, 11, 13), voxel_size_zyx_nm=(50, 8, 10), origin_zyx_nm=(5, -3, 20)
    )
    last = write_elastix(tmp_path, chain, fixed_grid=grid, unit="um")[-1]
    write_itk_hdf5(tmp_path / "t.h5", chain, unit="um")
    points = first.inverse().apply_points(inside(deformation, rng))
    expected = by_sitk(tmp_path / "t.h5", points, 1e3)
    found = read_elastix(last).apply_points(points)
    np.testing.assert_allclose(found, expected, atol=1e-6, rtol=0)


TRANSFORMIX = """
import sys, itk
folder = sys.argv[1]
parameters = itk.ParameterObject.New()
parameters.ReadParameterFiles([f"{folder}/TransformParameters.{i}.txt" for i in range(2)])
image = itk.image_from_array(__import__("numpy").ones((5, 6, 7), "float32"))
transformix = itk.TransformixFilter.New(image)
transformix.SetTransformParameterObject(parameters)
transformix.SetFixedPointSetFileName(f"{folder}/points.txt")
transformix.SetOutputDirectory(folder)
transformix.Update()
result = transformix.GetOutput()
print(list(itk.size(result)), list(result.GetSpacing()), list(result.GetOrigin()))
"""


@pytest.mark.engine
def test_transformix_takes_the_written_files(tmp_path: Path, rng: np.random.Generator) -> None:
    if find_spec("itk") is None:
        pytest.skip("itk-elastix is not installed")
    deformation = bspline(rng, EM, MID)
    chain = Chain((deformation, affine(MID, LM)))
    grid = Grid(
        space=EM, shape_zyx=(7, 11, 13), voxel_size_zyx_nm=(50, 8, 10), origin_zyx_nm=(5, 990, 20)
    )
    write_elastix(tmp_path, chain, fixed_grid=grid)
    points = inside(deformation, rng)
    rows = [" ".join(map(repr, point)) for point in points[:, ::-1].tolist()]
    (tmp_path / "points.txt").write_text("\n".join(["point", str(len(rows)), *rows]))
    command = [sys.executable, "-c", TRANSFORMIX, str(tmp_path)]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    assert "[13, 11, 7] [10.0, 8.0, 50.0] [20.0, 990.0, 5.0]" in done.stdout
    text = (tmp_path / "outputpoints.txt").read_text()
    found = [row.split() for row in re.findall(r"OutputPoint = \[ ([^\]]*) \]", text)]
    xyz = np.array(found, dtype=np.float64)
    # transformix prints six decimals
    np.testing.assert_allclose(xyz[:, ::-1], chain.apply_points(points), atol=1e-6, rtol=0)
