from __future__ import annotations

import base64
import io
import re
from dataclasses import replace
from html import unescape

import numpy as np
import pytest
from PIL import Image

from clemkit.errors import ArgumentError
from clemkit.evaluation.report import render_report, report_html
from clemkit.evaluation.report_data import ReportData, ReportImages, ReportMap, ReportVectors
from clemkit.geometry import Grid, Space
from clemkit.registration.result import ErrorEstimate

OPTIONAL = (
    "images",
    "jacobian",
    "uncertainty",
    "residuals",
    "affine_moving_to_fixed",
    "moving_voxel_size_zyx_nm",
    "jacobian_summary",
    "inverse_error_nm",
    "stages",
    "warnings",
    "summary",
    "method",
)


def pictures(html: str) -> list[Image.Image]:
    found = re.findall(r'"data:image/png;base64,([^"]+)"', html)
    return [Image.open(io.BytesIO(base64.b64decode(code, validate=True))) for code in found]


def text_of(html: str) -> str:
    body = html[html.index("<body>") :]
    return " ".join(unescape(re.sub(r"<[^>]+>", " ", body)).split())


def test_a_bare_report_renders(bare: ReportData) -> None:
    html = report_html(bare)
    assert pictures(html) == []
    text = text_of(html)
    assert "Held-out structures (41, never used in the fit) say" in text
    assert "213 nm" in text
    assert "90 % interval 181 nm to 247 nm" in text
    assert "clemkit register -o OUT" in text


def test_a_full_report_shows_everything(bare: ReportData, full_parts) -> None:
    html = report_html(replace(bare, **full_parts))
    images = pictures(html)
    # 2 styles x 2 moments, Jacobian and uncertainty x 2 themes, 3 residual panels x 2 themes
    assert len(images) == 4 + 4 + 6
    for image in images:
        image.load()
        assert image.mode == "RGB"
        assert min(image.size) > 150
    text = text_of(html)
    for expected in (
        "only 3 matches in the lower half",
        "Before: coarse placement",
        "Local volume change",
        "Turn about the optical axis",
        "1.2 × 0.9 × 1",
        "30 s",
        "Overlap 25 %",
        "RMS: 2.5 µm",
        "'my file.tif'",
        "cd" * 32,
        "812 MB",
        "150 nm to 260 nm",
    ):
        assert expected in text
    assert len(html) < 5e6


@pytest.mark.parametrize("missing", OPTIONAL)
def test_each_optional_part_may_be_missing(bare: ReportData, full_parts, missing: str) -> None:
    maps = ("images", "jacobian", "uncertainty", "residuals")
    slow = {"images"} if missing in maps else set(maps)
    small = {k: part for k, part in full_parts.items() if k not in slow | {missing}}
    html = report_html(replace(bare, **small))
    assert "Undefined" not in html
    assert html.rstrip().endswith("</html>")


def test_a_report_without_before_and_labels(bare: ReportData, full_parts) -> None:
    images = full_parts["images"]
    plain = ReportImages(grid=images.grid, fixed=images.fixed, after=images.after)
    html = report_html(replace(bare, images=plain))
    assert len(pictures(html)) == 2
    assert "Before" not in text_of(html)


def test_nothing_is_fetched_from_elsewhere(bare: ReportData, full_parts) -> None:
    html = report_html(replace(bare, **full_parts))
    assert not re.search(r"https?://", html)
    addresses = re.findall(r'(?:src|srcset|href|action|data|poster)\s*=\s*"([^"]*)"', html)
    assert addresses
    assert all(address.startswith("data:") for address in addresses)
    assert not re.search(r"url\(|@import|<script|<iframe|<object|<embed", html)
    assert "default-src &#39;none&#39;" in html or "default-src 'none'" in html


def test_text_from_users_is_escaped(bare: ReportData) -> None:
    bad = '<script>alert("x")</script>&'
    html = report_html(
        replace(
            bare,
            title=bad,
            warnings=(bad,),
            method=bad,
            summary={bad: bad},
            fixed_name=bad,
            step=replace(bare.step, command=("clemkit", bad), parameters={bad: bad}),
        )
    )
    assert "<script" not in html
    assert html.count("&lt;script&gt;") >= 7


@pytest.mark.parametrize(
    ("status", "verdict"),
    [("ok", "Good to use"), ("uncertain", "Look before you use it"), ("failed", "Do not use")],
)
def test_the_status_is_in_the_headline(bare: ReportData, status: str, verdict: str) -> None:
    html = report_html(replace(bare, status=status))
    assert verdict in text_of(html)
    assert f'class="verdict {status}"' in html


def test_an_unknown_error_is_called_unknown(bare: ReportData) -> None:
    nothing = float("nan")
    estimate = ErrorEstimate(
        median_nm=nothing, p90_nm=nothing, low_nm=nothing, high_nm=nothing, kind="none", count=0
    )
    text = text_of(report_html(replace(bare, error_estimate=estimate, confidence=nothing)))
    assert "its error is unknown" in text
    assert "nan" not in text.lower().replace("nanomet", "")
    assert "No structure was held out" in text


@pytest.mark.parametrize("shape", [(1, 11, 13), (3, 40, 2), (60, 4, 5), (2, 2, 2)])
def test_odd_shapes_render(bare: ReportData, rng, shape) -> None:
    grid = Grid(space=Space("em"), shape_zyx=shape, voxel_size_zyx_nm=(50.0, 8.0, 10.0))
    images = ReportImages(grid=grid, fixed=rng.normal(size=shape), after=rng.normal(size=shape))
    values = ReportMap(values=np.ones(shape), grid=grid)
    vectors = ReportVectors(points_zyx_nm=np.zeros((0, 3)), vectors_zyx_nm=np.zeros((0, 3)))
    data = replace(bare, images=images, jacobian=values, uncertainty=values, residuals=vectors)
    for image in pictures(report_html(data)):
        assert max(image.size) < 1500


def test_empty_and_constant_volumes_render(bare: ReportData) -> None:
    shape = (7, 11, 13)
    grid = Grid(space=Space("em"), shape_zyx=shape, voxel_size_zyx_nm=(50.0, 8.0, 10.0))
    images = ReportImages(grid=grid, fixed=np.full(shape, 7), after=np.full(shape, np.nan))
    lost = ReportMap(values=np.full(shape, np.nan), grid=grid)
    html = report_html(replace(bare, images=images, jacobian=lost, uncertainty=lost))
    assert len(pictures(html)) == 2 + 4


def test_shapes_and_spaces_are_checked(bare: ReportData, full_parts) -> None:
    grid = full_parts["jacobian"].grid
    with pytest.raises(ArgumentError, match="as the grid says"):
        ReportMap(values=np.ones((7, 11, 12)), grid=grid)
    elsewhere = ReportMap(values=np.ones(grid.shape_zyx), grid=replace(grid, space=Space("lm")))
    with pytest.raises(ArgumentError, match="fixed space"):
        replace(bare, images=full_parts["images"], jacobian=elsewhere)
    with pytest.raises(ArgumentError, match="as many vectors"):
        ReportVectors(points_zyx_nm=np.zeros((3, 3)), vectors_zyx_nm=np.zeros((2, 3)))
    with pytest.raises(ArgumentError, match="status"):
        replace(bare, status="good")


def test_a_report_is_written_once_unless_told(bare: ReportData, tmp_path) -> None:
    path = render_report(bare, tmp_path / "OUT" / "report.html")
    assert path.read_text(encoding="utf-8").startswith("<!DOCTYPE html>")
    with pytest.raises(ArgumentError, match="expected no file"):
        render_report(bare, path)
    render_report(replace(bare, title="again"), path, overwrite=True)
    assert "again" in path.read_text(encoding="utf-8")
    assert [p.name for p in path.parent.iterdir()] == ["report.html"]
