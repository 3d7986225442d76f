"""Which planes a thumbnail shows, and reading no more of them than it takes."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from clemkit.deposition.headers import matching_paths
from clemkit.deposition.thumbnail import Overlay, render_thumbnail
from clemkit.errors import ClemkitError, DataError
from clemkit.geometry import Box, Grid, Space

if TYPE_CHECKING:
    from clemkit.transforms import Transform
    from clemkit.volumes import Modality, Volume

__all__ = ["make_thumbnail", "volume_path"]

_PIXELS = 1000  # about; a coarser level of a pyramid is read where it has as many
_THROUGH = 1e7  # nm; a single image stands for all depths
_BAND = 64  # rows of the picture that are read at once
_LAST = ("segmentation", "registered", "tilt_series", "projections")  # shown if nothing else is
_PLANES = (".tif", ".tiff", ".png")
_PLACES = (0.5, 0.35, 0.65)  # of the depth, where light is looked for
_COLOURS = ((255, 0, 255), (0, 255, 0), (0, 200, 255))
_RGB = ((255, 0, 0), (0, 255, 0), (0, 0, 255))  # a colour picture keeps its colours
_FIXED, _MOVING = Space("fixed"), Space("moving")
_MODALITIES = ("em", "xray_ct", "lm")  # the ground of the picture, the best first


def make_thumbnail(data: Mapping[str, Any], folder: Path) -> tuple[bytes | None, str]:
    """Return the thumbnail of an experiment as PNG, and what it shows, or why there is none.

    A plane of the fixed image of a correlation in grey, the moving image over it in colour, through
    the transform of the correlation; a plane of an EM image where nothing is registered.

    Parameters
    ----------
    data : mapping
        The description in long form.
    folder : Path
        Its folder.

    Raises
    ------
    MissingExtraError
        Pillow is not installed.
    """
    images = {str(i["id"]): i for i in data.get("images", ()) if isinstance(i, Mapping)}
    reasons: list[str] = []
    for correlation in data.get("correlations", ()):
        if correlation.get("correlation_status") == "failed":
            continue
        try:
            return _of_correlation(correlation, images, folder)
        except (ClemkitError, OSError, KeyError) as error:
            if isinstance(error, ImportError):
                raise
            reasons.append(f"{correlation.get('id')}: {' '.join(str(error).split())}")
    ordered = sorted(images.values(), key=_rank)
    for image in ordered:
        try:
            volume = _opened(image, folder)
            plane, grid = _plane(volume, grid_index(volume, 0.5))
        except (ClemkitError, OSError) as error:
            if isinstance(error, ImportError):
                raise
            reasons.append(f"{image['id']}: {' '.join(str(error).split())}")
            continue
        why = f"; nothing over it: {'; '.join(reasons)}" if reasons else ""
        picture = render_thumbnail(plane, grid.voxel_size_zyx_nm[1:])
        return picture, f"a plane of {image['id']}{why}"
    return None, "; ".join(reasons) or "no image with files"


def _rank(image: Mapping[str, Any]) -> tuple[bool, int]:
    modality = image.get("modality")
    place = _MODALITIES.index(modality) if modality in _MODALITIES else len(_MODALITIES)
    return image.get("image_kind") in _LAST, place


def volume_path(image: Mapping[str, Any], folder: Path) -> Path | None:
    """Return what to open for an image: its one file or store, or its folder of planes."""
    file_set = image.get("file_set")
    paths = matching_paths(file_set, folder) if isinstance(file_set, Mapping) else []
    headers = [p for p in paths if p.suffix.lower() in (".xml", ".mhd", ".nhdr")]
    if len(paths) == 1 or len(headers) == 1:
        return headers[0] if headers else paths[0]
    if paths and paths[0].suffix.lower() not in _PLANES:
        return paths[0]  # several volumes, the first stands for them
    return paths[0].parent if paths else None


def _opened(
    image: Mapping[str, Any], folder: Path, space: Space = _FIXED, channel: int | None = None
) -> Volume:
    """Open an image at the level that the picture needs."""
    from clemkit.metadata.validate.quantities import base_value
    from clemkit.volumes import open_volume, probe

    path = volume_path(image, folder)
    if path is None:
        raise DataError(f"{image.get('id')}: expected files; found none")
    sizes = [base_value(image.get(f"voxel_size_{axis}")) for axis in "zyx"]
    voxel = [s * 1e9 for s in sizes if s is not None]
    if sizes[0] is None and len(voxel) == 2 and image.get("size_z", 1) == 1:
        voxel.insert(0, _THROUGH)
    modality: Modality = image["modality"] if image.get("modality") in _MODALITIES else "em"
    dataset = (image.get("file_set") or {}).get("dataset_path")
    info = probe(path, dataset=dataset)
    level = sum(min(shape[-2:]) >= _PIXELS for shape in info.levels[1:])
    return open_volume(
        path,
        channel=(channel or 0) if info.is_rgb else None,
        voxel_size_zyx_nm=voxel if len(voxel) == 3 else None,
        space=space,
        modality=modality,
        dataset=dataset,
        level=level,
    )


def _is_picture(image: Mapping[str, Any], folder: Path) -> bool:
    from clemkit.volumes import probe

    path = volume_path(image, folder)
    dataset = (image.get("file_set") or {}).get("dataset_path")
    return (
        path is not None
        and (info := probe(path, dataset=dataset)).is_rgb
        and (info.extent("c") > 2)
    )


def grid_index(volume: Volume, share: float) -> int:
    """Return the plane at a share of the depth."""
    depth = volume.grid.shape_zyx[0]
    return min(int(share * depth), depth - 1)


def _plane(volume: Volume, z: int, channel: int = 0) -> tuple[np.ndarray[Any, Any], Grid]:
    """Read one plane, thinned where it is very large."""
    _, rows, columns = volume.grid.shape_zyx
    step = max(min(rows, columns) // _PIXELS, 1)
    if step == 1:
        plane = volume.read(Box((z, 0, 0), (z + 1, rows, columns)), channel)[0]
    else:  # in bands: a plane may have a gigavoxel
        width = columns // step * step
        bands = []
        for top in range(0, rows // step * step, _BAND * step):
            stop = min(top + _BAND * step, rows // step * step)
            band = volume.read(Box((z, top, 0), (z + 1, stop, width)), channel)[0]
            parts = band.reshape((stop - top) // step, step, width // step, step)
            bands.append(parts.mean(axis=(1, 3), dtype=np.float32))
        plane = np.concatenate(bands)
    grid = volume.grid.crop(Box((z, 0, 0), (z + 1, rows, columns)))
    dz, dy, dx = grid.voxel_size_zyx_nm
    oz, oy, ox = grid.origin_zyx_nm
    shift = (step - 1) / 2
    return plane, Grid(
        space=grid.space,
        shape_zyx=(1, *plane.shape),
        voxel_size_zyx_nm=(dz, dy * step, dx * step),
        origin_zyx_nm=(oz, oy + shift * dy, ox + shift * dx),
    )


def _of_correlation(
    correlation: Mapping[str, Any], images: Mapping[str, Mapping[str, Any]], folder: Path
) -> tuple[bytes, str]:
    fixed_image, moving_image = (
        images[correlation["fixed_image"]],
        images[correlation["moving_image"]],
    )
    pull = _fixed_to_moving(correlation, folder)
    fixed = _opened(fixed_image, folder)
    moving = _opened(moving_image, folder, _MOVING)
    channels = list(_channels(moving_image, moving, correlation))
    parts = [moving] * len(channels)
    if _is_picture(moving_image, folder):
        parts = [_opened(moving_image, folder, _MOVING, channel) for channel in range(3)]
        channels = [(0, colour, "") for colour in _RGB]
    best: tuple[float, Any, Grid, list[Overlay]] | None = None
    for share in dict.fromkeys(grid_index(fixed, s) for s in _PLACES):
        plane, grid = _plane(fixed, share)
        layers = [
            _overlay(part, number, grid, pull, colour, label)
            for part, (number, colour, label) in zip(parts, channels, strict=True)
        ]
        light = sum(float(np.nansum(_contrast(layer.values))) for layer in layers)
        if best is None or light > best[0]:
            best = (light, plane, grid, layers)
    assert best is not None  # there is at least one plane
    _, plane, grid, layers = best
    if not any(np.isfinite(layer.values).any() for layer in layers):
        raise DataError("expected images that overlap; found none of the moving image here")
    picture = render_thumbnail(plane, grid.voxel_size_zyx_nm[1:], layers)
    return picture, f"{moving_image['id']} on a plane of {fixed_image['id']}"


def _contrast(values: np.ndarray[Any, Any]) -> np.ndarray[Any, Any]:
    found = values[np.isfinite(values)]
    return np.clip(values - np.median(found), 0, None) if found.size else np.zeros(1)


def _channels(
    image: Mapping[str, Any], volume: Volume, correlation: Mapping[str, Any]
) -> Iterator[tuple[int, tuple[int, int, int], str]]:
    """Yield up to three channels with colour and label; first what both images show."""
    described = {c.get("channel_index"): c for c in image.get("channels") or ()}
    wanted = {t.get("term") for t in correlation.get("structures_used") or ()}

    def matters(number: int) -> bool:
        terms = described.get(number, {}).get("channel_biological_entity_terms") or ()
        return bool({t.get("term") for t in terms} & wanted)

    numbers = sorted(range(volume.channel_count), key=lambda n: (not matters(n), n))
    for place, number in enumerate(numbers[:3]):
        entry = described.get(number, {})
        text = str(entry.get("display_colour") or "")
        colour = _COLOURS[place]
        if len(text) == 7:
            colour = (int(text[1:3], 16), int(text[3:5], 16), int(text[5:7], 16))
        names = volume.channels
        label = entry.get("channel_name") or (names[number] if names else "")
        yield number, colour, str(label)


def _fixed_to_moving(correlation: Mapping[str, Any], folder: Path) -> Transform:
    from clemkit.transforms.io import read_transform

    chain: list[Transform] = []
    for transform in correlation.get("transforms") or ():
        forward = transform["transform_direction"] == "fixed_to_moving"
        source, target = (_FIXED, _MOVING) if forward else (_MOVING, _FIXED)
        if transform.get("matrix"):
            one: Transform = _affine(transform, source, target)
        else:
            path = folder / str(transform["transform_file"])
            one = read_transform(path, source=source, target=target)
        chain.append(one)
    if not chain:
        raise DataError("expected a transform; found none")
    if len(chain) > 1:
        raise DataError(f"expected one transform; found a sequence of {len(chain)}")
    return chain[0] if chain[0].source == _FIXED else chain[0].inverse()


def _affine(transform: Mapping[str, Any], source: Space, target: Space) -> Transform:
    from clemkit.geometry import to_nanometres
    from clemkit.transforms import Affine

    matrix = np.array(transform["matrix"], dtype=np.float64).reshape(4, 4)
    if transform.get("matrix_axes") == "xyz":
        order = [2, 1, 0, 3]
        matrix = matrix[np.ix_(order, order)]
    matrix[:3, 3] *= to_nanometres(1.0, str(transform.get("matrix_unit") or "nm"))
    return Affine(matrix, source=source, target=target)


def _overlay(
    moving: Volume,
    channel: int,
    grid: Grid,
    pull: Transform,
    colour: tuple[int, int, int],
    label: str,
) -> Overlay:
    from clemkit.warping import warp_array

    points = pull.apply_points(_lattice(grid))
    index = moving.grid.to_index(points)
    low = np.clip(np.floor(index.min(axis=0)) - 2, 0, np.array(moving.grid.shape_zyx))
    high = np.clip(np.ceil(index.max(axis=0)) + 3, 0, moving.grid.shape_zyx)
    if np.any(high <= low):
        return Overlay(values=np.full(grid.shape_zyx[1:], np.nan, np.float32), colour=colour)
    z, y, x = (int(v) for v in low)
    box = Box((z, y, x), (int(high[0]), int(high[1]), int(high[2])))
    data = moving.read(box, channel).astype(np.float32)
    there = replace(moving.grid.crop(box), space=pull.target)
    values = warp_array(data, there, grid, pull, fill=np.nan)[0]
    return Overlay(values=values, colour=colour, label=label)


def _lattice(grid: Grid, count: int = 24) -> np.ndarray[Any, Any]:
    """Return points that span a plane."""
    corners = grid.corners()
    axes: Sequence[Any] = [np.linspace(corners[0][a], corners[-1][a], count) for a in range(3)]
    return np.stack(np.meshgrid(*axes, indexing="ij"), axis=-1).reshape(-1, 3)
