"""Voxel sizes and names from TIFF tags: OME-XML, ImageJ, ThermoFisher, Zeiss SEM, resolution."""

from __future__ import annotations

import xml.etree.ElementTree as ElementTree
from dataclasses import dataclass, field
from typing import Any

from clemkit.errors import UnitError
from clemkit.geometry import Triple, to_nanometres

__all__ = ["ORIGIN_NAMESPACE", "Calibration", "calibration"]

ORIGIN_NAMESPACE = "clemkit/grid"
_PRINT_PIXEL_NM = 20_000.0  # a pixel this large in cm tags is a printing resolution (< 1270 dpi)


@dataclass(slots=True)
class Calibration:
    """What the metadata of one image say; a size of None is not stated.

    Attributes
    ----------
    size_nm : dict of str to float
        Voxel size along ``"z"``, ``"y"``, ``"x"`` where stated.
    """

    size_nm: dict[str, float] = field(default_factory=dict)
    unit: str | None = None
    origin_zyx_nm: Triple = (0.0, 0.0, 0.0)
    channels: tuple[str, ...] = ()
    metadata: dict[str, Any] = field(default_factory=dict)
    warnings: list[str] = field(default_factory=list)

    def put(self, axis: str, value: Any, unit: str) -> None:
        """Record a size; zero, negative and unreadable ones count as missing, with a warning."""
        try:
            size = to_nanometres(float(value), unit)
        except (UnitError, TypeError, ValueError) as error:
            self.warnings.append(f"{axis} size {value!r} {unit!r} is not a length: {error}")
            return
        if not 0 < size < float("inf"):
            self.warnings.append(f"{axis} size {value} {unit} means that it is missing")
            return
        self.size_nm[axis] = size
        self.unit = unit


def calibration(tiff: Any, page: Any, image: int) -> Calibration:
    """Read what one image of an open TIFF file says about itself.

    Parameters
    ----------
    tiff, page
        The tifffile objects of the file and of the image's first page.
    image : int
        Number of the image in the OME-XML.
    """
    found = Calibration()
    if tiff.is_ome:
        _from_ome(tiff.ome_metadata, image, found)
        return found
    if tiff.is_imagej:
        _from_imagej(tiff.imagej_metadata or {}, page, found)
        return found
    if tiff.is_fei and isinstance(tiff.fei_metadata, dict):
        _from_thermofisher(tiff.fei_metadata, found)
    elif tiff.is_sem and isinstance(tiff.sem_metadata, dict):
        _from_zeiss_sem(tiff.sem_metadata, found)
    if "y" not in found.size_nm:
        _from_resolution(page, found)
    return found


def _local(tag: str) -> str:
    return tag.rpartition("}")[2]


def _from_ome(text: str, image: int, found: Calibration) -> None:
    try:
        root = ElementTree.fromstring(text)
    except ElementTree.ParseError as error:
        found.warnings.append(f"the OME-XML cannot be parsed and is ignored: {error}")
        return
    images = [node for node in root if _local(node.tag) == "Image"]
    if image >= len(images):
        return
    node = images[image]
    found.metadata["name"] = node.get("Name", "")
    for child in node:
        if _local(child.tag) in ("AcquisitionDate", "Description") and child.text:
            found.metadata[_local(child.tag)] = child.text.strip()
    pixels = next((child for child in node if _local(child.tag) == "Pixels"), None)
    if pixels is None:
        return
    for axis in "zyx":
        value = pixels.get(f"PhysicalSize{axis.upper()}")
        if value is not None:  # the OME schema defines the unit µm where none is written
            found.put(axis, value, pixels.get(f"PhysicalSize{axis.upper()}Unit", "µm"))
    found.metadata["dimension_order"] = pixels.get("DimensionOrder")
    names = [c.get("Name", "") for c in pixels if _local(c.tag) == "Channel"]
    if names and all(names):
        found.channels = tuple(names)
    _own_origin(root, image, found)


def _own_origin(root: ElementTree.Element, image: int, found: Calibration) -> None:
    """Read the grid origin that clemkit's own writer leaves in a map annotation."""
    for node in root.iter():
        if _local(node.tag) != "MapAnnotation" or node.get("Namespace") != ORIGIN_NAMESPACE:
            continue
        values = {m.get("K"): m.text or "" for m in node.iter() if _local(m.tag) == "M"}
        if values.get("Image") == str(image):
            z, y, x = (float(values[f"Origin{axis}Nanometres"]) for axis in "ZYX")
            found.origin_zyx_nm = (z, y, x)


def _from_imagej(tags: dict[str, Any], page: Any, found: Calibration) -> None:
    skip = ("LUTs", "Ranges", "Overlays", "ROI", "Labels")
    found.metadata["imagej"] = {k: v for k, v in tags.items() if k not in skip}
    unit = str(tags.get("unit", "")).strip()
    if unit.lower() in ("", "pixel", "pixels", "inch"):
        return
    for axis, name in (("y", "YResolution"), ("x", "XResolution")):
        per_unit = _ratio(page, name)
        if per_unit is not None:
            found.put(axis, 1 / per_unit if per_unit else 0, unit)
    if "spacing" in tags:
        found.put("z", abs(float(tags["spacing"])), unit)


def _from_thermofisher(tags: dict[str, Any], found: Calibration) -> None:
    found.metadata["thermofisher"] = tags
    beam = str(tags.get("Beam", {}).get("Scan", "") or "Scan")
    scan = tags.get(beam) or tags.get("Scan") or {}
    for axis, name in (("y", "PixelHeight"), ("x", "PixelWidth")):
        if scan.get(name) not in (None, ""):
            found.put(axis, scan[name], "m")


def _from_zeiss_sem(tags: dict[str, Any], found: Calibration) -> None:
    found.metadata["zeiss_sem"] = tags
    entry = tags.get("ap_image_pixel_size") or tags.get("ap_pixel_size")
    if isinstance(entry, tuple) and len(entry) == 3:
        for axis in "yx":
            found.put(axis, entry[1], str(entry[2]))


def _from_resolution(page: Any, found: Calibration) -> None:
    """Take the resolution tags only in cm and only at microscope scale; inches are for print."""
    y, x = _ratio(page, "YResolution"), _ratio(page, "XResolution")
    if not y or not x or "ResolutionUnit" not in page.tags:
        return
    unit = int(page.tags["ResolutionUnit"].value)
    size = to_nanometres(1, "cm") / min(x, y)
    if unit == 3 and size < _PRINT_PIXEL_NM:
        found.put("y", 1 / y, "cm")
        found.put("x", 1 / x, "cm")
    elif unit in (2, 3):
        found.warnings.append(
            f"resolution tags ({x:g} per {'inch' if unit == 2 else 'cm'}) describe printing, "
            "not the specimen; they are ignored"
        )


def _ratio(page: Any, name: str) -> float | None:
    if name not in page.tags:
        return None
    top, bottom = page.tags[name].value
    return float(top) / float(bottom) if bottom else 0.0
