"""The report's figures, as PNG bytes: overlays, maps in three planes, residual vectors."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
from numpy.typing import NDArray

from clemkit.evaluation.canvas import (
    IMAGE,
    Theme,
    draw_planes,
    new_figure,
    nice_length,
    to_png,
)
from clemkit.evaluation.planes import (
    PlaneName,
    blend,
    checkerboard,
    choose_centre,
    content_box,
    orthogonal_planes,
    stretch,
)
from clemkit.evaluation.report_data import ReportImages, ReportMap, ReportVectors
from clemkit.evaluation.wording import format_length
from clemkit.geometry import FloatArray, Grid, Triple

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

__all__ = [
    "jacobian_figure",
    "overlay_figure",
    "report_centre",
    "residual_figures",
    "uncertainty_figure",
    "zoom_to_content",
]

_TILES = 8
_MAX_ARROWS = 500
_PANEL_IN = (3.3, 3.0)
_FIXED_OUTLINE, _MOVING_OUTLINE = "#ffffff", "#ffd23f"


def report_centre(images: ReportImages) -> Triple:
    """Return the point through which all planes of a report go."""
    return choose_centre(stretch(images.fixed), stretch(images.after), images.grid)


def zoom_to_content(images: ReportImages) -> ReportImages:
    """Return the part of the volumes that holds their content; the same object if all does."""
    box = content_box(stretch(images.fixed), stretch(images.after))
    if box.shape == images.grid.shape_zyx:
        return images
    names = ("fixed", "after", "before", "fixed_labels", "before_labels", "after_labels")
    parts = {name: getattr(images, name) for name in names}
    cut: dict[str, Any] = {
        name: None if part is None else part[box.slices] for name, part in parts.items()
    }
    return replace(images, grid=images.grid.crop(box), **cut)


def overlay_figure(
    images: ReportImages,
    moment: Literal["before", "after"],
    style: Literal["blend", "checkerboard"],
    centre_zyx_nm: Triple,
) -> bytes:
    """Draw fixed and moving in three planes.

    Parameters
    ----------
    images : ReportImages
        Volumes; must have ``before`` when that is asked for.
    moment : {"before", "after"}
        Which placement of the moving volume.
    style : {"blend", "checkerboard"}
        Magenta and green over each other, or tiles in turn.
    centre_zyx_nm : tuple of float
        Where the planes cut.
    """
    moving = images.before if moment == "before" else images.after
    assert moving is not None
    fixed_planes = orthogonal_planes(stretch(images.fixed), images.grid, centre_zyx_nm)
    moving_planes = orthogonal_planes(stretch(moving), images.grid, centre_zyx_nm)
    tile = float(max(images.grid.extent_zyx_nm)) / _TILES
    merged = {}
    for name, plane in fixed_planes.items():
        if style == "blend":
            image = blend(plane.image, moving_planes[name].image)
        else:
            image = checkerboard(plane, moving_planes[name], tile)
        merged[name] = replace(plane, image=image)
    figure, axes = draw_planes(merged, IMAGE)
    if style == "blend":
        labels = images.before_labels if moment == "before" else images.after_labels
        _outline(axes, images.fixed_labels, images.grid, centre_zyx_nm, _FIXED_OUTLINE)
        _outline(axes, labels, images.grid, centre_zyx_nm, _MOVING_OUTLINE)
    return to_png(figure)


def jacobian_figure(jacobian: ReportMap, centre_zyx_nm: Triple | None, theme: Theme) -> bytes:
    """Draw a map of volume change: purple shrinks, orange grows, folds are black.

    The scale is logarithmic and even around 1, so that twice and half are equally strong.
    """
    values = np.asarray(jacobian.values, dtype=np.float64)
    positive = np.where(values > 0, values, np.nan)
    with np.errstate(invalid="ignore"):
        change = np.log2(positive)
    finite = np.abs(change[np.isfinite(change)])
    limit = max(float(np.percentile(finite, 99.5)) if finite.size else 0.0, np.log2(1.05))
    centre = centre_zyx_nm or _middle(jacobian.grid)
    folds = orthogonal_planes(values <= 0, jacobian.grid, centre)
    figure, axes = draw_planes(
        orthogonal_planes(change, jacobian.grid, centre),
        theme,
        bar_space_in=0.75,
        on_pale=True,
        cmap="PuOr_r",
        vmin=-limit,
        vmax=limit,
    )
    for name, ax in axes.items():
        plane = folds[name]
        black = np.zeros((*plane.image.shape, 4))
        black[..., 3] = plane.image
        edges = (plane.left_nm, plane.right_nm, plane.bottom_nm, plane.top_nm)
        ax.imshow(black, extent=edges, aspect="auto", interpolation="nearest")
    ticks = np.linspace(-limit, limit, 5)
    _colour_bar(figure, axes, theme, ticks, [f"{2**t:.3g}" for t in ticks], "volume ratio")
    return to_png(figure)


def uncertainty_figure(uncertainty: ReportMap, centre_zyx_nm: Triple | None, theme: Theme) -> bytes:
    """Draw a map of the expected error; grey where nothing is known."""
    values = np.asarray(uncertainty.values, dtype=np.float64)
    finite = values[np.isfinite(values)]
    low, high = (float(finite.min()), float(finite.max())) if finite.size else (0.0, 1.0)
    if high <= low:
        low, high = 0.0, max(high, 1.0)
    centre = centre_zyx_nm or _middle(uncertainty.grid)
    figure, axes = draw_planes(
        orthogonal_planes(np.where(np.isfinite(values), values, np.nan), uncertainty.grid, centre),
        theme,
        bar_space_in=0.85,
        cmap="viridis",
        vmin=low,
        vmax=high,
    )
    ticks = np.linspace(low, high, 5)
    _colour_bar(figure, axes, theme, ticks, [format_length(t) for t in ticks], "expected error")
    return to_png(figure)


def residual_figures(residuals: ReportVectors, theme: Theme) -> tuple[bytes, bytes, bytes]:
    """Draw residual vectors from above (xy), from the side (xz), and how they add up."""
    points, vectors = residuals.points_zyx_nm, residuals.vectors_zyx_nm
    finite = np.isfinite(vectors).all(axis=1) & np.isfinite(points).all(axis=1)
    points, vectors = points[finite], vectors[finite]
    lengths = np.linalg.norm(vectors, axis=1)
    pictures = []
    for right, down in ((2, 1), (2, 0)):
        figure = new_figure(*_PANEL_IN, theme)
        _arrows(_one_axes(figure, theme), points, vectors, (right, down), theme)
        pictures.append(to_png(figure))
    figure = new_figure(*_PANEL_IN, theme)
    _cumulative(_one_axes(figure, theme), lengths, theme)
    return pictures[0], pictures[1], to_png(figure)


def _one_axes(figure: Figure, theme: Theme) -> Axes:
    ax = figure.add_axes((0.16, 0.14, 0.8, 0.76))
    ax.set_facecolor(theme.ground)
    ax.tick_params(colors=theme.ink, labelsize=8, length=2.5, width=0.6)
    ax.grid(visible=True, color=theme.missing, linewidth=0.6, zorder=0)
    ax.set_axisbelow(True)
    for side, spine in ax.spines.items():
        spine.set(visible=side in ("left", "bottom"), color=theme.faint, linewidth=0.7)
    return ax


def _arrows(
    ax: Axes, points: FloatArray, vectors: FloatArray, view: tuple[int, int], theme: Theme
) -> None:
    right, down = view
    lengths = np.linalg.norm(vectors, axis=1)
    factor = _arrow_factor(points, lengths)
    count = min(len(points), _MAX_ARROWS)
    drawn = np.linspace(0, max(len(points) - 1, 0), count).astype(int)
    unit_nm, unit = (1e3, "µm") if _field(points) >= 1e3 else (1.0, "nm")
    x, y = points[drawn, right] / unit_nm, points[drawn, down] / unit_nm
    shift = vectors[drawn] / unit_nm * factor
    ax.quiver(
        x, y, shift[:, right], shift[:, down], lengths[drawn], angles="xy", scale_units="xy",
        scale=1, cmap="viridis", width=0.007, edgecolor=theme.ink, linewidth=0.15, zorder=3,
    )  # fmt: skip
    ax.scatter(x, y, s=5, color=theme.faint, zorder=2, linewidths=0)
    # the tips belong into view, and quiver does not count them
    ax.update_datalim(np.column_stack([x + shift[:, right], y + shift[:, down]]))
    ax.set_aspect("equal", adjustable="datalim")
    ax.margins(0.06)
    ax.autoscale_view()
    ax.invert_yaxis()
    ax.set_xlabel(f"{'zyx'[right]} ({unit})", color=theme.ink, fontsize=8.5)
    ax.set_ylabel(f"{'zyx'[down]} ({unit})", color=theme.ink, fontsize=8.5, labelpad=2)
    title = f"{'zyx'[right]}{'zyx'[down]}"
    if factor != 1:
        title += f", arrows drawn ×{factor:g}"
    if len(drawn) < len(points):
        title += f", {len(drawn)} of {len(points)}"
    ax.set_title(title, color=theme.ink, fontsize=9, loc="left")


def _cumulative(ax: Axes, lengths_nm: FloatArray, theme: Theme) -> None:
    ordered = np.sort(lengths_nm)
    unit_nm, unit = (1e3, "µm") if ordered.size and ordered[-1] >= 2e3 else (1.0, "nm")
    share = np.arange(1, len(ordered) + 1) / max(len(ordered), 1) * 100
    ax.step(
        np.concatenate([[0.0], ordered / unit_nm]),
        np.concatenate([[0.0], share]),
        where="post",
        color="#2a7de1" if theme.ground == "#ffffff" else "#6cb0ff",
        linewidth=1.6,
    )
    if ordered.size:
        median = float(np.median(ordered)) / unit_nm
        ax.axvline(median, color=theme.faint, linewidth=0.8, linestyle=(0, (4, 3)))
        ax.text(
            median, 4, f" median {format_length(median * unit_nm)}", fontsize=7.5, color=theme.ink
        )
    ax.set_xlim(left=0)
    ax.set_ylim(0, 102)
    ax.set_xlabel(f"residual ({unit})", color=theme.ink, fontsize=8.5)
    ax.set_ylabel("points within (%)", color=theme.ink, fontsize=8.5, labelpad=2)
    ax.set_title(f"{len(ordered)} points", color=theme.ink, fontsize=9, loc="left")


def _arrow_factor(points: FloatArray, lengths_nm: FloatArray) -> float:
    """Return a round factor that makes a large arrow about a tenth of the field."""
    field = _field(points)
    large = float(np.percentile(lengths_nm, 90)) if len(points) else 0.0
    if field <= 0 or large <= 0:
        return 1.0
    wanted = 0.12 * field / large
    return max(1.0, nice_length(wanted)) if wanted >= 1 else 1.0


def _field(points: FloatArray) -> float:
    """Return the longest edge of the box around the points; 0 without points."""
    return float(np.ptp(points, axis=0).max()) if len(points) else 0.0


def _colour_bar(
    figure: Figure,
    axes: dict[PlaneName, Axes],
    theme: Theme,
    ticks: NDArray[Any],
    texts: list[str],
    title: str,
) -> None:
    width, height = figure.get_size_inches()
    right = max(ax.get_position().x1 for ax in axes.values())
    frame = axes["xy"].get_position()
    place = (right + 0.16 / width, frame.y0, 0.11 / width, frame.height)
    bar = figure.colorbar(axes["xy"].images[0], cax=figure.add_axes(place))
    bar.set_ticks(list(ticks), labels=texts)
    bar.ax.tick_params(colors=theme.ink, labelsize=8, length=2)
    bar.outline.set(edgecolor=theme.faint, linewidth=0.5)
    figure.text(
        1 - 0.05 / width, frame.y1 + 0.08 / height, title, ha="right", va="bottom", fontsize=8,
        color=theme.ink,
    )  # fmt: skip


def _outline(
    axes: dict[PlaneName, Axes],
    labels: NDArray[Any] | None,
    grid: Grid,
    centre_zyx_nm: Triple,
    colour: str,
) -> None:
    if labels is None:
        return
    planes = orthogonal_planes(np.asarray(labels) > 0, grid, centre_zyx_nm)
    for name, ax in axes.items():
        plane = planes[name]
        mask = plane.image
        if min(mask.shape) < 2 or not mask.any() or mask.all():
            continue
        rows, columns = mask.shape
        x = plane.left_nm + (np.arange(columns) + 0.5) / columns * (plane.right_nm - plane.left_nm)
        y = plane.top_nm + (np.arange(rows) + 0.5) / rows * (plane.bottom_nm - plane.top_nm)
        ax.contour(x, y, mask.astype(float), levels=[0.5], colors=colour, linewidths=0.7)


def _middle(grid: Grid) -> Triple:
    z, y, x = grid.centre_zyx_nm
    return float(z), float(y), float(x)
