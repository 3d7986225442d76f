"""Offsets that leave no residual, in the error estimate."""

from __future__ import annotations

import numpy as np
import pytest

from clemkit.registration.heldout import with_shared_offset, with_slack
from clemkit.registration.result import ErrorEstimate


def test_slack_widens_upwards_only():
    regions = ({"median_nm": 30.0, "low_nm": 20.0, "high_nm": 40.0}, {"count": 0})
    before = ErrorEstimate(
        median_nm=30.0, p90_nm=60.0, low_nm=20.0, high_nm=45.0, kind="held-out", count=9,
        regions=regions,
    )  # fmt: skip
    after = with_slack(before, 40.0)
    assert after.median_nm == pytest.approx(50.0)
    assert after.low_nm == 20.0
    assert after.high_nm > 1.645 * 40.0
    assert after.regions[0]["median_nm"] == pytest.approx(50.0)
    assert "median_nm" not in after.regions[1]


def test_a_shared_offset_raises_the_upper_end_alone():
    regions = ({"median_nm": 10.0, "low_nm": 6.0, "high_nm": 12.0, "count": 3}, {"count": 0})
    error = ErrorEstimate(
        median_nm=20.0, p90_nm=40.0, low_nm=15.0, high_nm=30.0, kind="held-out", count=40,
        regions=regions,
    )  # fmt: skip
    wider = with_shared_offset(error, 40.0)
    assert (wider.median_nm, wider.p90_nm, wider.low_nm) == (20.0, 40.0, 15.0)
    assert wider.high_nm == pytest.approx(50.0)
    assert wider.regions[0]["high_nm"] == pytest.approx(np.hypot(12, 40))
    assert wider.regions[1] == {"count": 0}
    assert error.high_nm == 30.0
