"""ITK transform text files (``.tfm``), as SimpleITK, ITK-SNAP, ANTs and Slicer read them.

Axis order
    x, y, z in the file; reversed here.
Unit
    The file has none. clemkit writes the one asked for (nm by default) into a comment.
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

import numpy as np

from clemkit.errors import FormatError, NotFoundError
from clemkit.geometry import FloatArray, Space
from clemkit.transforms.base import Transform
from clemkit.transforms.io.atomic_write import atomic_path
from clemkit.transforms.io.frame_note import MARK, FrameNote
from clemkit.transforms.io.itk_parts import ItkPart, decode_chain, encode_chain, split_type

__all__ = ["read_itk_text", "write_itk_text"]

_HEAD = "#Insight Transform File V1.0"
_COMPOSITE = "CompositeTransform"


def write_itk_text(
    path: str | Path, transform: Transform, *, unit: str = "nm", overwrite: bool = False
) -> None:
    """Write a chain of Affine, BSpline and DisplacementField as an ITK text file.

    Parameters
    ----------
    path : path
        File to make, by custom ``.tfm`` or ``.txt``.
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
    items, note = encode_chain(transform, unit)
    lines = [_HEAD, f"#{MARK} {note.to_json()}"]
    if len(items) > 1:
        lines += ["#Transform 0", f"Transform: {_COMPOSITE}_double_3_3"]
    for i, item in enumerate(items, start=int(len(items) > 1)):
        lines += [
            f"#Transform {i}",
            f"Transform: {item.type}_double_3_3",
            f"Parameters: {_join(item.parameters)}",
            f"FixedParameters: {_join(item.fixed)}",
        ]
    with atomic_path(path, overwrite=overwrite) as temporary:
        temporary.write_text("\n".join(lines) + "\n", encoding="ascii")


def read_itk_text(
    path: str | Path,
    *,
    source: Space | None = None,
    target: Space | None = None,
    unit: str | None = None,
) -> Transform:
    """Read an ITK text file.

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
    path = Path(path)
    if not path.is_file():
        raise NotFoundError(f"{path}: no such file")
    try:
        lines = path.read_text(encoding="utf-8").splitlines()
    except UnicodeDecodeError:
        raise FormatError(path, "expected an ITK text file; found binary content") from None
    if not lines or not lines[0].startswith("#Insight Transform File"):
        found = lines[0][:60] if lines else "an empty file"
        raise FormatError(path, f"expected a first line {_HEAD!r}; found {found!r}")
    note = FrameNote()
    blocks: list[dict[str, str]] = []
    for line in lines[1:]:
        if line.startswith(f"#{MARK}"):
            note = FrameNote.from_json(line[len(MARK) + 1 :], path)
        if not line.strip() or line.startswith("#"):
            continue
        key, colon, value = line.partition(":")
        if not colon:
            raise FormatError(path, f"expected 'Name: values'; found {line[:60]!r}")
        if key.strip() == "Transform":
            blocks.append({})
        if not blocks:
            raise FormatError(path, f"expected 'Transform:' before {key!r}; found it first")
        blocks[-1][key.strip()] = value.strip()
    items = [
        _part(block, path) for block in blocks if not block["Transform"].startswith(_COMPOSITE)
    ]
    if len(items) > 1 and not blocks[0]["Transform"].startswith(_COMPOSITE):
        raise FormatError(
            path, f"expected a {_COMPOSITE} before several transforms; found a bare list"
        )
    return decode_chain(items, note, path, source=source, target=target, unit=unit)


def _part(block: dict[str, str], path: Path) -> ItkPart:
    kind = split_type(block["Transform"], path)
    missing = [name for name in ("Parameters", "FixedParameters") if name not in block]
    if missing:
        raise FormatError(path, f"{kind}: expected {' and '.join(missing)}; the file ends early")
    return ItkPart(
        kind,
        _numbers(block["FixedParameters"], kind, path),
        _numbers(block["Parameters"], kind, path),
    )


def _numbers(text: str, kind: str, path: Path) -> FloatArray:
    try:
        return np.array([float(word) for word in text.split()], dtype=np.float64)
    except ValueError as problem:
        raise FormatError(path, f"{kind}: expected numbers; {problem}") from None


def _join(values: FloatArray) -> str:
    # repr of a Python float is the shortest text that reads back to the same bits
    return " ".join(map(repr, values.tolist()))
