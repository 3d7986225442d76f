from __future__ import annotations

import numpy as np
import pytest

from clemkit.evaluation.report_data import ReportData, ReportImages, ReportMap, ReportVectors
from clemkit.geometry import Grid, Space
from clemkit.provenance import Digest, Step
from clemkit.registration.result import ErrorEstimate, JacobianSummary, StageRecord

GRID = Grid(
    space=Space("em"),
    shape_zyx=(7, 11, 13),
    voxel_size_zyx_nm=(50.0, 8.0, 10.0),
    origin_zyx_nm=(500.0, -40.0, 30.0),
)


@pytest.fixture
def bare() -> ReportData:
    """A report with nothing but what it must have."""
    return ReportData(
        title="cell 7",
        status="ok",
        confidence=0.9,
        error_estimate=ErrorEstimate(
            median_nm=213.4, p90_nm=512.0, low_nm=181.0, high_nm=247.0, kind="held-out", count=41
        ),
        step=Step(activity="registration", command=("clemkit", "register", "-o", "OUT")),
    )


@pytest.fixture
def full_parts(rng) -> dict[str, object]:
    """Everything a report can show, by field."""
    shape = GRID.shape_zyx
    determinant = rng.uniform(0.7, 1.4, shape)
    determinant[3, 5, 6] = -0.2
    uncertainty = rng.uniform(100, 400, shape)
    uncertainty[:, :, :3] = np.nan
    after = rng.normal(100, 20, shape)
    after[:, 9:, :] = np.nan
    return {
        "images": ReportImages(
            grid=GRID,
            fixed=rng.integers(0, 255, shape).astype(np.uint8),
            after=after,
            before=rng.normal(100, 20, shape),
            before_caption="coarse placement",
            fixed_labels=rng.integers(0, 2, shape),
            before_labels=rng.integers(0, 2, shape),
            after_labels=rng.integers(0, 2, shape),
        ),
        "jacobian": ReportMap(values=determinant, grid=GRID),
        "uncertainty": ReportMap(values=uncertainty, grid=GRID),
        "residuals": ReportVectors(
            points_zyx_nm=GRID.to_physical(rng.uniform(0, 6, (17, 3))),
            vectors_zyx_nm=rng.normal(0, 5, (17, 3)),
        ),
        "affine_moving_to_fixed": np.diag([1.2, 0.9, 1.0, 1.0]),
        "moving_voxel_size_zyx_nm": (300.0, 100.0, 100.0),
        "jacobian_summary": JacobianSummary(min=-0.2, max=1.4, folded_fraction=0.001),
        "inverse_error_nm": 3.0,
        "stages": (
            StageRecord(name="affine", seconds=3.0, cpu_seconds=5.0, metric=0.8),
            StageRecord(name="deformable", seconds=30.0, cpu_seconds=55.0),
        ),
        "warnings": ("only 3 matches in the lower half",),
        "summary": {"dice": 0.5, "overlap_fraction": 0.25, "nested": {"rms_nm": 2500.0}},
        "method": "labels, affine, B-spline",
        "error_estimate": ErrorEstimate(
            median_nm=213.4,
            p90_nm=512.0,
            low_nm=181.0,
            high_nm=247.0,
            kind="held-out",
            count=41,
            regions=(
                {
                    "centre_zyx_nm": (1000.0, 2000.0, 3000.0),
                    "size_zyx_nm": (1.0, 1.0, 1.0),
                    "median_nm": 190.0,
                    "low_nm": 150.0,
                    "high_nm": 260.0,
                    "count": 12,
                },
                {"centre_zyx_nm": (0.0, 0.0, 9000.0), "count": 0},
            ),
        ),
        "step": Step(
            activity="registration",
            inputs=(Digest("em.tif", "ab" * 32, 812_000_000),),
            outputs=(Digest("OUT/registration.json", "cd" * 32, 410),),
            parameters={"spacing_nm": [4000, 4000, 4000]},
            seed=7,
            command=("clemkit", "register", "--fixed", "my file.tif"),
        ),
    }
