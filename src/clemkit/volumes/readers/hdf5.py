"""HDF5 files: one data set with a stated element size, or a BigDataViewer file."""

from __future__ import annotations

import json
import threading
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from clemkit.errors import AxisError, FormatError, NotFoundError
from clemkit.volumes.readers.info import Found, Selection, VolumeInfo, json_ready
from clemkit.volumes.readers.voxel_size import complete
from clemkit.volumes.source import AnyArray, arrange

__all__ = ["Hdf5Array", "read_hdf5"]

_SIZES = (("element_size_um", 1e3), ("element_size_nm", 1.0))


class Hdf5Array:
    """One HDF5 data set, opened when first read.

    Parameters
    ----------
    path : Path
        The file.
    name : str
        The data set inside it.
    shape, dtype
        As the data set states them.
    view : numpy dtype, optional
        Reinterpret the stored values, which must have the same size.
    """

    def __init__(
        self, path: Path, name: str, shape: tuple[int, ...], dtype: Any, view: Any = None
    ) -> None:
        self.shape = tuple(shape)
        self.dtype = np.dtype(view or dtype)
        self._args = (path, name, self.shape, dtype, view)
        self._file: Any = None
        self._lock = threading.Lock()

    def __reduce__(self) -> tuple[type, tuple[Any, ...]]:
        return type(self), self._args

    def __getitem__(self, key: Any, /) -> AnyArray:
        path, name, _, _, view = self._args
        with self._lock:
            if self._file is None:
                self._file = open_hdf5(path)
            try:
                values = np.asarray(self._file[name][key])
            except OSError as error:
                raise FormatError(path, f"data set {name} cannot be read: {error}") from error
        return values if view is None else values.view(view)

    def __del__(self) -> None:
        if getattr(self, "_file", None) is not None:
            self._file.close()


def open_hdf5(path: Path) -> Any:
    """Open an HDF5 file for reading.

    Raises
    ------
    FormatError
        It is truncated or no HDF5 file.
    """
    import h5py

    try:
        return h5py.File(path, "r")
    except OSError as error:
        raise FormatError(path, f"expected a whole HDF5 file; found: {error}") from error


def read_hdf5(path: Path, selection: Selection) -> Found:
    """Read the header of an HDF5 file.

    Raises
    ------
    FormatError
        The file is damaged or has no image.
    NotFoundError
        There is no such data set; or there are several and none was chosen.
    AxisError
        A data set of more than three axes does not name them.
    """
    import h5py

    with open_hdf5(path) as file:
        if "t00000" in file and "s00" in file:
            from clemkit.volumes.readers.bdv import read_bdv_hdf5

            return read_bdv_hdf5(path, selection)
        names: list[str] = []

        def visit(name: str, item: Any) -> None:
            if isinstance(item, h5py.Dataset) and item.ndim >= 2 and item.dtype.kind in "iufb":
                names.append(name)

        file.visititems(visit)
        if not names:
            raise FormatError(path, "expected a data set of 2 or more axes; found none")
        wanted = selection.dataset.strip("/") if selection.dataset else None
        if wanted is not None and wanted not in names:
            raise NotFoundError(
                f"{path}: data set {selection.dataset!r}: expected one of: {', '.join(names)}"
            )
        chosen = wanted or names[0]
        item = file[chosen]
        axes = _axes(path, chosen, item)
        sizes, unit = _sizes(item.attrs, axes)
        shape = tuple(int(n) for n in item.shape)
        dtype = item.dtype
        attributes = {k: _plain(v) for k, v in item.attrs.items()}
        chunks = item.chunks
    extent = dict(zip(axes, shape, strict=True))
    extent.setdefault("z", 1)
    if extent.get("t") == 1:
        del extent["t"]
    order = "".join(a for a in "tczyx" if a in extent)
    voxel, remarks = complete(sizes, extent["z"])
    several = len(names) > 1 and wanted is None
    if several:
        remarks.append(f"several data sets ({', '.join(names)}); this is {chosen}; choose one")
    info = VolumeInfo(
        path=path,
        format="hdf5",
        shape=tuple(extent[a] for a in order),
        axes=order,
        dtype=str(dtype.newbyteorder("=")),
        voxel_size_zyx_nm=voxel,
        unit=unit,
        datasets=tuple(names),
        metadata=json_ready({"dataset": chosen, "chunks": chunks, "attributes": attributes}),
        warnings=tuple(remarks),
    )

    def source(time: int) -> Any:
        if several:
            raise NotFoundError(
                f"{path}: expected a choice of data set; found several: {', '.join(names)}; "
                f"name one (--dataset), or open {path}/{chosen}"
            )
        return arrange(Hdf5Array(path, chosen, shape, dtype), axes, time)

    return Found(info=info, source=source)


def _plain(value: Any) -> Any:
    return str(value) if type(value).__module__.startswith("h5py") else value


def _axes(path: Path, name: str, item: Any) -> str:
    labels = [str(d.label) for d in item.dims]
    if "axistags" in item.attrs:  # vigra and ilastik
        tags = json.loads(item.attrs["axistags"])
        labels = [str(axis["key"]) for axis in tags["axes"]]
    joined = "".join(labels).lower()
    if len(joined) == item.ndim and set(joined) <= set("tczyx") and {"y", "x"} <= set(joined):
        return joined
    if item.ndim <= 3:
        return "zyx"[-item.ndim :]
    raise AxisError(
        f"{path}: data set {name}: expected labelled axes for {item.ndim} axes {item.shape}; "
        "found none; label its dimensions or cut out one volume"
    )


def _sizes(attributes: Mapping[str, Any], axes: str) -> tuple[dict[str, float], str | None]:
    for name, factor in _SIZES:
        if name not in attributes:
            continue
        values = np.atleast_1d(np.asarray(attributes[name], float))
        spatial = [a for a in axes if a in "zyx"]
        if len(values) == 3:
            spatial = ["z", "y", "x"]
        pairs = zip(spatial, values, strict=False)
        sizes = {a: float(v) * factor for a, v in pairs if np.isfinite(v) and v > 0}
        return sizes, name.rpartition("_")[2]
    return {}, None
