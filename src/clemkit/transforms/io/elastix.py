"""elastix transform parameter files, ``TransformParameters.N.txt``.

Axis order
    x, y, z in the file; reversed here. Direction matrices are stored column by column.
Unit
    The unit of the images' spacing; the file does not say it. clemkit writes the one asked for
    (nm by default) into a comment.
Direction
    elastix maps points of the fixed image to the moving image: source is fixed, target moving.
    A file names its initial transform, which is applied first.
Origin
    Physical points; a grid's origin is the centre of its first sample.
Handedness
    Kept. No LPS or RAS flip: the data have no anatomical frame.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path, PurePosixPath, PureWindowsPath

import numpy as np

from clemkit.errors import ArgumentError, FormatError, NotFoundError
from clemkit.geometry import FloatArray, Grid, Space, nanometres_per, require_same_space
from clemkit.transforms.base import Transform
from clemkit.transforms.io.atomic_write import atomic_path
from clemkit.transforms.io.elastix_text import format_values, parse_parameters
from clemkit.transforms.io.frame_note import MARK, FrameNote, chain_parts
from clemkit.transforms.io.itk_parts import ItkPart, decode_chain, encode_part

__all__ = ["from_parameter_maps", "read_elastix", "write_elastix"]

_INITIAL = ("InitialTransformParameterFileName", "InitialTransformParametersFileName")
_TYPES = {
    "AffineTransform": "AffineTransform",
    "EulerTransform": "Euler3DTransform",
    "SimilarityTransform": "Similarity3DTransform",
    "TranslationTransform": "TranslationTransform",
    "BSplineTransform": "BSplineTransform",
    "RecursiveBSplineTransform": "BSplineTransform",
}


def read_elastix(
    path: str | Path,
    *,
    source: Space | None = None,
    target: Space | None = None,
    unit: str | None = None,
) -> Transform:
    """Read a parameter file and the chain of initial transforms it names.

    Parameters
    ----------
    path : path
        The last file of the chain. An initial file is looked for where the name says, then
        beside the file that names it.
    source, target : Space, optional
        Spaces of the fixed and the moving image; needed unless clemkit wrote the files.
    unit : str, optional
        Length unit of the numbers; needed unless clemkit wrote the files.

    Returns
    -------
    Transform
        Fixed to moving.

    Raises
    ------
    FormatError
        A file is damaged, not 3D, of an unknown type, or an initial transform is missing.
    SpaceMismatchError, UnitError, ArgumentError
        The caller and the file disagree, or neither speaks.
    """
    path = Path(path)
    items: list[ItkPart] = []  # last applied first, as ITK lists a composite
    notes: list[FrameNote] = []
    seen: set[Path] = set()
    following: Path | None = path
    while following is not None:
        if following.resolve() in seen:
            raise FormatError(path, f"expected a chain of initial transforms; {following} repeats")
        seen.add(following.resolve())
        values, note = _load(following)
        items.append(_item(values, following))
        notes.append(note)
        following = _initial(values, following)
    return decode_chain(items, _joined(notes), path, source=source, target=target, unit=unit)


def from_parameter_maps(
    maps: Sequence[Mapping[str, tuple[str, ...]]], *, source: Space, target: Space, unit: str
) -> Transform:
    """Build the transform of parameter maps that a running elastix returned.

    Parameters
    ----------
    maps : sequence of mapping
        One per stage, first applied first; values as texts, in *unit*.
    source, target : Space
        Frames of the points that go in and come out.
    unit : str
        Length unit of the numbers.

    Raises
    ------
    FormatError
        A map is damaged or of an unknown type.
    """
    where = Path("elastix result")
    items = [_item(values, where) for values in reversed(maps)]
    return decode_chain(items, FrameNote(), where, source=source, target=target, unit=unit)


def write_elastix(
    folder: str | Path,
    transform: Transform,
    *,
    fixed_grid: Grid,
    unit: str = "nm",
    overwrite: bool = False,
) -> tuple[Path, ...]:
    """Write ``TransformParameters.0.txt`` and so on, complete enough for transformix.

    Parameters
    ----------
    folder : path
        Existing folder for the files.
    transform : Transform
        Fixed to moving, made of Affine, Identity and BSpline.
    fixed_grid : Grid
        Sampling of the fixed image, on which transformix will resample.
    unit : str
        Length unit of the numbers; must be the unit of the images' spacing.
    overwrite : bool
        Whether existing files may be replaced.

    Returns
    -------
    tuple of path
        In order of application; the last one is the one to pass to transformix.

    Raises
    ------
    ArgumentError
        elastix has no such transform, or a file exists.
    """
    require_same_space(fixed_grid.space, transform.source, "write_elastix")
    folder = Path(folder)
    texts: list[str] = []
    for i, part in enumerate(chain_parts(transform)):
        item = encode_part(part, unit)
        if item.type == "DisplacementFieldTransform":
            raise ArgumentError(
                "elastix: expected Affine, Identity or BSpline; found DisplacementField; "
                "write an ITK .h5 file instead"
            )
        initial = f"TransformParameters.{i - 1}.txt" if i else "NoInitialTransform"
        note = FrameNote.of((part,), unit)
        texts.append(_text(item, initial, note, fixed_grid, nanometres_per(unit)))
    paths = tuple(folder / f"TransformParameters.{i}.txt" for i in range(len(texts)))
    if not overwrite and (found := [str(path) for path in paths if path.exists()]):
        raise ArgumentError(f"{found[0]}: exists already; pass overwrite=True to replace it")
    for path, text in zip(paths, texts, strict=True):
        with atomic_path(path, overwrite=overwrite) as temporary:
            temporary.write_text(text, encoding="ascii")
    return paths


def _load(path: Path) -> tuple[dict[str, tuple[str, ...]], FrameNote]:
    if not path.is_file():
        raise NotFoundError(f"{path}: no such file")
    try:
        text = path.read_text(encoding="utf-8")
    except UnicodeDecodeError:
        raise FormatError(path, "expected an elastix text file; found binary content") from None
    note = FrameNote()
    for line in text.splitlines():
        if line.startswith(f"// {MARK}"):
            note = FrameNote.from_json(line[len(MARK) + 3 :], path)
    return parse_parameters(text, path), note


def _initial(values: Mapping[str, tuple[str, ...]], path: Path) -> Path | None:
    name = next((values[key][0] for key in _INITIAL if key in values), "NoInitialTransform")
    if name == "NoInitialTransform":
        return None
    how = values.get("HowToCombineTransforms", ("Compose",))[0]
    if how != "Compose":
        raise FormatError(path, f"HowToCombineTransforms: expected Compose; found {how!r}")
    # a path from another machine, possibly a Windows one, leaves only its last part
    last = (PureWindowsPath if "\\" in name else PurePosixPath)(name).name
    candidates = (path.parent / name, path.parent / last)
    for candidate in candidates:
        if candidate.is_file():
            return candidate
    raise FormatError(
        path,
        f"expected the initial transform {name!r} there or beside this file; found neither; "
        f"copy {last!r} into {path.parent}",
    )


def _item(values: Mapping[str, tuple[str, ...]], path: Path) -> ItkPart:
    kind = values.get("Transform", ("",))[0]
    if kind not in _TYPES:
        raise FormatError(
            path, f"expected one of {', '.join(sorted(_TYPES))}; found transform {kind!r}"
        )
    for key in ("FixedImageDimension", "MovingImageDimension"):
        if values.get(key, ("3",))[0] != "3":
            raise FormatError(path, f"{key}: expected 3; found {values[key][0]}")
    if values.get("UseBinaryFormatForTransformationParameters", ("false",))[0] == "true":
        raise FormatError(path, "expected parameters as text; found them in a binary file")
    parameters = _numbers(values, "TransformParameters", path)
    if "NumberOfParameters" in values:
        stated = int(_numbers(values, "NumberOfParameters", path, 1)[0])
        if stated != parameters.size:
            raise FormatError(
                path, f"expected {stated} TransformParameters; found {parameters.size}"
            )
    if kind.endswith("BSplineTransform"):
        return ItkPart(_TYPES[kind], _bspline_fixed(values, path), parameters)
    if kind == "TranslationTransform":
        return ItkPart(_TYPES[kind], np.zeros(0), parameters)
    fixed = _numbers(values, "CenterOfRotationPoint", path)
    if kind == "EulerTransform":
        zyx_order = values.get("ComputeZYX", ("false",))[0] == "true"
        fixed = np.append(fixed, float(zyx_order))
    return ItkPart(_TYPES[kind], fixed, parameters)


def _bspline_fixed(values: Mapping[str, tuple[str, ...]], path: Path) -> FloatArray:
    order = values.get("BSplineTransformSplineOrder", ("3",))[0]
    if order != "3" or values.get("UseCyclicTransform", ("false",))[0] == "true":
        raise FormatError(path, f"expected a plain cubic B-spline; found order {order} or a cycle")
    size, origin, spacing = (
        _numbers(values, name, path, 3) for name in ("GridSize", "GridOrigin", "GridSpacing")
    )
    index = _numbers(values, "GridIndex", path, 3) if "GridIndex" in values else np.zeros(3)
    direction = (
        _numbers(values, "GridDirection", path, 9).reshape(3, 3).T
        if "GridDirection" in values
        else np.eye(3)
    )
    if np.any(index):
        origin = origin + direction @ (index * spacing)
    return np.concatenate([size, origin, spacing, direction.ravel()])


def _numbers(
    values: Mapping[str, tuple[str, ...]], name: str, path: Path, count: int | None = None
) -> FloatArray:
    if name not in values:
        raise FormatError(path, f"expected ({name} …); the file does not have it")
    try:
        numbers = np.array([float(word) for word in values[name]], dtype=np.float64)
    except ValueError as problem:
        raise FormatError(path, f"{name}: expected numbers; {problem}") from None
    if count is not None and numbers.size != count:
        raise FormatError(path, f"{name}: expected {count} numbers; found {numbers.size}")
    return numbers


def _joined(notes: list[FrameNote]) -> FrameNote:
    """Join the notes of single files, given last applied first; one unknown makes all unknown."""
    units = {note.unit for note in notes}
    unit = units.pop() if len(units) == 1 else None
    spaces: tuple[str, ...] = ()
    for note in reversed(notes):
        if len(note.spaces) != 2 or (spaces and note.spaces[0] != spaces[-1]):
            return FrameNote(unit)
        spaces = (*spaces, note.spaces[1]) if spaces else note.spaces
    return FrameNote(unit, spaces)


def _text(item: ItkPart, initial: str, note: FrameNote, grid: Grid, scale: float) -> str:
    identity = np.eye(3).ravel()
    lines: list[tuple[str, object]] = [
        ("Transform", item.type),
        ("NumberOfParameters", item.parameters.size),
        ("TransformParameters", item.parameters),
        (_INITIAL[0], initial),
        ("HowToCombineTransforms", "Compose"),
        ("FixedImageDimension", 3),
        ("MovingImageDimension", 3),
        ("FixedInternalImagePixelType", "float"),
        ("MovingInternalImagePixelType", "float"),
        ("Size", list(reversed(grid.shape_zyx))),
        ("Index", [0, 0, 0]),
        ("Spacing", np.array(grid.voxel_size_zyx_nm)[::-1] / scale),
        ("Origin", np.array(grid.origin_zyx_nm)[::-1] / scale),
        ("Direction", identity),
        ("UseDirectionCosines", "true"),
    ]
    if item.type == "BSplineTransform":
        lines += [
            ("GridSize", [int(n) for n in item.fixed[:3]]),
            ("GridIndex", [0, 0, 0]),
            ("GridSpacing", item.fixed[6:9]),
            ("GridOrigin", item.fixed[3:6]),
            ("GridDirection", identity),
            ("BSplineTransformSplineOrder", 3),
            ("UseCyclicTransform", "false"),
        ]
    else:
        lines.append(("CenterOfRotationPoint", item.fixed))
    lines += [
        ("ResampleInterpolator", "FinalBSplineInterpolator"),
        ("FinalBSplineInterpolationOrder", 1),
        ("Resampler", "DefaultResampler"),
        ("DefaultPixelValue", 0),
        ("ResultImageFormat", "mhd"),
        ("ResultImagePixelType", "float"),
        ("CompressResultImage", "false"),
    ]
    body = "\n".join(f"({key} {format_values(value)})" for key, value in lines)
    return f"// {MARK} {note.to_json()}\n{body}\n"
