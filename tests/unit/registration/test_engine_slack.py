"""Offsets that leave no residual, in the error estimate."""

from __future__ import annotations

import pytest

from clemkit.registration.heldout import with_slack
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
