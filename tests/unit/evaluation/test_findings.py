from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from clemkit.evaluation.findings import collect_findings
from clemkit.evaluation.report_data import ReportData
from clemkit.evaluation.wording import (
    error_sentences,
    format_duration,
    format_length,
    format_value,
    label_of_key,
)
from clemkit.registration.result import JacobianSummary


def texts(data: ReportData) -> str:
    return " | ".join(finding.text for finding in collect_findings(data))


def test_a_clean_result_has_no_findings(bare: ReportData) -> None:
    clean = replace(
        bare,
        affine_moving_to_fixed=np.diag([1.1, 0.9, 1.0, 1.0]),
        jacobian_summary=JacobianSummary(min=0.8, max=1.3, folded_fraction=0.0),
        inverse_error_nm=0.1,
    )
    assert collect_findings(clean) == ()


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        ({"affine_moving_to_fixed": np.diag([1.0, -1, 1, 1])}, "mirrors the y axis"),
        ({"affine_moving_to_fixed": np.diag([2.0, 1, 1, 1])}, "scaled very differently"),
        ({"affine_moving_to_fixed": np.diag([-1.0, 1, -1, 1])}, "upside down"),
        (
            {"jacobian_summary": JacobianSummary(min=-1, max=2, folded_fraction=0.02)},
            "folds in 2 %",
        ),
        (
            {"jacobian_summary": JacobianSummary(min=0.1, max=2, folded_fraction=0.0)},
            "between 0.1 and 2 times",
        ),
        ({"inverse_error_nm": 150.0}, "disagree by up to 150 nm"),
    ],
)
def test_figures_speak_for_themselves(bare: ReportData, change, expected: str) -> None:
    data = replace(bare, **change)
    assert expected in texts(data)
    assert all(finding.advice for finding in collect_findings(data))


def test_a_shear_is_found(bare: ReportData) -> None:
    matrix = np.eye(4)
    matrix[1, 0] = 0.5  # y drifts with z
    assert "shears" in texts(replace(bare, affine_moving_to_fixed=matrix))


def test_what_the_registration_has_said_is_not_said_twice(bare: ReportData) -> None:
    data = replace(
        bare,
        warnings=("The best pose is a mirror image of the moving volume.",),
        affine_moving_to_fixed=np.diag([1.0, -1.0, 1.0, 1.0]),
    )
    (finding,) = collect_findings(data)
    assert "--allow-reflection" in finding.advice


def test_warnings_come_before_notes(bare: ReportData, full_parts) -> None:
    data = replace(bare, **(full_parts | {"images": None}))
    severities = [finding.severity for finding in collect_findings(data)]
    assert severities == sorted(severities, reverse=True)
    assert set(severities) == {"warning", "note"}


@pytest.mark.parametrize(
    ("nm", "text"),
    [
        (0, "0 nm"),
        (0.123456, "0.123 nm"),
        (213.4, "213 nm"),
        (999.9, "1 µm"),
        (1234, "1.23 µm"),
        (-53000, "-53 µm"),
        (2.5e6, "2.5 mm"),
        (float("nan"), "–"),
        (None, "–"),
    ],
)
def test_lengths_have_a_fitting_unit(nm, text: str) -> None:
    assert format_length(nm) == text


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (0.034, "0.034 s"),
        (12.34, "12.3 s"),
        (59.99, "60 s"),
        (92.7, "1 min 33 s"),
        (7260, "2 h 01 min"),
    ],
)
def test_durations(seconds: float, text: str) -> None:
    assert format_duration(seconds) == text


def test_keys_give_labels_and_units() -> None:
    assert label_of_key("tre_median_nm") == "TRE median"
    assert format_value("overlap_fraction", 0.256) == "25.6 %"
    assert format_value("median_nm", 1500.0) == "1.5 µm"
    assert format_value("centre_zyx_nm", (10.0, 2000.0, 0.0)) == "10 nm, 2 µm, 0 nm"
    assert format_value("reflection", False) == "no"
    assert format_value("count", 41) == "41"
    assert format_value("dice", float("nan")) == "–"


def test_the_error_is_put_in_proportion(bare: ReportData) -> None:
    sentences = " ".join(error_sentences(bare.error_estimate, 300.0))
    assert "half of all points land within 213 nm" in sentences
    assert "0.71 times the longest voxel edge" in sentences
    assert "closer together than about 512 nm" in sentences
