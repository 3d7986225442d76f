"""Layer L6: numbers that cannot be. All are warnings, but for units of the wrong kind."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from clemkit.errors import Problem
from clemkit.metadata.model_map import model_map
from clemkit.metadata.protocols.check import check_protocol
from clemkit.metadata.validate.dimensions import DIMENSION_OF_SLOT
from clemkit.metadata.validate.quantities import base_value, dimension
from clemkit.metadata.validate.references import moment, named_things
from clemkit.metadata.validate.walk import Thing

__all__ = ["check_plausibility"]

Location = tuple[str | int, ...]
_NM = 1e-9
# (xy low, xy high, z low, z high) in metres; wide, so that only slips are outside
_VOXELS = {
    "em": (0.05 * _NM, 500 * _NM, 0.05 * _NM, 2000 * _NM),
    "lm": (2 * _NM, 20_000 * _NM, 5 * _NM, 200_000 * _NM),
    "xray_ct": (5 * _NM, 500_000 * _NM, 5 * _NM, 500_000 * _NM),
}
_SLICES = (0.5 * _NM, 1000 * _NM)
_SECTIONS = (5 * _NM, 20_000 * _NM)  # semithin ones for light microscopy too
_OF_SECTIONS = ("array_tomography", "atum_sem", "multibeam_sem", "ss_tem")
_CLASS_OF_FAMILY = {
    "lm": ("LightAcquisition",),
    "em": ("ScanningElectronAcquisition", "TransmissionElectronAcquisition"),
    "xray_ct": ("XrayAcquisition",),
}
_VOLTS = {
    "ScanningElectronAcquisition": (100.0, 30_000.0),
    "StemAcquisition": (5_000.0, 1_300_000.0),
    "TransmissionElectronAcquisition": (40_000.0, 1_300_000.0),
}
_PROBE_AMPERE = (0.5e-12, 2e-6)
_MILLING_VOLTS = (500.0, 65_000.0)
_MILLING_AMPERE = (1e-12, 3e-6)


def check_plausibility(everything: Sequence[Thing]) -> list[Problem]:
    """Return the numbers of a description that are probably wrong."""
    named = named_things(everything)
    reagents = [t.data for t in everything if t.slot == "reagents"]
    found: list[Problem] = []
    for thing in everything:
        found += _units(thing)
        if thing.name == "Image":
            found += _voxels(thing, named)
            found += _against_acquisition(thing, named)
            found += _modality_of_method(thing, named)
        elif thing.name == "SectionSeries":
            found += _thickness(thing)
        elif thing.slot == "acquisitions":
            found += _beam(thing)
            found += _method(thing)
            found += _thickness(thing)
            found += _session(thing, named)
        elif thing.name == "Protocol":
            for p in check_protocol(thing.data, reagents):
                place = (*thing.location, *p.location)
                found.append(Problem(place, p.rule, p.severity, p.message, p.hint))
    return found


def _warning(location: Location, rule: str, message: str, hint: str) -> Problem:
    return Problem(location, rule, "warning", message, hint)


def _units(thing: Thing) -> Iterator[Problem]:
    for key, value in thing.data.items():
        wanted = DIMENSION_OF_SLOT.get(key)
        if not wanted or not isinstance(value, Mapping) or not (kind := dimension(value)):
            continue
        # an energy in eV is often given as the voltage in V that makes it
        if kind != wanted and {kind, wanted} != {"energy", "voltage"}:
            message = f"expected a unit of {wanted}; found {value['unit']}, a unit of {kind}"
            place = (*thing.location, key)
            ampere = wanted == "length" and value["unit"] == "A"
            hint = "write Å for angstrom; A is ampere" if ampere else "correct the unit"
            yield Problem(place, "L6-dimension", "error", message, hint)


def _bounded(
    quantity: Any, bounds: tuple[float, float], location: Location, rule: str, what: str
) -> Iterator[Problem]:
    value = base_value(quantity)
    low, high = bounds
    if dimension(quantity) != DIMENSION_OF_SLOT.get(str(location[-1]), dimension(quantity)):
        return  # reported as such
    if value is not None and not low <= value <= high:
        shown = f"{quantity['value']:g} {quantity['unit']}"
        unit = {"L6-length-scale": " m", "L6-voltage": " V", "L6-current": " A"}[rule]
        message = f"expected {low:.3g} to {high:.3g}{unit} for {what}; found {shown}"
        yield _warning(location, rule, message, _slip(value, bounds))


def _slip(value: float, bounds: tuple[float, float]) -> str:
    for factor in (1e3, 1e-3, 10.0, 0.1, 1e6, 1e-6):
        if bounds[0] <= value * factor <= bounds[1]:
            return f"a factor of {factor:g} would fit: check the unit"
    return "check the number and its unit"


def _modality(image: Thing, named: Mapping[str, Thing]) -> str | None:
    given = image.data.get("modality")
    acquisition = named.get(str(image.data.get("acquired_by")))
    if given in _VOXELS or acquisition is None:
        return str(given) if given in _VOXELS else None
    return _family(acquisition.data.get("imaging_method"))


def _voxels(image: Thing, named: Mapping[str, Thing]) -> Iterator[Problem]:
    modality = _modality(image, named)
    if modality is None:
        return
    xy_low, xy_high, z_low, z_high = _VOXELS[modality]
    for axis, bounds in (
        ("x", (xy_low, xy_high)),
        ("y", (xy_low, xy_high)),
        ("z", (z_low, z_high)),
    ):
        key = f"voxel_size_{axis}"
        place = (*image.location, key)
        what = f"a voxel of {modality}"
        yield from _bounded(image.data.get(key), bounds, place, "L6-length-scale", what)
    x, y = (base_value(image.data.get(f"voxel_size_{axis}")) for axis in "xy")
    within = all(v and xy_low <= v <= xy_high for v in (x, y))
    if x and y and within and max(x, y) > 9.9 * min(x, y) > 0:
        message = f"expected about the same along x and y; found {x / _NM:g} and {y / _NM:g} nm"
        place = (*image.location, "voxel_size_y")
        yield _warning(place, "L6-length-scale", message, "check both units")


def _nested(thing: Thing, key: str) -> Mapping[str, Any]:
    value = thing.data.get(key)
    return value if isinstance(value, Mapping) else {}


def _against_acquisition(image: Thing, named: Mapping[str, Thing]) -> Iterator[Problem]:
    acquisition = named.get(str(image.data.get("acquired_by")))
    if acquisition is None or image.data.get("image_kind") not in ("raw", None):
        return
    slicing = _nested(acquisition, "slicing")
    every = slicing.get("images_every")
    times = every if isinstance(every, int) else 1
    sources = {
        "slicing/nominal_slice_thickness": slicing.get("nominal_slice_thickness"),
        "slicing/measured_slice_thickness": slicing.get("measured_slice_thickness"),
        "nominal_thickness": acquisition.data.get("nominal_thickness"),
        "measured_thickness": acquisition.data.get("measured_thickness"),
        "z_step": acquisition.data.get("z_step"),
    }
    steps = {
        name: value * (times if name.startswith("slicing") else 1)
        for name, quantity in sources.items()
        if (value := base_value(quantity))
    }
    series = _series(image, acquisition, named)
    if not steps:  # what was cut says how far planes are apart
        for key in ("nominal_thickness", "measured_thickness"):
            steps |= {
                f"{s.data['id']}/{key}": value
                for s in series
                if (value := base_value(s.data.get(key)))
            }
    z = base_value(image.data.get("voxel_size_z"))
    if z and steps and all(abs(z - step) > 0.05 * step for step in steps.values()):
        listed = ", ".join(f"{name} {step / _NM:g} nm" for name, step in steps.items())
        message = (
            f"expected a distance of planes as in its acquisition ({listed}); found {z / _NM:g} nm"
        )
        place = (*image.location, "voxel_size_z")
        yield _warning(place, "L6-thickness", message, "correct one of them")
    pixel = base_value(acquisition.data.get("acquired_pixel_size_x"))
    x = base_value(image.data.get("voxel_size_x"))
    if pixel and x and abs(x - pixel) > 0.05 * pixel:
        message = (
            f"expected pixels of {pixel / _NM:g} nm as in its acquisition; found {x / _NM:g} nm"
        )
        place = (*image.location, "voxel_size_x")
        yield _warning(place, "L6-length-scale", message, "correct one of them")
    planes, size = acquisition.data.get("plane_count"), image.data.get("size_z")
    if isinstance(planes, int) and isinstance(size, int) and planes != size:
        message = f"expected {planes} planes as in its acquisition; found {size}"
        hint = "correct one of them, or list missing_slices"
        if not image.data.get("missing_slices"):
            yield _warning((*image.location, "size_z"), "L6-count", message, hint)
    missing = [n for n in image.data.get("missing_slices") or () if isinstance(n, int)]
    if isinstance(size, int) and missing and max(missing) > size + len(missing):
        message = f"expected missing slices of {size + len(missing)}; found {max(missing)}"
        place = (*image.location, "missing_slices")
        yield _warning(place, "L6-count", message, "count again, from 1")
    cut = [s.data.get("section_count") for s in series]
    if isinstance(size, int) and len(cut) == 1 and isinstance(cut[0], int) and size > cut[0]:
        message = f"expected at most the {cut[0]} sections of {series[0].data['id']}; found {size}"
        place = (*image.location, "size_z")
        yield _warning(place, "L6-count", message, "correct one of them")


def _series(image: Thing, acquisition: Thing, named: Mapping[str, Thing]) -> list[Thing]:
    """Return the series of sections that an image of serial sections shows."""
    if acquisition.data.get("imaging_method") not in _OF_SECTIONS:
        return []
    names = [acquisition.data.get("section_series")]
    for value in (acquisition.data.get("imaged_specimens"), image.data.get("image_of")):
        names += value if isinstance(value, list) else []
    found = {str(n): named[str(n)] for n in names if str(n) in named}
    return [s for s in found.values() if s.name == "SectionSeries"]


def _method(acquisition: Thing) -> Iterator[Problem]:
    """Yield a class that does not describe the method."""
    method = str(acquisition.data.get("imaging_method"))
    family = _family(method)
    usual = _CLASS_OF_FAMILY.get(str(family))
    ancestors = (acquisition.name, *model_map()["classes"][acquisition.name]["ancestors"])
    if usual and acquisition.name != "OtherAcquisition" and not set(usual) & set(ancestors):
        message = f"expected {' or '.join(usual)} for {method}; found {acquisition.name}"
        place = (*acquisition.location, "imaging_method")
        yield _warning(place, "L6-method", message, "correct the class or the method")


def _modality_of_method(image: Thing, named: Mapping[str, Thing]) -> Iterator[Problem]:
    acquisition = named.get(str(image.data.get("acquired_by")))
    if acquisition is None:
        return
    family, given = _family(acquisition.data.get("imaging_method")), image.data.get("modality")
    if family and given in _VOXELS and given != family:
        method = acquisition.data["imaging_method"]
        message = f"expected {family} for an image taken by {method}; found {given}"
        place = (*image.location, "modality")
        yield _warning(place, "L6-method", message, "correct the modality or acquired_by")


def _family(method: Any) -> str | None:
    entry = model_map()["enums"]["ImagingMethod"]["values"].get(str(method), {})
    family = entry.get("family")
    return family if family in _VOXELS else None


def _beam(acquisition: Thing) -> Iterator[Problem]:
    ancestors = [acquisition.name, *model_map()["classes"][acquisition.name]["ancestors"]]
    volts = next((_VOLTS[a] for a in ancestors if a in _VOLTS), None)
    beam, place = _nested(acquisition, "electron_beam"), (*acquisition.location, "electron_beam")
    what = f"the electron beam of {acquisition.name}"
    if volts:
        for key in ("acceleration_voltage", "landing_energy"):
            yield from _bounded(beam.get(key), volts, (*place, key), "L6-voltage", what)
    for key in ("probe_current", "beam_current"):
        yield from _bounded(beam.get(key), _PROBE_AMPERE, (*place, key), "L6-current", what)
    slicing, place = _nested(acquisition, "slicing"), (*acquisition.location, "slicing")
    for key, bounds, rule, what in (
        ("milling_voltage", _MILLING_VOLTS, "L6-voltage", "an ion beam"),
        ("milling_current", _MILLING_AMPERE, "L6-current", "an ion beam"),
        ("nominal_slice_thickness", _SLICES, "L6-length-scale", "a slice"),
        ("measured_slice_thickness", _SLICES, "L6-length-scale", "a slice"),
    ):
        yield from _bounded(slicing.get(key), bounds, (*place, key), rule, what)


def _thickness(thing: Thing) -> Iterator[Problem]:
    """Yield sections that no microtome of electron microscopy cuts."""
    bounds = _SECTIONS if thing.name == "SectionSeries" else _SLICES
    for key in ("nominal_thickness", "measured_thickness"):
        place = (*thing.location, key)
        yield from _bounded(thing.data.get(key), bounds, place, "L6-length-scale", "a section")


def _session(acquisition: Thing, named: Mapping[str, Thing]) -> Iterator[Problem]:
    data = acquisition.data
    dwell = base_value(data.get("dwell_time"))
    counts = [data.get(k) for k in ("frame_pixels_x", "frame_pixels_y", "plane_count")]
    if dwell is None or not all(isinstance(c, int) and c > 0 for c in counts):
        return
    total = dwell
    tiling = _nested(acquisition, "tiling")
    repeats = [data.get(k) for k in ("line_averaging", "frame_averaging")]
    for count in (*counts, *repeats, tiling.get("tiles_x"), tiling.get("tiles_y")):
        total *= count if isinstance(count, int) and count > 0 else 1
    beams = data.get("beam_count")
    total /= beams if isinstance(beams, int) and beams > 0 else 1
    session = named.get(str(data.get("session")))
    source = data if data.get("started") and data.get("ended") else session.data if session else {}
    started, ended = moment(source.get("started")), moment(source.get("ended"))
    if started is None or ended is None or (started.tzinfo is None) != (ended.tzinfo is None):
        return
    available = (ended - started).total_seconds()
    place = (*acquisition.location, "dwell_time")
    hours = f"{total / 3600:.3g} h, the session {available / 3600:.3g} h"
    figures = f"pixels × planes × dwell time is {hours}"
    if total > 1.02 * available > 0:
        message = f"expected a scan that fits into its session; found that {figures}"
        yield _warning(place, "L6-session-time", message, "check dwell time, planes and times")
    elif 0 < total < 0.002 * available:
        message = f"expected a scan that fills some of its session; found that {figures}"
        yield _warning(place, "L6-session-time", message, "check the unit of the dwell time")
