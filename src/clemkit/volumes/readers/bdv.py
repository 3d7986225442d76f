"""BigDataViewer: an XML file beside an HDF5 file or an N5 container."""

from __future__ import annotations

import xml.etree.ElementTree as ElementTree
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from clemkit.errors import FormatError, NotFoundError, UnitError
from clemkit.geometry import FloatArray, to_nanometres
from clemkit.volumes.readers.hdf5 import Hdf5Array, open_hdf5
from clemkit.volumes.readers.info import Found, Selection, VolumeInfo, json_ready
from clemkit.volumes.readers.n5 import multiscale_levels, n5_attributes
from clemkit.volumes.readers.n5_source import N5Source
from clemkit.volumes.readers.voxel_size import complete

__all__ = ["find_xml", "read_bdv", "read_bdv_hdf5"]


@dataclass(frozen=True, slots=True)
class _Setup:
    number: int
    name: str
    size_xyz: tuple[float, ...]
    unit: str | None
    to_world: FloatArray  # (4, 4), x, y, z, the unit of the XML


@dataclass(frozen=True, slots=True)
class _Level:
    data: Any
    factor_zyx: tuple[float, float, float]


def find_xml(path: Path) -> Path | None:
    """Return the BigDataViewer XML of the same name beside a container, if there is one."""
    xml = path.with_suffix(".xml")
    return xml if path.suffix and xml.exists() else None


def read_bdv(path: Path, selection: Selection) -> Found:
    """Read the header of a BigDataViewer data set from its XML.

    The registration of the view gives voxel size and origin where it has no rotation or shear;
    otherwise the plain voxel size is used, with a warning.

    Raises
    ------
    FormatError
        The XML is damaged or its image loader is not supported.
    NotFoundError
        There is no such view setup, time point or level.
    """
    try:
        root = ElementTree.parse(path).getroot()
    except ElementTree.ParseError as error:
        raise FormatError(path, f"expected XML; found: {error}") from error
    loader = root.find("./SequenceDescription/ImageLoader")
    kind = loader.get("format", "") if loader is not None else ""
    node = None if loader is None else loader.find("hdf5" if kind == "bdv.hdf5" else "n5")
    if kind not in ("bdv.hdf5", "bdv.n5") or node is None or not node.text:
        raise FormatError(path, f"expected an image loader bdv.hdf5 or bdv.n5; found {kind!r}")
    container = Path(node.text.strip())
    if not container.is_absolute():
        container = path.parent / container
    if not container.exists():
        raise NotFoundError(f"{path}: expected its container {container}; found nothing there")
    times = _times(root)
    return _found(path, container, kind == "bdv.hdf5", _setups(path, root), times, selection)


def read_bdv_hdf5(path: Path, selection: Selection) -> Found:
    """Read a BigDataViewer HDF5 file, through its XML where that lies beside it."""
    xml = find_xml(path)
    if xml is not None:
        return read_bdv(xml, selection)
    with open_hdf5(path) as file:
        numbers = sorted(int(n[1:]) for n in file if n[:1] == "s" and n[1:].isdecimal())
        times = sorted(int(n[1:]) for n in file if n[:1] == "t" and n[1:].isdecimal())
    setups = [_Setup(n, f"setup {n}", (), None, np.eye(4)) for n in numbers]
    return _found(path, path, True, setups, times, selection)


def _times(root: ElementTree.Element) -> list[int]:
    node = root.find("./SequenceDescription/Timepoints")
    if node is None:
        return [0]
    if node.get("type") == "range":
        first, last = (int(node.findtext(name, "0")) for name in ("first", "last"))
        return list(range(first, last + 1))
    text = node.findtext("integerpattern", "0")
    return [int(part) for part in text.split(",") if part.strip().isdecimal()] or [0]


def _setups(path: Path, root: ElementTree.Element) -> list[_Setup]:
    setups = []
    for node in root.findall("./SequenceDescription/ViewSetups/ViewSetup"):
        number = int(node.findtext("id", "0"))
        sizes = tuple(float(v) for v in node.findtext("voxelSize/size", "").split())
        unit = node.findtext("voxelSize/unit")
        world = np.eye(4)
        for view in root.findall("./ViewRegistrations/ViewRegistration"):
            if int(view.get("setup", "-1")) == number:
                for text in (t.findtext("affine", "") for t in view.findall("ViewTransform")):
                    rows = np.array([float(v) for v in text.split()])
                    if rows.size == 12:  # the first one listed is applied last
                        world = world @ np.vstack([rows.reshape(3, 4), [0, 0, 0, 1]])
                break
        setups.append(_Setup(number, node.findtext("name", f"setup {number}"), sizes, unit, world))
    if not setups:
        raise FormatError(path, "expected at least one view setup; found none")
    return setups


def _found(
    path: Path,
    container: Path,
    is_hdf5: bool,
    setups: list[_Setup],
    times: list[int],
    selection: Selection,
) -> Found:
    names = [s.name for s in setups]
    setup = setups[_number(path, names, selection.series)]
    levels = _levels(container, is_hdf5, setup.number, times[0])
    if not 0 <= selection.level < len(levels):
        raise NotFoundError(f"{path}: level {selection.level}: expected 0 to {len(levels) - 1}")
    level = levels[selection.level]
    sizes, origin, warnings = _placing(setup, level.factor_zyx)
    voxel, remarks = complete(sizes, level.data.shape[0])
    lead = (len(times),) if len(times) > 1 else ()
    info = VolumeInfo(
        path=path,
        format="bdv-hdf5" if is_hdf5 else "bdv-n5",
        shape=(*lead, *level.data.shape),
        axes="tzyx" if lead else "zyx",
        dtype=str(level.data.dtype.newbyteorder("=")),
        voxel_size_zyx_nm=voxel,
        origin_zyx_nm=origin if voxel else (0.0, 0.0, 0.0),
        unit=setup.unit,
        series=tuple(names) if len(names) > 1 else (),
        levels=tuple((*lead, *one.data.shape) for one in levels) if len(levels) > 1 else (),
        metadata=json_ready({"setup": setup.name, "view_to_world_xyz": setup.to_world}),
        warnings=(*warnings, *remarks),
    )

    def source(time: int) -> Any:
        there = _levels(container, is_hdf5, setup.number, times[time])
        return there[selection.level].data

    return Found(info=info, source=source)


def _number(path: Path, names: list[str], wanted: int | str | None) -> int:
    if wanted is None:
        return 0
    if wanted in names:
        return names.index(str(wanted))
    if str(wanted).isdecimal() and int(wanted) < len(names):
        return int(wanted)
    raise NotFoundError(
        f"{path}: series {wanted!r}: expected 0 to {len(names) - 1} or one of: {', '.join(names)}"
    )


def _levels(container: Path, is_hdf5: bool, setup: int, time: int) -> list[_Level]:
    if is_hdf5:
        return _hdf5_levels(container, setup, time)
    folders = multiscale_levels(container / f"setup{setup}" / f"timepoint{time}")
    if not folders:
        raise FormatError(container, f"expected setup {setup}, time point {time}; found none")
    group = n5_attributes(container / f"setup{setup}").get("downsamplingFactors", [])
    levels = []
    for i, folder in enumerate(folders):
        attributes = n5_attributes(folder)
        stated = attributes.get("downsamplingFactors") or (group[i] if i < len(group) else [1] * 3)
        x, y, z = (float(v) for v in stated)
        levels.append(_Level(N5Source(folder, attributes), (z, y, x)))
    return levels


def _hdf5_levels(path: Path, setup: int, time: int) -> list[_Level]:
    levels = []
    with open_hdf5(path) as file:
        try:
            factors = np.asarray(file[f"s{setup:02d}/resolutions"], float)
            for i, (x, y, z) in enumerate(factors):
                name = f"t{time:05d}/s{setup:02d}/{i}/cells"
                item = file[name]
                # BigDataViewer stores unsigned voxels in signed data sets
                view = np.uint16 if item.dtype == np.int16 else None
                levels.append(
                    _Level(Hdf5Array(path, name, item.shape, item.dtype, view), (z, y, x))
                )
        except KeyError as error:
            raise FormatError(path, f"expected a BigDataViewer layout; found: {error}") from error
    return levels


def _placing(
    setup: _Setup, factor_zyx: tuple[float, float, float]
) -> tuple[dict[str, float], tuple[float, float, float], list[str]]:
    none = (0.0, 0.0, 0.0)
    if setup.unit is None:
        return {}, none, []
    try:
        unit = to_nanometres(1.0, setup.unit)
    except UnitError:
        return {}, none, [f"voxel size {setup.size_xyz} {setup.unit!r} is not a length: no size"]
    warnings: list[str] = []
    matrix, shift = setup.to_world[:3, :3], setup.to_world[:3, 3]
    scale = np.diag(matrix)
    if np.allclose(matrix, np.diag(scale), atol=1e-9 * np.abs(matrix).max()) and scale.min() > 0:
        if setup.size_xyz and not np.allclose(scale, setup.size_xyz, rtol=1e-3):
            warnings.append(
                f"the registration scales voxels to {tuple(scale)} {setup.unit}, unlike the voxel "
                f"size {setup.size_xyz}; the registration is used"
            )
    else:
        scale, shift = np.array(setup.size_xyz or (0, 0, 0), float), np.zeros(3)
        warnings.append("the view's rotation, shear or mirror is not applied: use its affine")
    factors = np.array(factor_zyx)
    size = scale[::-1] * unit
    origin = shift[::-1] * unit + (factors - 1) / 2 * size
    sizes = {a: float(s * f) for a, s, f in zip("zyx", size, factors, strict=True) if s > 0}
    return sizes, (float(origin[0]), float(origin[1]), float(origin[2])), warnings
