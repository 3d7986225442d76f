"""The picture that stands for an entry: a plane in grey, light in colour, a scale bar."""

from __future__ import annotations

import io
import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from clemkit.errors import DataError, MissingExtraError

if TYPE_CHECKING:
    from numpy.typing import NDArray
    from PIL.Image import Image

__all__ = ["Overlay", "bar_length", "length_label", "render_thumbnail"]

LEAST = 400  # pixels that EMPIAR asks for
_LONGEST, _MOST = 900, 1800
_BAR_SHARE = 0.28  # of the width, at most


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Overlay:
    """A coloured layer on the pixels of the grey one.

    Attributes
    ----------
    values : (rows, columns) float array
        NaN where there are no data.
    colour : (int, int, int)
        Red, green, blue, 0 to 255.
    label : str
    """

    values: NDArray[np.float32]
    colour: tuple[int, int, int]
    label: str = ""


def bar_length(most_nm: float) -> float:
    """Return the largest 1, 2 or 5 times a power of ten that is not above *most_nm*."""
    power = 10.0 ** math.floor(math.log10(most_nm))
    return max(step * power for step in (1, 2, 5) if step * power <= most_nm * (1 + 1e-9))


def length_label(length_nm: float) -> str:
    """Return a length in the unit that people use for it."""
    for factor, unit in ((1e6, "mm"), (1e3, "µm"), (1.0, "nm")):
        if length_nm >= factor * (1 - 1e-9):
            return f"{length_nm / factor:g} {unit}"
    return f"{length_nm * 10:g} Å"


def render_thumbnail(
    grey: NDArray[Any],
    pixel_size_yx_nm: tuple[float, float],
    overlays: Sequence[Overlay] = (),
) -> bytes:
    """Return a PNG of at least 400 x 400 pixels in true proportions.

    Parameters
    ----------
    grey : (rows, columns) array
        The plane.
    pixel_size_yx_nm : tuple of float
        Of the plane.
    overlays : sequence of Overlay

    Raises
    ------
    DataError
        The plane has no finite values.
    MissingExtraError
        Pillow is not installed.
    """
    try:
        from PIL import Image
    except ImportError as error:
        raise MissingExtraError("Pillow", "report") from error
    rows, columns = grey.shape
    height, width, scale = _size(rows * pixel_size_yx_nm[0], columns * pixel_size_yx_nm[1])
    base = _stretched(grey, 0.5, 99.7, "the plane of the thumbnail")
    picture = np.repeat(_resized(base, height, width, Image)[..., None], 3, axis=2)
    shown = []
    for overlay in overlays:
        found = overlay.values[np.isfinite(overlay.values)]
        if not found.size or found.max() <= np.median(found):
            continue  # no light here
        low, high = np.percentile(found, [60.0, 99.8])
        if high <= low:
            continue
        light = np.nan_to_num((overlay.values - low) / (high - low)).clip(0, 1) ** 0.8
        layer = _resized(light.astype(np.float32), height, width, Image)[..., None]
        picture = 1 - (1 - picture) * (1 - layer * np.array(overlay.colour) / 255)
        shown.append(overlay)
    image = Image.fromarray((picture.clip(0, 1) * 255).round().astype(np.uint8), "RGB")
    image, width = _cropped(image)
    _annotate(image, width * _BAR_SHARE / scale, scale, shown)
    stream = io.BytesIO()
    image.save(stream, format="PNG", compress_level=6)
    return stream.getvalue()


def _size(height_nm: float, width_nm: float) -> tuple[int, int, float]:
    """Return rows and columns of the picture, and pixels per nanometre."""
    scale = _LONGEST / max(height_nm, width_nm)
    scale = max(scale, LEAST / min(height_nm, width_nm))
    rows, columns = round(height_nm * scale), round(width_nm * scale)
    return max(rows, LEAST), max(columns, LEAST), scale


def _cropped(image: Image) -> tuple[Image, int]:
    """Return the middle of a very long picture."""
    width, height = min(image.width, _MOST), min(image.height, _MOST)
    left, top = (image.width - width) // 2, (image.height - height) // 2
    return image.crop((left, top, left + width, top + height)), width


def _stretched(values: NDArray[Any], low: float, high: float, what: str) -> NDArray[np.float32]:
    data = np.asarray(values, dtype=np.float32)
    found = data[np.isfinite(data)]
    if not found.size:
        raise DataError(f"{what}: expected finite grey values; found none")
    bottom, top = np.percentile(found, [low, high])
    if top <= bottom:
        return np.full(data.shape, 0.5, np.float32)
    return np.nan_to_num((data - bottom) / (top - bottom)).clip(0, 1).astype(np.float32)


def _resized(
    values: NDArray[np.float32], height: int, width: int, module: Any
) -> NDArray[np.float32]:
    image = module.fromarray(np.ascontiguousarray(values))
    kind = module.Resampling.LANCZOS if height < values.shape[0] else module.Resampling.BICUBIC
    return np.asarray(image.resize((width, height), kind)).clip(0, 1)


def _annotate(image: Image, most_nm: float, scale: float, overlays: Sequence[Overlay]) -> None:
    from PIL import ImageDraw

    draw = ImageDraw.Draw(image)
    unit = max(image.width, image.height) / 900
    font = _font(round(32 * unit))
    length = bar_length(most_nm)
    right, bottom = image.width - round(24 * unit), image.height - round(24 * unit)
    left, thick = right - round(length * scale), max(round(10 * unit), 5)
    edge = max(round(2 * unit), 1)
    outline = (left - edge, bottom - thick - edge, right - 1 + edge, bottom - 1 + edge)
    draw.rectangle(outline, fill=(0, 0, 0))
    draw.rectangle((left, bottom - thick, right - 1, bottom - 1), fill=(255, 255, 255))
    style: dict[str, Any] = {"font": font, "stroke_width": edge, "stroke_fill": (0, 0, 0)}
    middle = ((left + right) // 2, bottom - thick - round(6 * unit))
    draw.text(middle, length_label(length), fill=(255, 255, 255), anchor="ms", **style)
    left = top = round(20 * unit)
    for overlay in overlays:
        if overlay.label:
            draw.text((left, top), overlay.label, fill=overlay.colour, anchor="lt", **style)
            top += round(40 * unit)


def _font(size: int) -> Any:
    """Return a font that has the sign for micro; Pillow's own has not."""
    from PIL import ImageFont

    try:
        from matplotlib import get_data_path
    except ImportError as error:
        raise MissingExtraError("matplotlib", "report") from error
    return ImageFont.truetype(f"{get_data_path()}/fonts/ttf/DejaVuSans.ttf", size)
