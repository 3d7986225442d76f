"""Open what ``clemkit register`` works on, and find mistakes before any long work."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np

from clemkit.errors import ArgumentError, AxisError, NotFoundError, UnitError
from clemkit.geometry import Grid, Space
from clemkit.volumes import Modality, Volume, open_volume, probe
from clemkit.workflows.label_repairs import repair_labels
from clemkit.workflows.modality import (
    guess_modality,
    is_label_like,
    mask_threshold,
    sample_planes,
)

__all__ = ["Inputs", "Side", "open_inputs", "open_labels"]

FIXED, MOVING = Space("fixed"), Space("moving")
_FACE_TO_FACE = 0.05  # share of the labels that must lie in their volume
_MUCH_SMALLER = 0.6  # of the fixed field, above which exchanged volumes are not suspected


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Side:
    """One of the two volumes.

    Attributes
    ----------
    path : Path
    volume : Volume
        Opened lazily.
    labels : Volume or None
        Structures to match, on any grid of the same space.
    labels_path : Path or None
        None also where the volume itself is the labels.
    channel : int or None
        Channel to match; None lets the engine choose.
    """

    path: Path
    volume: Volume
    labels: Volume | None
    labels_path: Path | None
    channel: int | None


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Inputs:
    """What is registered, and what was noticed while opening it.

    Attributes
    ----------
    fixed, moving : Side
    notes : tuple of str
        Decisions and remarks for the user.
    hints : tuple of str
        Suspicions that explain a failure.
    """

    fixed: Side
    moving: Side
    notes: tuple[str, ...]
    hints: tuple[str, ...] = field(default=())

    @property
    def paths(self) -> tuple[Path, ...]:
        """All files that were read."""
        wanted = (self.fixed.path, self.fixed.labels_path, self.moving.path,
                  self.moving.labels_path)  # fmt: skip
        return tuple(path for path in wanted if path is not None)


def open_inputs(
    fixed: str | Path,
    moving: str | Path,
    *,
    fixed_labels: str | Path | None = None,
    moving_labels: str | Path | None = None,
    structure: str | None = None,
    fixed_voxel_size_zyx_nm: Sequence[float] | None = None,
    moving_voxel_size_zyx_nm: Sequence[float] | None = None,
    fixed_channel: int | str | None = None,
    moving_channel: int | str | None = None,
    fixed_modality: Modality | None = None,
    moving_modality: Modality | None = None,
) -> Inputs:
    """Open both volumes and their labels lazily, and guess what was not said.

    See :func:`clemkit.workflows.register.register_files` for the parameters and errors.
    """
    notes: list[str] = []
    first = _open_side(
        "fixed", FIXED, Path(fixed), fixed_labels, structure, fixed_voxel_size_zyx_nm,
        fixed_channel, fixed_modality, notes,
    )  # fmt: skip
    second = _open_side(
        "moving", MOVING, Path(moving), moving_labels, structure, moving_voxel_size_zyx_nm,
        moving_channel, moving_modality, notes,
    )  # fmt: skip
    _require_same_depth(first.volume.grid, second.volume.grid)
    return Inputs(
        fixed=first, moving=second, notes=tuple(notes), hints=tuple(_suspicions(first, second))
    )


def _open_side(
    side: str,
    space: Space,
    path: Path,
    labels_path: str | Path | None,
    structure: str | None,
    voxel: Sequence[float] | None,
    channel: int | str | None,
    modality: Modality | None,
    notes: list[str],
) -> Side:
    info = probe(path)
    notes += [
        f"{side} volume: {remark}"
        for remark in info.warnings
        if voxel is None or "size" not in remark  # the caller has answered it
    ]
    default: Modality = "em" if side == "fixed" else "xray_ct"
    only = channel if info.is_rgb else None
    volume = _open(path, side, voxel, space, channel=only)
    if info.is_rgb:
        channel = None if only is None else 0
    if volume.dtype.kind not in "iubf":
        raise AxisError(
            f"{path}: expected real numbers as voxels; found {volume.dtype}; "
            "export the intensity and register that"
        )
    chosen = _channel(side, volume, channel, structure, notes)
    planes = sample_planes(volume, chosen or 0)
    given = labels_path is not None
    is_labels = (
        not given and structure != "intensity" and volume.channel_count == 1
        and (is_label_like(planes) or mask_threshold(planes) is not None)
    )  # fmt: skip
    if modality is None:
        guess = guess_modality(volume, planes, default, labels=is_labels)
        modality = guess.modality
        notes.append(f"{side} volume taken as {_NAMES[modality]} ({guess.reason})")
    volume = replace(volume, modality=modality)
    labels: Volume | None = None
    if labels_path is not None:
        labels = open_labels(side, Path(labels_path), volume, voxel is not None, notes)
    elif is_labels:
        if mask_threshold(planes) is None:
            volume = _open(path, side, voxel, space, role="labels", channel=only)
        volume, repairs = repair_labels(replace(volume, modality=modality), planes, side)
        labels = volume
        notes += repairs
        notes.append(
            f"{side} volume holds labels, not grey values; its structures are matched "
            "(--structure intensity matches the values instead)"
        )
    return Side(
        path=path,
        volume=volume,
        labels=labels,
        labels_path=None if labels_path is None else Path(labels_path),
        channel=chosen,
    )


_NAMES = {"em": "electron microscopy", "lm": "light microscopy", "xray_ct": "X-ray CT"}


def _open(
    path: Path,
    side: str,
    voxel: Sequence[float] | None,
    space: Space,
    *,
    role: str = "intensity",
    channel: int | str | None = None,
) -> Volume:
    flags = (("--voxel-size", f"--{side}-voxel-size"), ("choose a channel", f"--{side}-channel"))
    try:
        return open_volume(
            path,
            voxel_size_zyx_nm=voxel,
            space=space,
            role=role,  # type: ignore[arg-type]
            channel=channel,
        )
    except UnitError as error:
        raise UnitError(str(error).replace(*flags[0])) from None
    except AxisError as error:
        text = str(error).replace("choose a channel", f"choose a channel ({flags[1][1]})")
        text = text.replace("(0-based)", "and extract it: clemkit convert --time N")
        raise AxisError(text) from None


def _channel(
    side: str,
    volume: Volume,
    channel: int | str | None,
    structure: str | None,
    notes: list[str],
) -> int | None:
    """Return the channel to match; None where the engine shall try all."""
    if channel is not None:
        try:
            return volume.channel_index(channel)
        except NotFoundError as error:
            raise NotFoundError(f"--{side}-channel: {error}") from None
    if volume.channel_count == 1:
        return 0
    names = [name.lower() for name in volume.channels]
    if structure is not None and structure.lower() in names:
        index = names.index(structure.lower())
        notes.append(f"{side} channel {volume.channels[index]} taken, as --structure names it")
        return index
    if side == "fixed":
        notes.append(
            f"the first of {volume.channel_count} fixed channels is matched; "
            "pass --fixed-channel to choose"
        )
        return 0
    return None


def open_labels(
    side: str, path: Path, volume: Volume, overridden: bool, notes: list[str]
) -> Volume:
    """Open labels; where they have the shape of their volume, they lie on its grid."""
    grid = volume.grid
    info = probe(path)
    what = f"{path}: --{side}-labels"
    if info.is_rgb or info.extent("c") > 1:
        raise AxisError(f"{what}: expected one label per voxel; found {info.extent('c')} channels")
    same = info.shape_zyx == grid.shape_zyx
    known = info.voxel_size_zyx_nm is not None
    if not same and not known:
        raise ArgumentError(
            f"{what}: expected the shape {grid.shape_zyx} (z, y, x) of the {side} volume, or a "
            f"voxel size in the file; found shape {info.shape_zyx} and no voxel size; check the "
            "axes, or convert it with: clemkit convert --voxel-size Z,Y,X"
        )
    voxel = grid.voxel_size_zyx_nm if same else None
    labels = _open(path, side, voxel, grid.space)
    planes = sample_planes(labels)
    if mask_threshold(planes) is None:
        labels = _open(path, side, voxel, grid.space, role="labels")
    labels, repairs = repair_labels(labels, planes, side)
    notes += repairs
    if same:
        own = info.voxel_size_zyx_nm
        if known and not overridden and not np.allclose(own or (), grid.voxel_size_zyx_nm):
            notes.append(
                f"{side} labels state voxels of {own} nm but have the shape of the {side} volume; "
                f"its {grid.voxel_size_zyx_nm} nm were taken"
            )
        return replace(labels, grid=grid, modality=volume.modality)
    share = _shared(labels.grid, grid)
    if share < _FACE_TO_FACE:
        raise ArgumentError(
            f"{what}: expected labels of the {side} volume, which spans {_span(grid)}; found "
            f"{_span(labels.grid)}, of which {share:.0%} lies in it; check the axes and voxel sizes"
        )
    if overridden:
        notes.append(
            f"{side} labels differ in shape from their volume: they keep the voxel size of their "
            f"file, {labels.grid.voxel_size_zyx_nm} nm"
        )
    return replace(labels, modality=volume.modality)


def _shared(part: Grid, whole: Grid) -> float:
    """Return the share of *part*'s volume that lies in *whole*."""
    low = np.maximum(part.corners()[0], whole.corners()[0])
    high = np.minimum(part.corners()[-1], whole.corners()[-1])
    return float(np.prod(np.maximum(high - low, 0) / part.extent_zyx_nm))


def _span(grid: Grid) -> str:
    return " x ".join(f"{v / 1000:.3g}" for v in grid.extent_zyx_nm) + " um (z, y, x)"


def _require_same_depth(fixed: Grid, moving: Grid) -> None:
    flat = [grid.shape_zyx[0] == 1 for grid in (fixed, moving)]
    if flat[0] != flat[1]:
        names = ("fixed", "moving") if flat[0] else ("moving", "fixed")
        stack = moving if flat[0] else fixed
        raise AxisError(
            f"register: expected two volumes, or two pictures of one section; found one plane as "
            f"the {names[0]} volume and {stack.shape_zyx[0]} planes as the {names[1]}; choose the "
            "matching plane, or check that the planes of a stack were not read as channels"
        )


def _suspicions(fixed: Side, moving: Side) -> list[str]:
    """Say what points at exchanged volumes or wrong voxel sizes."""
    found = []
    if fixed.volume.modality == "lm" and moving.volume.modality == "em":
        found.append(
            "the fixed volume looks like light microscopy and the moving one like EM; they may be "
            "exchanged: pass the EM as --fixed"
        )
    extents = [side.volume.grid.extent_zyx_nm[1:] for side in (fixed, moving)]
    if np.all(extents[1] < _MUCH_SMALLER * extents[0]):
        found.append(
            f"the moving field ({_span(moving.volume.grid)}) is smaller than the fixed one "
            f"({_span(fixed.volume.grid)}); fixed and moving may be exchanged, or a voxel size is "
            "wrong"
        )
    return found
