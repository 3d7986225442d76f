"""A picture for the ultramicrotome: the face seen from the knife, and the block cut open."""

from __future__ import annotations

import math
import os
from pathlib import Path

import numpy as np

from clemkit.errors import ArgumentError
from clemkit.evaluation.canvas import LIGHT, new_figure, to_png
from clemkit.evaluation.trimming import BlockFrame, TrimmingTarget
from clemkit.evaluation.wording import format_length

__all__ = ["write_trimming_figure"]

_MOST_POINTS = 1500
_MARK = "#c2185b"


def write_trimming_figure(
    path: Path, frame: BlockFrame, found: TrimmingTarget, *, overwrite: bool = False
) -> None:
    """Write a PNG: left the face with the target, right the section through it along ``right``.

    Parameters
    ----------
    path : Path
    frame : BlockFrame
    found : TrimmingTarget
    overwrite : bool

    Raises
    ------
    ArgumentError
        The file exists.
    MissingExtraError
        matplotlib is not installed.
    """
    if path.exists() and not overwrite:
        raise ArgumentError(f"{path}: expected no file there; found one; pass overwrite")
    figure = new_figure(9.0, 4.4, LIGHT)
    face, side = figure.subplots(1, 2)
    points = frame.to_block(frame.face.points_zyx_nm) / 1000
    points = points[np.unique(np.linspace(0, len(points) - 1, _MOST_POINTS).astype(int))]
    right, up, depth = (f.value / 1000 for f in (found.right_nm, found.up_nm, found.depth_nm))
    bars = [[[(f.value - f.low) / 1000], [(f.high - f.value) / 1000]]
            for f in (found.right_nm, found.up_nm, found.depth_nm)]  # fmt: skip
    face.plot(points[:, 0], points[:, 1], ".", color=LIGHT.faint, markersize=2)
    face.errorbar([right], [up], xerr=bars[0], yerr=bars[1], color=_MARK, capsize=3)
    face.set_title("face, seen from the knife", color=LIGHT.ink, fontsize=10)
    face.set_ylabel("up, µm")
    side.plot(points[:, 0], points[:, 2], ".", color=LIGHT.faint, markersize=2)
    side.errorbar([right], [depth], xerr=bars[0], yerr=bars[2], color=_MARK, capsize=3)
    words = f"{format_length(found.depth_nm.value)} below the face"
    if found.setting is not None:
        knife, tilt = found.setting.knife_deg.value, found.setting.tilt_deg.value
        ends = np.array([min(points[:, 0].min(), right), max(points[:, 0].max(), right)])
        # at the height of the target, the wanted plane deepens to the right by the knife angle
        slope = math.tan(math.radians(knife)) / math.cos(math.radians(tilt))
        side.plot(ends, depth + slope * (ends - right), "--", color=_MARK, linewidth=1)
        words += f", knife {knife:+.1f}°, tilt {tilt:+.1f}°"
    side.axhline(0, color=LIGHT.ink, linewidth=0.8)
    side.invert_yaxis()
    side.set_title(words, color=LIGHT.ink, fontsize=10)
    side.set_ylabel("depth, µm")
    for axes in (face, side):
        axes.set_xlabel("right, µm")
        axes.set_aspect("equal", adjustable="datalim")
        axes.tick_params(labelsize=8)
    figure.tight_layout()
    png = to_png(figure)
    temporary = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    try:
        temporary.write_bytes(png)
        os.replace(temporary, path)
    finally:
        temporary.unlink(missing_ok=True)
