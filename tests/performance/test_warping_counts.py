"""What a warp costs in counts, against committed figures: no clocks, no tolerance upwards.

After a change that is meant to alter them: CLEMKIT_UPDATE_COUNTS=1 pytest tests/performance, and
look at the difference.
"""

from __future__ import annotations

import json
import os
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from clemkit.geometry import Grid, Space
from clemkit.transforms import Affine, BSpline, DisplacementField, compose
from clemkit.warping import plan_warp
from clemkit.warping.execute import execute_plan

EM, LM = Space("em"), Space("lm")
BASELINE = Path(__file__).with_name("warping_counts.json")
EDGE = 256
GRID = Grid(space=LM, shape_zyx=(EDGE, EDGE, EDGE), voxel_size_zyx_nm=(10, 10, 10))
OUT = replace(GRID, space=EM)
TURN = np.deg2rad(4)
AFFINE = Affine.from_parts(
    [[0.98, 0, 0], [0, np.cos(TURN), -np.sin(TURN)], [0, np.sin(TURN), np.cos(TURN)]],
    [20, 90, -80],
    source=EM,
    target=LM,
)


def waves(points: np.ndarray) -> np.ndarray:
    phase = points / (EDGE * 10.0) * 2 * np.pi
    return 40.0 * np.stack([np.sin(phase @ k) for k in ([1, 2, 0], [0, 1, 2], [2, 0, 1])], axis=1)


def field() -> DisplacementField:
    step = (EDGE - 1) * 10.0 / 16
    knots = Grid(space=EM, shape_zyx=(17, 17, 17), voxel_size_zyx_nm=(step, step, step))
    return DisplacementField(waves(knots.points()).reshape(17, 17, 17, 3), knots, EM, EM)


def spline() -> BSpline:
    top = (EDGE - 1) * 10.0
    flat = BSpline.covering([0, 0, 0], [top] * 3, [500, 500, 500], source=EM, target=EM)
    values = waves(flat.lattice.points()).reshape(flat.coefficients_zyx_nm.shape)
    return replace(flat, coefficients_zyx_nm=values)


class Counted:
    """Passes points on and counts them."""

    def __init__(self, inner) -> None:
        self.inner, self.source, self.target, self.count = inner, inner.source, inner.target, 0

    def apply_points(self, points, /):
        self.count += len(points)
        return self.inner.apply_points(points)


def counts(pull_back, *, counted=True, **options) -> dict[str, float]:
    watched = Counted(pull_back) if counted else pull_back
    plan = plan_warp(watched, GRID, OUT, **options)
    reads = {"calls": 0, "voxels": 0}

    def read(box, channel):
        reads["calls"] += 1
        reads["voxels"] += int(np.prod(box.shape))
        return np.broadcast_to(np.uint8(7), box.shape)

    written = {"calls": 0, "voxels": 0}

    def write(box, channel, values):
        written["calls"] += 1
        written["voxels"] += values.size

    execute_plan(plan, read, write, dtype=np.dtype(np.uint8))
    found = {
        "blocks": plan.block_count,
        "blocks_empty": plan.empty_count,
        "reads": reads["calls"],
        "voxels_read_per_output_voxel": round(reads["voxels"] / GRID.size, 4),
        "writes": written["calls"],
        "voxels_written": written["voxels"],
        "peak_bytes_planned": plan.peak_bytes(1),
        "smallest_cell_voxels": round(plan.smallest_cell_voxels, 3),
    }
    if counted:
        found["positions_evaluated_per_voxel"] = round(watched.count / GRID.size, 5)
    return found


def thin_plate_like():
    """Smooth, and says nothing about its knots."""

    class Waves:
        source, target = EM, LM

        def apply_points(self, points, /):
            return AFFINE.apply_points(points + waves(points))

    return Waves()


SCENARIOS = {
    "affine, blocks of one chunk": lambda: counts(AFFINE, block_voxels=1),
    "affine, default blocks": lambda: counts(AFFINE),
    "displacement field then affine": lambda: counts(
        compose(field(), AFFINE), counted=False, block_voxels=1
    ),
    "b-spline then affine": lambda: counts(compose(spline(), AFFINE), block_voxels=1),
    "smooth map without knots": lambda: counts(thin_plate_like(), block_voxels=1),
    "input bounded to 1 Mvoxel": lambda: counts(AFFINE, input_voxels=1 << 20),
    "half the output sees nothing": lambda: counts(
        Affine.from_parts(np.eye(3), [0, 0, EDGE * 5.0], source=EM, target=LM),
        write_unit_zyx=(64, 64, 64),
        block_voxels=1,
    ),
}


@pytest.mark.parametrize("name", list(SCENARIOS))
def test_counts_are_the_committed_ones(name):
    found = SCENARIOS[name]()
    if os.environ.get("CLEMKIT_UPDATE_COUNTS"):
        known = json.loads(BASELINE.read_text()) if BASELINE.exists() else {}
        BASELINE.write_text(json.dumps(known | {name: found}, indent=2) + "\n")
    assert found == json.loads(BASELINE.read_text())[name]


def test_the_baseline_holds_every_scenario():
    assert set(json.loads(BASELINE.read_text())) == set(SCENARIOS)
