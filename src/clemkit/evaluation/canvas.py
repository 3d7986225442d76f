"""The drawing surface of figures: themes, PNG bytes, three planes in one scale, scale bars."""

from __future__ import annotations

import io
import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from clemkit.errors import MissingExtraError
from clemkit.evaluation.planes import Plane, PlaneName
from clemkit.evaluation.wording import format_length

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

__all__ = ["DARK", "IMAGE", "LIGHT", "Theme", "draw_planes", "new_figure", "nice_length", "to_png"]

_WIDTH_IN = 4.7
_MAX_HEIGHT_IN = 5.2
_DPI = 160
_MARGIN_IN = 0.26
_GAP_IN = 0.24
_NARROW_IN = 1.25  # below, the title and the label of an axis do not fit side by side
_THIN = 0.16  # a plane is drawn at least this wide, relative to the longest edge


@dataclass(frozen=True, slots=True)
class Theme:
    """Colours of a figure."""

    ground: str
    ink: str
    faint: str
    missing: str


LIGHT = Theme(ground="#ffffff", ink="#1c2430", faint="#8a94a3", missing="#d9dde3")
DARK = Theme(ground="#171b21", ink="#e4e8ee", faint="#8a94a3", missing="#363d47")
IMAGE = Theme(ground="#0c0e12", ink="#e4e8ee", faint="#9aa3b0", missing="#0c0e12")


def new_figure(width_in: float, height_in: float, theme: Theme) -> Figure:
    """Return an empty figure without any global state.

    Raises
    ------
    MissingExtraError
        matplotlib is not installed.
    """
    try:
        from matplotlib.figure import Figure
    except ImportError as error:
        raise MissingExtraError("matplotlib", "report") from error
    return Figure(figsize=(width_in, height_in), dpi=_DPI, facecolor=theme.ground)


def to_png(figure: Figure) -> bytes:
    """Return the figure as a compact PNG without alpha."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from PIL import Image  # comes with matplotlib

    canvas = FigureCanvasAgg(figure)
    canvas.draw()
    size = canvas.get_width_height()
    pixels = canvas.buffer_rgba()
    picture = Image.frombuffer("RGBA", size, pixels, "raw", "RGBA", 0, 1).convert("RGB")
    stream = io.BytesIO()
    picture.save(stream, format="PNG", optimize=True)
    return stream.getvalue()


def nice_length(upper_nm: float) -> float:
    """Return the largest 1, 2 or 5 times a power of ten that is not above *upper_nm*."""
    power = 10.0 ** math.floor(math.log10(upper_nm))
    return max(step * power for step in (1, 2, 5) if step * power <= upper_nm * (1 + 1e-9))


def draw_planes(
    planes: Mapping[PlaneName, Plane],
    theme: Theme,
    *,
    bar_space_in: float = 0.0,
    on_pale: bool = False,
    **imshow: Any,
) -> tuple[Figure, dict[PlaneName, Axes]]:
    """Draw three planes: xy, beside it zy with the same y, below it xz with the same x.

    All edges have one scale; an axis that would be too thin to see is stretched and says so.
    A volume of one section shows only xy.

    Parameters
    ----------
    planes : mapping
        Planes whose images are drawn as they are.
    theme : Theme
        Colours.
    bar_space_in : float
        Room on the right for a colour bar, inches.
    on_pale : bool
        Whether the images are pale, so that scale bars must be dark.
    **imshow
        Passed to ``Axes.imshow``.
    """
    xy, xz = planes["xy"], planes["xz"]
    flat = xz.image.shape[0] == 1
    true = {
        "x": xy.right_nm - xy.left_nm,
        "y": xy.bottom_nm - xy.top_nm,
        "z": xz.bottom_nm - xz.top_nm,
    }
    longest = max(true["x"], true["y"]) if flat else max(true.values())
    shown = {axis: max(length, _THIN * longest) for axis, length in true.items()}
    gap = 0.0 if flat else _GAP_IN
    if flat:
        shown["z"] = 0.0
    free_width = _WIDTH_IN - 2 * _MARGIN_IN - gap - bar_space_in
    free_height = _MAX_HEIGHT_IN - 2 * _MARGIN_IN - gap
    scale = min(
        free_width / (shown["x"] + shown["z"]),  # inches per nm
        free_height / (shown["y"] + shown["z"]),
    )
    size = {axis: length * scale for axis, length in shown.items()}
    width = max(2 * _MARGIN_IN + gap + size["x"] + size["z"] + bar_space_in, 2.2)
    height = 2 * _MARGIN_IN + gap + size["y"] + size["z"]
    figure = new_figure(width, height, theme)
    left, top = _MARGIN_IN, _MARGIN_IN
    boxes: dict[PlaneName, tuple[float, float, float, float]] = {
        "xy": (left, top, size["x"], size["y"])
    }
    if not flat:
        boxes["zy"] = (left + size["x"] + gap, top, size["z"], size["y"])
        boxes["xz"] = (left, top + size["y"] + gap, size["x"], size["z"])
    axes: dict[PlaneName, Axes] = {}
    bar_nm = nice_length(0.3 * min(true["x"], 2 * true["y"]))
    for name, (x, y, w, h) in boxes.items():
        plane = planes[name]
        ax = figure.add_axes((x / width, 1 - (y + h) / height, w / width, h / height))
        ax.imshow(
            plane.image,
            extent=(plane.left_nm, plane.right_nm, plane.bottom_nm, plane.top_nm),
            aspect="auto",
            **imshow,
        )
        ax.set_xticks([])
        ax.set_yticks([])
        ax.set_facecolor(theme.missing)
        for spine in ax.spines.values():
            spine.set(color=theme.faint, linewidth=0.5)
        stretched = {a: shown[a] / true[a] for a in plane.name if shown[a] > 1.01 * true[a]}
        _name_axes(ax, plane, theme, stretched, narrow=w < _NARROW_IN)
        _scale_bar(ax, plane, bar_nm, on_pale)
        axes[name] = ax
    return figure, axes


def _name_axes(
    ax: Axes, plane: Plane, theme: Theme, stretched: Mapping[str, float], *, narrow: bool
) -> None:
    """Write where the plane cuts and which way its axes grow, around the plane."""
    across, down = plane.name
    style: dict[str, Any] = {"transform": ax.transAxes, "fontsize": 8.5, "color": theme.ink}
    notes = {axis: f" drawn ×{factor:.1f}" for axis, factor in stretched.items()}
    ax.text(-0.012, 0.0, f"← {down}", ha="right", va="bottom", rotation=90, **style)
    title = f"{plane.across} = {format_length(plane.position_nm)}"
    if down in notes:
        title += f", {down}{notes[down]}"
    ax.text(0.0, 1.012, title, ha="left", va="bottom", **style)
    label = f"{across}{notes.get(across, '')} →"
    if narrow:  # no room beside the title
        label = label.replace(" drawn", "")
        ax.text(1.0, -0.02, label, ha="right", va="top", **style)
    else:
        ax.text(1.0, 1.012, label, ha="right", va="bottom", **style)


def _scale_bar(ax: Axes, plane: Plane, length_nm: float, on_pale: bool) -> None:
    """Draw a bar along x, or along y where the horizontal axis is z."""
    from matplotlib.patheffects import withStroke

    width = plane.right_nm - plane.left_nm
    height = plane.bottom_nm - plane.top_nm
    front, back = ("black", "#ffffffc0") if on_pale else ("white", "#000000c0")
    x, y = plane.right_nm - 0.04 * width, plane.bottom_nm - 0.05 * height
    text: dict[str, Any] = {
        "fontsize": 8,
        "color": front,
        "path_effects": [withStroke(linewidth=2.2, foreground=back)],
    }
    line: dict[str, Any] = {
        "color": front,
        "linewidth": 2.4,
        "solid_capstyle": "butt",
        "path_effects": [withStroke(linewidth=4.0, foreground=back)],
    }
    label = format_length(length_nm)
    if plane.name == "zy":
        x = plane.right_nm - 0.1 * width
        ax.plot([x, x], [y - length_nm, y], **line)
        ax.text(
            x - 0.08 * width, y - length_nm / 2, label, ha="right", va="center", rotation=90, **text
        )
    else:
        ax.plot([x - length_nm, x], [y, y], **line)
        ax.text(x - length_nm / 2, y - 0.025 * height, label, ha="center", va="bottom", **text)
    ax.set_xlim(plane.left_nm, plane.right_nm)
    ax.set_ylim(plane.bottom_nm, plane.top_nm)
