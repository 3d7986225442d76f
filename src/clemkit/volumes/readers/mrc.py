"""MRC and CCP4 maps [1]_, read by their header; sizes are in angstrom.

References
----------
.. [1] MRC2014 format; IMOD's documentation of its use of the header.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any, Literal

import numpy as np

from clemkit.errors import AxisError, FormatError
from clemkit.geometry import to_nanometres
from clemkit.volumes.readers.info import Found, Selection, VolumeInfo, json_ready
from clemkit.volumes.readers.voxel_size import complete
from clemkit.volumes.source import RawSource, arrange

__all__ = ["read_mrc"]

_HEADER = 1024
_IMOD = 1146047817  # "IMOD" as an integer
_MODES = {0: "i1", 1: "i2", 2: "f4", 6: "u2", 12: "f2"}
_REFUSED = {3: "complex 16-bit", 4: "complex 32-bit", 16: "RGB", 101: "4-bit"}
_STAMPS: dict[int, tuple[Literal["<", ">"], ...]] = {0x44: ("<",), 0x11: (">",)}
_FIELDS = np.dtype(
    {
        "names": [
            "n", "mode", "start", "m", "cell", "map_axes", "ispg", "nsymbt", "exttyp", "nversion",
            "imod_stamp", "imod_flags", "origin", "map", "stamp", "nlabl", "labels",
        ],
        "formats": [
            ("i4", 3), "i4", ("i4", 3), ("i4", 3), ("f4", 3), ("i4", 3), "i4", "i4", "S4", "i4",
            "i4", "i4", ("f4", 3), "S4", ("u1", 4), "i4", ("S80", 10),
        ],
        "offsets": [0, 12, 16, 28, 40, 64, 88, 92, 104, 108, 152, 156, 196, 208, 212, 220, 224],
        "itemsize": _HEADER,
    }
)  # fmt: skip


def read_mrc(path: Path, selection: Selection) -> Found:
    """Read the header of an MRC file.

    Axes are brought to z, y, x by the map's own axis numbers. Origins are kept as metadata
    only, because programs disagree about their sign and unit.

    Raises
    ------
    FormatError
        The header is implausible, the file truncated, or the voxel type not supported.
    """
    with path.open("rb") as stream:
        data = stream.read(_HEADER)
    if len(data) < _HEADER:
        raise FormatError(path, f"expected an MRC header of {_HEADER} bytes; found {len(data)}")
    warnings: list[str] = []
    header, order = _decode(path, data, warnings)
    shape = tuple(int(n) for n in header["n"][::-1])
    dtype = _voxel_type(path, header, warnings).newbyteorder(order)
    axes = _axes(path, header)
    raw = RawSource(path, shape, dtype, _HEADER + max(int(header["nsymbt"]), 0))
    if int(header["ispg"]) == 401 and 0 < header["m"][2] < shape[0]:
        raise AxisError(
            f"{path}: expected one volume; found a stack of {shape[0] // int(header['m'][2])} "
            "volumes; split it first"
        )
    sizes = _sizes(header, warnings)
    extent = dict(zip(axes, shape, strict=True))
    voxel, remarks = complete(sizes, extent["z"])
    if np.any(header["origin"] != 0) or np.any(header["start"] != 0):
        warnings.append("the origin in the header is kept as metadata only: programs disagree")
    labels = [bytes(label).decode("latin-1").strip() for label in header["labels"]]
    info = VolumeInfo(
        path=path,
        format="mrc",
        shape=(extent["z"], extent["y"], extent["x"]),
        axes="zyx",
        dtype=str(dtype.newbyteorder("=")),
        voxel_size_zyx_nm=voxel,
        unit="angstrom" if voxel else None,
        metadata=json_ready(
            {
                "mode": header["mode"],
                "cell_xyz_angstrom": header["cell"],
                "sampling_xyz": header["m"],
                "origin_xyz": header["origin"],
                "start": header["start"],
                "axes_of_columns_rows_sections": header["map_axes"],
                "space_group": header["ispg"],
                "extended_header": bytes(header["exttyp"]).decode("latin-1").strip("\0 "),
                "labels": [label for label in labels if label],
            }
        ),
        warnings=(*warnings, *remarks),
    )

    def source(time: int) -> Any:
        raw.check()
        return arrange(raw, axes, time)

    return Found(info=info, source=source)


def _decode(path: Path, data: bytes, warnings: list[str]) -> tuple[Any, Literal["<", ">"]]:
    orders = _STAMPS.get(data[212], ("<", ">"))
    if data[208:211] != b"MAP" or data[212] not in _STAMPS:
        warnings.append("no MAP id or machine stamp: byte order taken from the plausible header")
    for order in orders:
        header = np.frombuffer(data, _FIELDS.newbyteorder(order))[0]
        plausible = np.all(header["n"] > 0) and np.all(header["n"] < 1 << 24)
        if plausible and int(header["mode"]) in (*_MODES, *_REFUSED):
            return header, order
    raise FormatError(path, "expected a plausible MRC header; found no valid extent and mode")


def _voxel_type(path: Path, header: Any, warnings: list[str]) -> np.dtype[Any]:
    mode = int(header["mode"])
    if mode in _REFUSED:
        raise FormatError(path, f"expected integer or real voxels; found mode {mode}: "
                                f"{_REFUSED[mode]}; convert it first")  # fmt: skip
    if mode == 0:
        if int(header["imod_stamp"]) == _IMOD:
            return np.dtype("i1" if int(header["imod_flags"]) & 1 else "u1")
        if int(header["nversion"]) not in (20140, 20141):
            warnings.append("mode 0 before MRC2014: bytes taken as unsigned")
            return np.dtype("u1")
    return np.dtype(_MODES[mode])


def _axes(path: Path, header: Any) -> str:
    numbers = [int(n) for n in header["map_axes"]]
    if numbers == [0, 0, 0]:
        numbers = [1, 2, 3]
    if sorted(numbers) != [1, 2, 3]:
        raise FormatError(path, f"expected axis numbers 1, 2, 3 in some order; found {numbers}")
    return "".join("xyz"[n - 1] for n in reversed(numbers))


def _sizes(header: Any, warnings: list[str]) -> dict[str, float]:
    sizes: dict[str, float] = {}
    for axis, edge, steps in zip("xyz", header["cell"], header["m"], strict=True):
        size = float(edge) / int(steps) if steps > 0 else 0.0
        if 0 < size < float("inf"):
            sizes[axis] = to_nanometres(size, "angstrom")
        else:
            warnings.append(f"{axis} cell of {float(edge):g} angstrom over {int(steps)}: no size")
    if len(sizes) == 3:
        mean = (sizes["x"] + sizes["y"]) / 2
        if abs(sizes["z"] - mean) > 0.01 * mean:
            warnings.append(f"z cell is {sizes['z']:g} nm, unlike x and y ({mean:g} nm): check it")
        if all(abs(size - 0.1) < 1e-6 for size in sizes.values()):
            warnings.append("a voxel of exactly 1 angstrom is what many programs write by default")
    return sizes
