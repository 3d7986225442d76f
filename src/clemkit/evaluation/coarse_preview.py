"""The picture after the coarse stage, which shows whether the place looks right."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from clemkit.evaluation.canvas import IMAGE, draw_planes, to_png
from clemkit.evaluation.planes import choose_centre, orthogonal_planes, stretch
from clemkit.geometry import Grid

__all__ = ["coarse_preview"]

# bluish grey light below vermilion outlines: apart for every kind of colour vision
_OUTLINE = "#ff7f2a"
_TITLE_IN = 0.62
_BRIGHT = np.array([0.80, 0.92, 1.0])


def coarse_preview(
    fixed: NDArray[Any],
    moving: NDArray[Any],
    labels: NDArray[Any] | None,
    grid: Grid,
    *,
    title: str,
    subtitle: str,
) -> bytes:
    """Draw the warped moving image with the fixed structures outlined, in three planes.

    Parameters
    ----------
    fixed, moving : (z, y, x) array
        Images on *grid*; NaN where the moving volume has no data.
    labels : (z, y, x) array or None
        Fixed structures; where absent, the outlines follow the brighter half of the fixed image.
    grid : Grid
    title, subtitle : str
        First and second line.

    Returns
    -------
    bytes
        PNG.

    Raises
    ------
    MissingExtraError
        matplotlib is not installed.
    """
    light = stretch(moving)
    mask = (labels > 0).astype(np.float32) if labels is not None else _brighter_half(fixed)
    centre = choose_centre(mask, light, grid)
    planes = orthogonal_planes(light, grid, centre)
    tinted = {
        name: replace(plane, image=np.clip(plane.image, 0, 1)[..., None] ** 0.8 * _BRIGHT)
        for name, plane in planes.items()
    }
    figure, axes = draw_planes(tinted, IMAGE)
    outlines = orthogonal_planes(mask, grid, centre)
    for name, ax in axes.items():
        plane = outlines[name]
        image = np.asarray(plane.image, dtype=np.float32)
        if min(image.shape) > 1 and image.min() < 0.5 < image.max():
            rows, columns = image.shape
            height, width = plane.bottom_nm - plane.top_nm, plane.right_nm - plane.left_nm
            y = plane.top_nm + (np.arange(rows) + 0.5) * height / rows
            x = plane.left_nm + (np.arange(columns) + 0.5) * width / columns
            ax.contour(x, y, image, levels=[0.5], colors=[_OUTLINE], linewidths=0.9)
    width_in, height_in = figure.get_size_inches()
    wider = max(float(width_in), 4.2)
    for ax in axes.values():
        box = ax.get_position()
        ax.set_position(
            (
                (box.x0 * width_in + (wider - width_in) / 2) / wider,
                box.y0 * height_in / (height_in + _TITLE_IN),
                box.width * width_in / wider,
                box.height * height_in / (height_in + _TITLE_IN),
            )
        )
    figure.set_size_inches(wider, height_in + _TITLE_IN)
    whole = height_in + _TITLE_IN
    style: dict[str, Any] = {"ha": "left", "va": "top", "color": IMAGE.ink}
    figure.text(0.14 / wider, 1 - 0.1 / whole, title, fontsize=10.5, weight="bold", **style)
    figure.text(0.14 / wider, 1 - 0.31 / whole, subtitle, fontsize=8.5, **style)
    figure.text(
        0.14 / wider, 1 - 0.49 / whole, "outlines: fixed structures", fontsize=8.5,
        **(style | {"color": _OUTLINE}),
    )  # fmt: skip
    return to_png(figure)


def _brighter_half(image: NDArray[Any]) -> NDArray[np.float32]:
    values = stretch(image)
    return (values > np.median(values)).astype(np.float32)
