"""Open a transform file by its name and content."""

from __future__ import annotations

from pathlib import Path

from clemkit.errors import ArgumentError, FormatError, NotFoundError, UnitError
from clemkit.geometry import Space
from clemkit.transforms.base import Transform
from clemkit.transforms.io.bigwarp import read_bigwarp_affines, read_bigwarp_json
from clemkit.transforms.io.elastix import read_elastix
from clemkit.transforms.io.exact_json import read_exact_json
from clemkit.transforms.io.itk_hdf5 import read_itk_hdf5
from clemkit.transforms.io.itk_text import read_itk_text
from clemkit.transforms.io.json_file import read_json_object
from clemkit.transforms.io.mobie import read_mobie
from clemkit.transforms.io.ome_zarr_scene_reader import read_ome_zarr_scene

__all__ = ["read_transform"]

_HDF5 = b"\x89HDF\r\n\x1a\n"
_KNOWN = (
    "ITK .tfm or .h5, elastix TransformParameters.N.txt, BigWarp JSON or 3d-affine text, "
    "MoBIE view or dataset JSON, OME-Zarr 0.6 scene"
)


def read_transform(
    path: str | Path,
    *,
    source: Space | None = None,
    target: Space | None = None,
    unit: str | None = None,
) -> Transform:
    """Read one transform from a file of any known format.

    The direction is that of the format: fixed to moving for ITK, elastix and BigWarp, moving to
    fixed for MoBIE. BigDataViewer XML and Neuroglancer states place images rather than map
    spaces; their own readers need the images' grids.

    Parameters
    ----------
    path : path
        File, or folder of an OME-Zarr scene.
    source, target : Space, optional
        Spaces of the points that go in and come out; needed where the file does not name them.
    unit : str, optional
        Length unit of the numbers; needed where the file does not say it.

    Raises
    ------
    FormatError
        The format is unknown or the file is damaged.
    UnitError, ArgumentError, SpaceMismatchError
        Unit or spaces are missing or contradict the file.
    """
    path = Path(path)
    if path.is_dir():
        return read_ome_zarr_scene(path, source=source, target=target)[0]
    if not path.is_file():
        raise NotFoundError(f"{path}: no such file")
    with path.open("rb") as stream:
        head = stream.read(1 << 16)
    if head.startswith(_HDF5):
        return read_itk_hdf5(path, source=source, target=target, unit=unit)
    text = head.decode("utf-8", "replace")
    if text.startswith("#Insight Transform File"):
        return read_itk_text(path, source=source, target=target, unit=unit)
    if "(Transform " in text and "(TransformParameters " in text:
        return read_elastix(path, source=source, target=target, unit=unit)
    if text.lstrip().startswith("{") and not text.startswith("{\\rtf"):
        return _from_json(path, source, target, unit)
    if "3d-affine:" in text:
        ends = _ends(path, source, target)
        found = read_bigwarp_affines(path, unit=_unit(path, unit), source=ends[0], target=ends[1])
        if len(found) > 1:
            raise FormatError(
                path, f"expected one 3d-affine; found {len(found)}; use read_bigwarp_affines"
            )
        return found[0]
    raise FormatError(path, f"expected {_KNOWN}; found {head[:24]!r}")


def _from_json(
    path: Path, source: Space | None, target: Space | None, unit: str | None
) -> Transform:
    data = read_json_object(path)
    if data.get("kind") == "clemkit transform":
        return read_exact_json(path)
    if "landmarks" in data:
        spline = read_bigwarp_json(path, unit=_unit(path, unit))
        ends = _ends(path, source, target)
        return spline.fixed_to_moving(source=ends[0], target=ends[1])
    if "sourceTransforms" in data or "views" in data:
        ends = _ends(path, source, target)
        return read_mobie(path, source=ends[0], target=ends[1], unit=unit or "micrometer")
    raise FormatError(path, f"expected {_KNOWN}; found JSON with {sorted(data)[:6]}")


def _ends(path: Path, source: Space | None, target: Space | None) -> tuple[Space, Space]:
    if source is None or target is None:
        raise ArgumentError(f"{path}: the file does not name its spaces; pass source= and target=")
    return source, target


def _unit(path: Path, unit: str | None) -> str:
    if unit is None:
        raise UnitError(f"{path}: the file does not say its length unit; pass unit=")
    return unit
