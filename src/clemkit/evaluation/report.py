"""A self-contained report of one registration: one HTML file, nothing fetched from anywhere."""

from __future__ import annotations

import base64
import json
import os
import shlex
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from clemkit.errors import ArgumentError, MissingExtraError
from clemkit.evaluation.affine_summary import AffineSummary, decompose_affine
from clemkit.evaluation.canvas import DARK, LIGHT
from clemkit.evaluation.figures import (
    jacobian_figure,
    overlay_figure,
    report_centre,
    residual_figures,
    uncertainty_figure,
    zoom_to_content,
)
from clemkit.evaluation.findings import collect_findings
from clemkit.evaluation.report_data import ReportData
from clemkit.evaluation.wording import (
    confidence_word,
    describe_error,
    error_sentences,
    format_duration,
    format_length,
    format_value,
    label_of_key,
)
from clemkit.provenance import Digest

__all__ = ["render_report", "report_html"]

_VERDICTS = {
    "ok": ("Good to use", "The volumes agree and the error was measured."),
    "uncertain": (
        "Look before you use it",
        "A result was found, but something below speaks against trusting it blindly.",
    ),
    "failed": (
        "Do not use",
        "No trustworthy registration was found; the reasons are below.",
    ),
}


@dataclass(frozen=True, slots=True)
class _Picture:
    """A figure as PNG data addresses, for light and for dark pages."""

    alt: str
    light: str
    dark: str = ""


def render_report(data: ReportData, path: str | Path, *, overwrite: bool = False) -> Path:
    """Write ``report.html``: all figures, images included, in one file.

    Parameters
    ----------
    data : ReportData
        What to show.
    path : path
        File to write.
    overwrite : bool
        Whether an existing file may be replaced.

    Raises
    ------
    ArgumentError
        The file exists and *overwrite* is off.
    MissingExtraError
        matplotlib or jinja2 is not installed.
    """
    target = Path(path)
    if target.exists() and not overwrite:
        raise ArgumentError(f"{target}: expected no file there; found one; pass overwrite")
    text = report_html(data)
    target.parent.mkdir(parents=True, exist_ok=True)
    temporary = target.with_name(f".{target.name}.{os.getpid()}.tmp")
    try:
        temporary.write_text(text, encoding="utf-8")
        os.replace(temporary, target)
    finally:
        temporary.unlink(missing_ok=True)
    return target


def report_html(data: ReportData) -> str:
    """Return the report as text; see :func:`render_report`."""
    try:
        from jinja2 import Environment, PackageLoader, StrictUndefined
    except ImportError as error:
        raise MissingExtraError("jinja2", "report") from error
    environment = Environment(
        loader=PackageLoader("clemkit.evaluation"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    return environment.get_template("report.html.j2").render(_content(data))


def _content(data: ReportData) -> dict[str, Any]:
    voxel = data.moving_voxel_size_zyx_nm
    verdict, explanation = _VERDICTS[data.status]
    if data.status == "ok" and data.error_estimate.kind == "none":
        explanation = "The volumes agree, but the error could not be measured."
    step = data.step
    return {
        "title": data.title,
        "status": data.status,
        "verdict": verdict,
        "explanation": explanation,
        "method": data.method,
        "finished": step.ended.replace("T", " ").replace("+00:00", " UTC"),
        "version": step.environment.packages.get("clemkit", ""),
        "names": (data.fixed_name, data.moving_name),
        "cards": list(_cards(data)),
        "sentences": error_sentences(data.error_estimate, max(voxel) if voxel else None),
        "findings": collect_findings(data),
        "overlays": _overlays(data),
        "has_outlines": data.images is not None and data.images.fixed_labels is not None,
        "maps": _maps(data),
        "regions": list(_regions(data)),
        "transform": list(_transform_rows(data)),
        "stages": list(_stages(data)),
        "total": format_duration(sum(s.seconds for s in data.stages)),
        "summary": [(label_of_key(k), format_value(k, v)) for k, v in data.summary.items()],
        "command": shlex.join(step.command) if step.command else "called from Python",
        "facts": _facts(data),
        "versions": list(step.environment.packages.items()),
        "files": [("read", *_file(d)) for d in step.inputs]
        + [("written", *_file(d)) for d in step.outputs],
        "parameters": json.dumps(dict(step.parameters), indent=2, ensure_ascii=False, default=str)
        if step.parameters
        else "",
    }


def _cards(data: ReportData) -> Iterator[dict[str, Any]]:
    value, interval = describe_error(data.error_estimate)
    yield {"label": "Estimated error (median)", "value": value, "note": interval}
    if data.error_estimate.kind != "none":
        yield {
            "label": "Nine points of ten within",
            "value": format_length(data.error_estimate.p90_nm),
            "note": f"{data.error_estimate.count} structures, {data.error_estimate.kind}",
        }
    share = min(max(data.confidence, 0.0), 1.0) if data.confidence == data.confidence else 0.0
    yield {
        "label": "Confidence",
        "value": f"{data.confidence:.2f}" if data.confidence == data.confidence else "–",
        "note": f"{confidence_word(data.confidence)}: how far the best placement stands out from "
        "the best different one",
        "share": round(100 * share),
    }
    if data.jacobian_summary is not None:
        jacobian = data.jacobian_summary
        folded = jacobian.folded_fraction
        yield {
            "label": "Local volume change",
            "value": f"{jacobian.min:.2f} to {jacobian.max:.2f}",
            "note": f"folds in {100 * folded:.2g} % of the volume" if folded else "no folds",
        }
    if data.inverse_error_nm is not None:
        exact = data.inverse_error_nm == 0
        yield {
            "label": "There and back",
            "value": "exact" if exact else format_length(data.inverse_error_nm),
            "note": "the two directions are exact inverses"
            if exact
            else "largest measured round trip of the two directions",
        }


def _overlays(data: ReportData) -> list[dict[str, Any]]:
    if data.images is None:
        return []
    images = zoom_to_content(data.images)
    centre = report_centre(images)
    groups = []
    for style, heading in (("blend", "Colour blend"), ("checkerboard", "Checkerboard")):
        pictures = []
        for moment in ("before", "after"):
            if moment == "before" and images.before is None:
                continue
            caption = images.before_caption if moment == "before" else "final transform"
            png = overlay_figure(images, moment, style, centre)  # type: ignore[arg-type]
            alt = (
                f"{heading} of {data.fixed_name} and {data.moving_name} in three orthogonal "
                f"planes, {moment} registration"
            )
            pictures.append((f"{moment.capitalize()}: {caption}", _picture(alt, [png])))
        groups.append(
            {
                "style": style,
                "heading": heading,
                "pictures": pictures,
                "zoomed": images is not data.images,
            }
        )
    return groups


def _maps(data: ReportData) -> list[dict[str, Any]]:
    # the planes of the overlays, so that maps and overlays can be compared
    centre = report_centre(zoom_to_content(data.images)) if data.images is not None else None
    maps: list[dict[str, Any]] = []
    if data.jacobian is not None:
        jacobian = data.jacobian
        pngs = [jacobian_figure(jacobian, centre, theme) for theme in (LIGHT, DARK)]
        text = (
            "Volume ratio of the deformation beyond its linear part: orange regions are larger in "
            "the moving volume, purple ones smaller, white unchanged, black ones fold. Smooth and "
            "pale is what tissue does; strong spots call for a look at the overlay."
        )
        maps.append(_map("Local volume change", "Jacobian determinant", text, pngs))
    if data.uncertainty is not None:
        uncertainty = data.uncertainty
        pngs = [uncertainty_figure(uncertainty, centre, theme) for theme in (LIGHT, DARK)]
        text = (
            "Expected error of a mapped point, by position. Bright regions are weakly supported; "
            "grey ones hold no evidence at all."
        )
        maps.append(_map("Where the error is", "Uncertainty", text, pngs))
    if data.residuals is not None and len(data.residuals.points_zyx_nm):
        residuals = data.residuals
        views = zip(*(residual_figures(residuals, theme) for theme in (LIGHT, DARK)), strict=True)
        text = (
            f"From above, from the side, and how many are how small: {residuals.caption}. "
            "Arrows that point the same way in one region mean that something there is not yet "
            "corrected."
        )
        names = ("Residual vectors in xy", "Residual vectors in xz", "Cumulated residuals")
        pictures = [_picture(name, view) for name, view in zip(names, views, strict=True)]
        maps.append({"heading": "Residual vectors", "text": text, "pictures": pictures})
    return maps


def _map(heading: str, alt: str, text: str, pngs: list[bytes]) -> dict[str, Any]:
    return {"heading": heading, "text": text, "pictures": [_picture(alt, pngs)]}


def _picture(alt: str, pngs: Sequence[bytes]) -> _Picture:
    light, *dark = (_address(png) for png in pngs)
    return _Picture(alt, light, *dark)


def _transform_rows(data: ReportData) -> Iterator[tuple[str, str, str]]:
    if data.affine_moving_to_fixed is None:
        return
    parts: AffineSummary = decompose_affine(data.affine_moving_to_fixed)
    yield (
        "Turn about the optical axis",
        f"{parts.rotation_z_deg:+.2f}°",
        "in the xy plane, from x towards y (clockwise on screen)",
    )
    lean = f"towards {parts.tilt_azimuth_deg:.0f}° from x to y"
    note = f"{lean}; the specimen lies upside down" if parts.tilt_deg > 90 else lean
    yield "Tilt", f"{parts.tilt_deg:.2f}°", note if parts.tilt_deg >= 0.005 else "none"
    yield (
        "Scale z, y, x",
        " × ".join(f"{s:.4g}" for s in parts.scales_zyx),
        "1 keeps the size that the files state",
    )
    yield (
        "Shear zy, zx, yx",
        ", ".join(f"{s:+.4f}" for s in parts.shears),
        "shift of the first axis per length of the second",
    )
    yield (
        "Shift z, y, x",
        ", ".join(format_length(t) for t in parts.translation_zyx_nm),
        "where the moving volume's origin lands",
    )
    mirrored = f"yes, along {parts.mirrored_axis}" if parts.mirrored_axis else "no"
    yield "Mirror", mirrored, "left and right hand exchanged" if parts.mirrored_axis else ""


def _stages(data: ReportData) -> Iterator[dict[str, Any]]:
    longest = max((s.seconds for s in data.stages), default=0.0)
    for stage in data.stages:
        yield {
            "name": stage.name.replace("_", " "),
            "seconds": format_duration(stage.seconds),
            "cpu": format_duration(stage.cpu_seconds),
            "metric": "–" if stage.metric is None else f"{stage.metric:.4g}",
            "share": round(100 * stage.seconds / longest) if longest > 0 else 0,
        }


def _regions(data: ReportData) -> Iterator[tuple[str, str, str, str]]:
    for region in data.error_estimate.regions:
        centre = ", ".join(format_length(float(v)) for v in region.get("centre_zyx_nm", ()))
        count = int(region.get("count", 0))
        if not count:
            yield centre, "0", "unknown", "–"
            continue
        low, high = (format_length(region.get(key)) for key in ("low_nm", "high_nm"))
        yield centre, str(count), format_length(region.get("median_nm")), f"{low} to {high}"


def _facts(data: ReportData) -> list[tuple[str, str]]:
    step = data.step
    environment = step.environment
    return [
        ("Seed", "none" if step.seed is None else str(step.seed)),
        ("Started", step.started),
        ("Ended", step.ended),
        ("Python", environment.python),
        ("Machine", f"{environment.platform}, {environment.cpu_count} processors"),
    ]


def _file(digest: Digest) -> tuple[str, str, str]:
    size = digest.size / 1e6
    return digest.path, f"{size:.3g} MB" if size >= 0.1 else f"{digest.size} B", digest.sha256


def _address(png: bytes) -> str:
    return "data:image/png;base64," + base64.b64encode(png).decode("ascii")
