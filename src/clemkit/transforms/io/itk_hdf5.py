"""ITK transform HDF5 files (``.h5``), the lossless record of a registration.

Read and written with h5py alone; SimpleITK, ITK, ANTs and Slicer read them.

Axis order
    x, y, z in the file; reversed here.
Unit
    The file has none. clemkit writes the one asked for (nm by default) into an attribute.
Direction
    As passed: points from source to target. Resampling a moving image onto a fixed grid needs
    fixed to moving. The last transform of a composite is applied first.
Origin
    Physical points; a grid's origin is the centre of its first sample.
Handedness
    Kept. No LPS or RAS flip: the data have no anatomical frame.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from clemkit.errors import FormatError, MissingExtraError, NotFoundError
from clemkit.geometry import FloatArray, Space
from clemkit.transforms.base import Transform
from clemkit.transforms.io.atomic_write import atomic_path
from clemkit.transforms.io.frame_note import MARK, FrameNote
from clemkit.transforms.io.itk_parts import ItkPart, decode_chain, encode_chain, split_type

__all__ = ["read_itk_hdf5", "write_itk_hdf5"]

_COMPOSITE = "CompositeTransform"
_GROUP = "TransformGroup"
# what ITK 5 writes at the top; readers only check that the names exist
_ORIGIN = {
    "ITKVersion": "5.4.0",
    "HDFVersion": "HDF5 library version: 1.12.1",
    "OSName": "clemkit",
    "OSVersion": "1",
}


def write_itk_hdf5(
    path: str | Path, transform: Transform, *, unit: str = "nm", overwrite: bool = False
) -> None:
    """Write a chain of Affine, BSpline and DisplacementField as an ITK HDF5 file.

    Parameters
    ----------
    path : path
        File to make, by custom ``.h5``.
    transform : Transform
        What to write.
    unit : str
        Length unit of the numbers. Bitwise exact for ``"nm"``.
    overwrite : bool
        Whether an existing file may be replaced.

    Raises
    ------
    ArgumentError
        The file exists, or the format cannot hold one of the parts.
    """
    h5py = _h5py()
    items, note = encode_chain(transform, unit)
    text = h5py.string_dtype("ascii")
    # built in memory: on a full disk HDF5 itself ends the process
    with (
        atomic_path(path, overwrite=overwrite) as temporary,
        h5py.File(temporary, "w", track_order=False, driver="core", backing_store=False) as file,
    ):
        file.attrs[MARK] = note.to_json()
        for name, value in _ORIGIN.items():
            file.create_dataset(name, data=[value], dtype=text)
        group = file.create_group(_GROUP)
        if len(items) > 1:
            kind = f"{_COMPOSITE}_double_3_3"
            group.create_dataset("0/TransformType", data=[kind], dtype=text)
        for i, item in enumerate(items, start=int(len(items) > 1)):
            kind = f"{item.type}_double_3_3"
            group.create_dataset(f"{i}/TransformType", data=[kind], dtype=text)
            group.create_dataset(f"{i}/TransformFixedParameters", data=item.fixed)
            group.create_dataset(f"{i}/TransformParameters", data=item.parameters)
        file.flush()
        temporary.write_bytes(file.id.get_file_image())


def read_itk_hdf5(
    path: str | Path,
    *,
    source: Space | None = None,
    target: Space | None = None,
    unit: str | None = None,
) -> Transform:
    """Read an ITK HDF5 file.

    Parameters
    ----------
    path : path
        The file.
    source, target : Space, optional
        Spaces of the points that go in and come out; needed unless clemkit wrote the file.
    unit : str, optional
        Length unit of the file's numbers; needed unless clemkit wrote the file.

    Raises
    ------
    FormatError
        The file is damaged, not 3D, or holds an unknown transform.
    SpaceMismatchError, UnitError, ArgumentError
        The caller and the file disagree, or neither speaks.
    """
    h5py = _h5py()
    path = Path(path)
    if not path.is_file():
        raise NotFoundError(f"{path}: no such file")
    try:
        with h5py.File(path, "r") as file:
            if _GROUP not in file:
                raise FormatError(
                    path, f"expected an ITK transform with /{_GROUP}; found {sorted(file)}"
                )
            noted = file.attrs.get(MARK)
            note = FrameNote() if noted is None else FrameNote.from_json(str(noted), path)
            groups = file[_GROUP]
            names = sorted(groups, key=lambda name: int(name) if name.isdigit() else -1)
            kinds = [_text(groups[name], path) for name in names]
            composite = bool(kinds) and kinds[0].startswith(_COMPOSITE)
            if len(names) > 1 and not composite:
                raise FormatError(
                    path, f"expected a {_COMPOSITE} before several transforms; found a bare list"
                )
            items = [
                ItkPart(
                    split_type(kind, path),
                    _numbers(groups[name], "TransformFixedParameters", path),
                    _numbers(groups[name], "TransformParameters", path),
                )
                for name, kind in zip(names, kinds, strict=True)
                if not kind.startswith(_COMPOSITE)
            ]
    except OSError as problem:
        raise FormatError(path, f"expected an HDF5 file; it cannot be read: {problem}") from None
    return decode_chain(items, note, path, source=source, target=target, unit=unit)


def _text(group: Any, path: Path) -> str:
    if "TransformType" not in group:
        raise FormatError(path, f"expected TransformType in {group.name}; found {sorted(group)}")
    value = np.ravel(group["TransformType"][()])[0]
    return value.decode("ascii", "replace") if isinstance(value, bytes) else str(value)


def _numbers(group: Any, name: str, path: Path) -> FloatArray:
    # older ITK versions wrote this misspelt
    for found in (name, name.replace("Transform", "Tranform", 1)):
        if found in group:
            return np.asarray(group[found][()], dtype=np.float64).ravel()
    raise FormatError(path, f"expected {name} in {group.name}; found {sorted(group)}")


def _h5py() -> Any:
    try:
        import h5py
    except ImportError:
        raise MissingExtraError("h5py", "reg") from None
    return h5py
