"""Figures of real data against those found independently of clemkit."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from clemkit.geometry import Space
from clemkit.transforms.io import read_transform, write_registration_transforms
from clemkit.volumes import open_volume
from clemkit.workflows.evaluate import evaluate_landmarks, evaluate_overlap


@pytest.mark.shared
def test_manual_similarity_of_the_platynereis_pair(shared_data: Path, tmp_path: Path) -> None:
    """Dice 0.39 and landmark residuals of 2.7 to 6.8 µm are the published matrix's own."""
    folder = shared_data / "platy-sbem-xray"
    em, ct = Space("em"), Space("ct")
    forward = read_transform(
        folder / "elastix-similarity-transform-from-big-warp.txt", source=em, target=ct, unit="mm"
    )
    micron = (1000.0, 1000.0, 1000.0)
    volumes = [folder / f"{kind}-segmented-neuropil.ome.tif" for kind in ("sbem", "xray")]
    grids = [open_volume(path, voxel_size_zyx_nm=micron).grid for path in volumes]
    write_registration_transforms(
        tmp_path / "transforms",
        fixed_to_moving=forward,
        moving_to_fixed=forward.inverse(),
        fixed_grid=replace(grids[0], space=em),
        moving_grid=replace(grids[1], space=ct),
    )
    overlap = evaluate_overlap(
        tmp_path,
        *volumes,
        fixed_voxel_size_zyx_nm=micron,
        moving_voxel_size_zyx_nm=micron,
        above=127,
        surfaces=False,
    )
    assert overlap["dice"] == pytest.approx(0.39, abs=0.005)
    found = evaluate_landmarks(tmp_path, folder / "big-warp-landmarks.csv", units="um")
    lengths = np.array([row["error_nm"] for row in found["per_point"]])
    assert len(lengths) == 5
    assert lengths.min() == pytest.approx(2700, abs=50)
    assert lengths.max() == pytest.approx(6800, abs=50)
