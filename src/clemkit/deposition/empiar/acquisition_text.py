"""Sentences on how an image was taken: instrument, beam, slices, dose, optics, channels."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, Final

from clemkit.deposition.empiar.description import Described, mappings, texts
from clemkit.deposition.empiar.wording import (
    described_by,
    joined,
    plain_number,
    plain_words,
    quantity_text,
    sentence,
)
from clemkit.metadata.validate.quantities import base_value

__all__ = ["acquisition_sentences", "electrons_per_nm2"]

_ELEMENTARY_CHARGE: Final = 1.602176634e-19  # coulomb, exact in the SI

_BEAM = {
    "acceleration_voltage": "acceleration voltage",
    "landing_energy": "landing energy",
    "stage_bias": "stage bias",
    "probe_current": "probe current",
    "working_distance": "working distance",
    "aperture_diameter": "aperture",
}
_TIMES = {"dwell_time": "dwell time", "frame_time": "frame time", "exposure_time": "exposure"}
_SLICING = {
    "nominal_slice_thickness": "nominal thickness",
    "measured_slice_thickness": "measured thickness",
    "slice_thickness_deviation": "standard deviation",
    "milling_voltage": "milling voltage",
    "milling_current": "milling current",
}
_SECTIONS = {"nominal_thickness": "nominal thickness", "measured_thickness": "measured thickness"}
_TILTS = {
    "tilt_minimum": "from", "tilt_maximum": "to", "tilt_increment": "in steps of",
}  # fmt: skip
_XRAY = {
    "tube_voltage": "tube voltage",
    "tube_current": "tube current",
    "photon_energy": "photon energy",
    "rotation_range": "rotation over",
    "propagation_distance": "propagation distance",
}


def acquisition_sentences(
    described: Described, image: Mapping[str, Any], sets: Mapping[str, str]
) -> Iterator[str]:
    """Yield what is described about the acquisition of an image.

    A derived image tells of the acquisition of its sources where these are not deposited with it.

    Parameters
    ----------
    described : Described
        The description.
    image : mapping
        The image.
    sets : mapping of str to str
        Image sets of the deposition, by the ids of their images.
    """
    for name in dict.fromkeys(_acquisitions(described, image, sets, set())):
        yield from _acquisition(described, described.thing(name))


def _acquisitions(
    described: Described, image: Mapping[str, Any], sets: Mapping[str, str], seen: set[str]
) -> Iterator[str]:
    if image.get("acquired_by"):
        yield str(image["acquired_by"])
        return
    for name in texts(image.get("derived_from_images")):
        if name not in sets and name not in seen:
            seen.add(name)
            yield from _acquisitions(described, described.thing(name), sets, seen)


def _acquisition(described: Described, acquisition: Mapping[str, Any]) -> Iterator[str]:
    yield sentence(acquisition.get("acquisition_summary"))
    yield _instrument(described, acquisition)
    yield from _electrons(acquisition)
    yield from _slices(described, acquisition)
    yield from _light(acquisition)
    yield _quantities("X-rays", acquisition, _XRAY)
    if acquisition.get("projection_count"):
        yield f"{acquisition['projection_count']} projections."
    yield sentence(_titled("Reconstruction", acquisition.get("reconstruction_method")))
    yield from _tiles(acquisition)


def _titled(title: str, text: object) -> str:
    return f"{title}: {text}" if text else ""


def _instrument(described: Described, acquisition: Mapping[str, Any]) -> str:
    name = acquisition.get("instrument")
    if not name:
        return ""
    instrument = described.thing(name)
    made = " ".join(str(instrument[k]) for k in ("manufacturer", "model_name") if k in instrument)
    return sentence(f"Instrument: {described.named(name)}{f' ({made})' if made else ''}")


def _quantities(title: str, source: Mapping[str, Any], names: Mapping[str, str]) -> str:
    listed = described_by({words: quantity_text(source.get(k)) for k, words in names.items()})
    return f"{title}: {listed}." if listed else ""


def _electrons(acquisition: Mapping[str, Any]) -> Iterator[str]:
    beam = acquisition.get("electron_beam")
    beam = beam if isinstance(beam, Mapping) else {}
    yield _quantities("Beam", beam, _BEAM)
    yield _quantities("Timing", acquisition, _TIMES)
    detectors = [
        " for ".join(plain_words(d[k]) for k in ("detector_kind", "detector_signal") if k in d)
        for d in mappings(acquisition.get("detectors"))
    ]
    if any(detectors):
        yield sentence(f"Detector: {joined([d for d in detectors if d])}")
    total = quantity_text(beam.get("total_dose"))
    dose = electrons_per_nm2(acquisition)
    if total:
        yield f"Total dose: {total}."
    elif dose is not None:
        yield (
            f"Dose of one image: {plain_number(dose)} electrons per nm², computed from probe "
            "current, dwell time and pixel size."
        )
    yield sentence(_titled("Charging reduced by", acquisition.get("charge_compensation")))


def electrons_per_nm2(acquisition: Mapping[str, Any]) -> float | None:
    """Return the dose of one scanned image, current × time ÷ charge ÷ area; None if not known.

    Parameters
    ----------
    acquisition : mapping
        An acquisition of the model with ``electron_beam``, ``dwell_time`` and pixel size.
    """
    beam = acquisition.get("electron_beam")
    current = base_value(beam.get("probe_current")) if isinstance(beam, Mapping) else None
    dwell = base_value(acquisition.get("dwell_time"))
    width = base_value(acquisition.get("acquired_pixel_size_x"))
    height = base_value(acquisition.get("acquired_pixel_size_y")) or width
    if not (current and dwell and width and height):
        return None
    scans = 1
    for repeat in ("line_averaging", "frame_averaging"):
        scans *= int(acquisition.get(repeat) or 1)
    return current * dwell * scans / _ELEMENTARY_CHARGE / (width * height * 1e18)


def _slices(described: Described, acquisition: Mapping[str, Any]) -> Iterator[str]:
    slicing = acquisition.get("slicing")
    if isinstance(slicing, Mapping):
        yield _quantities("Slices", slicing, _SLICING)
        words = {
            "ions": plain_words(slicing.get("ion_species")),
            "knife": str(slicing.get("knife") or ""),
            "protective layer": str(slicing.get("protective_layer") or ""),
        }
        yield sentence(_titled("Cutting", described_by(words)))
        yield from _lost("Lost slices", slicing.get("lost_slices"))
    series = described.thing(acquisition.get("section_series"))
    sections = {**series, **acquisition}
    yield _quantities("Sections", sections, _SECTIONS)
    yield from _lost("Lost sections", sections.get("lost_sections"))
    yield _tilts(acquisition)
    if acquisition.get("serial_tomograms"):
        yield f"Serial tomograms: {acquisition['serial_tomograms']}."
    for name in texts(acquisition.get("imaged_specimens")):
        support = described.thing(name).get("support_material")
        if support:
            yield sentence(f"Support: {support}")


def _tilts(acquisition: Mapping[str, Any]) -> str:
    words = [f"{word} {value}" for key, word in _TILTS.items()
             if (value := quantity_text(acquisition.get(key)))]  # fmt: skip
    axes = acquisition.get("tilt_axes")
    told = [" ".join(words)] if words else []
    if isinstance(axes, int):
        told.append("one axis" if axes == 1 else f"{axes} axes")
    return f"Tilts: {', '.join(told)}." if told else ""


def _lost(title: str, numbers: object) -> Iterator[str]:
    if isinstance(numbers, list) and numbers:
        yield f"{title}, counted from 1: {', '.join(str(n) for n in numbers)}."


def _light(acquisition: Mapping[str, Any]) -> Iterator[str]:
    objective = acquisition.get("objective")
    if isinstance(objective, Mapping):
        power, aperture = (
            objective.get("objective_magnification"),
            objective.get("numerical_aperture"),
        )
        words = {
            "magnification": f"{power:g}x" if power else "",
            "numerical aperture": f"{aperture:g}" if aperture else "",
            "immersion": plain_words(objective.get("immersion")),
        }
        yield sentence(f"Objective: {described_by(words)}")
    channels = []
    for channel in mappings(acquisition.get("light_channels")):
        words = {
            "": str(channel.get("fluorophore") or ""),
            "excited at": quantity_text(channel.get("excitation_wavelength")),
            "detected at": quantity_text(channel.get("emission_wavelength")),
        }
        told = described_by(words).strip()
        name = str(channel.get("channel_name") or "")
        channels.append(f"{name} ({told})" if told and name else name or told)
    if channels:
        yield sentence(f"Fluorescence: {'; '.join(c for c in channels if c)}")


def _tiles(acquisition: Mapping[str, Any]) -> Iterator[str]:
    tiling = acquisition.get("tiling")
    if isinstance(tiling, Mapping) and tiling.get("tiles_x") and tiling.get("tiles_y"):
        overlap = quantity_text(tiling.get("tile_overlap"))
        told = f", overlapping by {overlap}" if overlap else ""
        yield f"{tiling['tiles_x']} x {tiling['tiles_y']} tiles (x, y){told}."
