"""BigDataViewer and BigStitcher XML: the registrations of a data set.

Axis order
    x, y, z: twelve numbers, row by row.
Unit
    That of the setup's ``voxelSize``.
Direction
    Voxel index to world. A view lists several transforms; the last one is applied first. clemkit
    writes the registration (moving to fixed) first and the calibration last.
Origin
    Voxel centres lie at whole indices; the grid's origin is in the calibration's translation.
Handedness
    Kept.
"""

from __future__ import annotations

import xml.etree.ElementTree as ElementTree
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from clemkit.errors import ArgumentError, FormatError, NotFoundError, UnitError
from clemkit.geometry import FloatArray, Grid, Space, nanometres_per, require_same_space
from clemkit.transforms.affine import Affine
from clemkit.transforms.io.atomic_write import atomic_path
from clemkit.transforms.io.xyz import affine_from_xyz, affine_to_xyz

__all__ = ["BdvView", "read_bdv_xml", "write_bdv_xml"]

_INDEX = Space("voxel index")


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class BdvView:
    """One view: a setup at a time point.

    Attributes
    ----------
    setup, timepoint : int
        Identifiers in the file.
    name : str
        Name of the setup.
    steps : tuple of (str, Affine)
        The listed transforms in the order of the file, each with its name: the **last is applied
        first**. Matrices are z-y-x with nanometres, so the calibration maps voxel indices to
        nanometres.
    """

    setup: int
    timepoint: int
    name: str
    steps: tuple[tuple[str, Affine], ...]

    def voxel_to_world(self) -> FloatArray:
        """Return the product of all steps, ``(4, 4)`` z-y-x, from voxel index to nanometres."""
        total = np.eye(4)
        for _, step in self.steps:
            total = total @ step.matrix
        return total

    def registration(self, grid: Grid, *, target: Space) -> Affine:
        """Return the map from a grid's space to the world.

        Parameters
        ----------
        grid : Grid
            Sampling of the setup's image: its own placement is taken out.
        target : Space
            Space of the world.
        """
        placement = np.diag([*grid.voxel_size_zyx_nm, 1.0])
        placement[:3, 3] = grid.origin_zyx_nm
        matrix = self.voxel_to_world() @ np.linalg.inv(placement)
        return Affine(matrix, source=grid.space, target=target)


def write_bdv_xml(
    path: str | Path,
    images: Sequence[tuple[str, Grid, Affine | None]],
    *,
    unit: str = "micrometer",
    overwrite: bool = False,
) -> None:
    """Write the registrations of several images, one setup each.

    The file has no image loader: copy its ``ViewRegistrations`` into the XML of the data.

    Parameters
    ----------
    path : path
        File to make.
    images : sequence of (name, grid, to_world)
        Name, sampling, and map to the world; None for the image that defines it.
    unit : str
        Physical unit of voxel sizes and of the world.
    overwrite : bool
        Whether an existing file may be replaced.

    Raises
    ------
    SpaceMismatchError
        A map does not start in the space of its grid.
    """
    if not images:
        raise ArgumentError("images: expected at least one; found none")
    root = ElementTree.Element("SpimData", version="0.2")
    ElementTree.SubElement(root, "BasePath", type="relative").text = "."
    description = ElementTree.SubElement(root, "SequenceDescription")
    setups = ElementTree.SubElement(description, "ViewSetups")
    timepoints = ElementTree.SubElement(description, "Timepoints", type="range")
    _text(timepoints, "first", "0")
    _text(timepoints, "last", "0")
    views = ElementTree.SubElement(root, "ViewRegistrations")
    for i, (name, grid, to_world) in enumerate(images):
        setup = ElementTree.SubElement(setups, "ViewSetup")
        _text(setup, "id", str(i))
        _text(setup, "name", name)
        _text(setup, "size", " ".join(str(n) for n in reversed(grid.shape_zyx)))
        voxel = ElementTree.SubElement(setup, "voxelSize")
        _text(voxel, "unit", unit)
        sizes = np.array(grid.voxel_size_zyx_nm)[::-1] / nanometres_per(unit)
        _text(voxel, "size", " ".join(map(repr, sizes.tolist())))
        view = ElementTree.SubElement(views, "ViewRegistration", timepoint="0", setup=str(i))
        if to_world is not None:
            require_same_space(grid.space, to_world.source, "write_bdv_xml")
            _transform(view, "registration", affine_to_xyz(to_world, unit))
        calibration = Affine.from_parts(
            np.diag(grid.voxel_size_zyx_nm), grid.origin_zyx_nm, source=_INDEX, target=grid.space
        )
        rows = affine_to_xyz(calibration, unit)
        rows[:, :3] /= nanometres_per(unit)  # indices have no unit, so the scale has
        _transform(view, "calibration", rows)
    ElementTree.indent(root)
    with atomic_path(path, overwrite=overwrite) as temporary:
        ElementTree.ElementTree(root).write(temporary, encoding="utf-8", xml_declaration=True)


def read_bdv_xml(path: str | Path, *, unit: str | None = None) -> tuple[BdvView, ...]:
    """Read the registrations of a BigDataViewer or BigStitcher file.

    Parameters
    ----------
    path : path
        The XML.
    unit : str, optional
        Physical unit, for files whose setups do not say it or say pixel.

    Raises
    ------
    FormatError
        The file is not such XML, or a transform is not an affine of twelve numbers.
    UnitError
        A setup has no known unit and none was passed.
    """
    path = Path(path)
    if not path.is_file():
        raise NotFoundError(f"{path}: no such file")
    text = path.read_text(encoding="utf-8", errors="replace")
    if "<!ENTITY" in text:  # entities are never needed here and can blow up the parser
        raise FormatError(path, "expected XML without entity declarations; found one")
    try:
        root = ElementTree.fromstring(text)
    except ElementTree.ParseError as problem:
        raise FormatError(path, f"expected XML; {problem}") from None
    setups = {_field(item, "id", path): item for item in root.iter("ViewSetup")}
    views = list(root.iter("ViewRegistration"))
    if root.tag != "SpimData" or not views:
        raise FormatError(path, f"expected SpimData with ViewRegistrations; found <{root.tag}>")
    return tuple(_view(view, setups, unit, path) for view in views)


def _view(
    view: ElementTree.Element,
    setups: dict[str, ElementTree.Element],
    unit: str | None,
    path: Path,
) -> BdvView:
    number = view.get("setup", "")
    setup = setups.get(number)
    noted = None if setup is None else setup.findtext("voxelSize/unit")
    chosen = unit if unit is not None else noted
    if chosen is None:
        raise UnitError(f"{path}: setup {number}: no voxelSize unit; pass unit=")
    steps: list[tuple[str, Affine]] = []
    transforms = view.findall("ViewTransform")
    if not transforms:
        raise FormatError(path, f"setup {number}: expected a ViewTransform; found none")
    for i, item in enumerate(transforms):
        if item.get("type", "affine") != "affine":
            raise FormatError(
                path, f"setup {number}: expected type affine; found {item.get('type')!r}"
            )
        words = (item.findtext("affine") or "").split()
        is_calibration = i == len(transforms) - 1
        step = affine_from_xyz(words, chosen, source=_INDEX, target=_INDEX, path=path)
        if is_calibration:
            matrix = step.matrix.copy()
            matrix[:3, :3] *= nanometres_per(chosen)
            step = Affine(matrix, source=_INDEX, target=_INDEX)
        steps.append(((item.findtext("Name") or "").strip(), step))
    name = "" if setup is None else (setup.findtext("name") or "")
    try:
        timepoint, number_found = int(view.get("timepoint", "0")), int(number)
    except ValueError:
        raise FormatError(
            path, f"expected whole numbers for setup and timepoint; found {number!r}"
        ) from None
    return BdvView(setup=number_found, timepoint=timepoint, name=name, steps=tuple(steps))


def _field(item: ElementTree.Element, name: str, path: Path) -> str:
    text = item.findtext(name)
    if text is None:
        raise FormatError(path, f"<{item.tag}>: expected <{name}>; found none")
    return text.strip()


def _text(parent: ElementTree.Element, tag: str, text: str) -> None:
    ElementTree.SubElement(parent, tag).text = text


def _transform(view: ElementTree.Element, name: str, rows: FloatArray) -> None:
    item = ElementTree.SubElement(view, "ViewTransform", type="affine")
    _text(item, "Name", name)
    _text(item, "affine", " ".join(map(repr, rows.ravel().tolist())))
