"""Make the golden files of this folder with SimpleITK; see PROVENANCE.md."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import SimpleITK as sitk

from clemkit.geometry import Grid, Space
from clemkit.transforms.io.elastix import write_elastix
from clemkit.transforms.io.itk_text import read_itk_text

HERE = Path(__file__).parent


def main() -> None:
    rng = np.random.default_rng(20261121)
    affine = sitk.AffineTransform(3)
    affine.SetMatrix([1.05, 0.02, -0.04, 0.01, 0.96, 0.08, -0.03, 0.05, 1.01])
    affine.SetTranslation([0.4, -0.3, 0.15])
    affine.SetCenter([2.5, -1.25, 0.75])
    spline = sitk.BSplineTransform(3, 3)
    spline.SetFixedParameters([6, 5, 4, -1.5, -4.0, -0.9, 1.6, 1.9, 1.7, 1, 0, 0, 0, 1, 0, 0, 0, 1])
    spline.SetParameters(np.round(rng.normal(0, 0.1, 3 * 6 * 5 * 4), 4).tolist())
    composite = sitk.CompositeTransform([spline, affine])
    for suffix in (".tfm", ".h5"):
        sitk.WriteTransform(composite, str(HERE / f"sitk_composite{suffix}"))
    points = np.round(rng.uniform([0.8, -1.5, 1.0], [4.0, 0.6, 2.2], (25, 3)), 3)
    mapped = [composite.TransformPoint(p) for p in points.tolist()]
    np.savetxt(HERE / "expected_points_xyz_um.txt", np.column_stack([points, mapped]), fmt="%.17g")
    ours = read_itk_text(
        HERE / "sitk_composite.tfm", source=Space("em"), target=Space("lm"), unit="um"
    )
    grid = Grid(
        space=Space("em"),
        shape_zyx=(7, 11, 13),
        voxel_size_zyx_nm=(250.0, 190.0, 280.0),
        origin_zyx_nm=(700.0, -1500.0, 400.0),
    )
    write_elastix(HERE, ours, fixed_grid=grid, unit="um", overwrite=True)


if __name__ == "__main__":
    main()
