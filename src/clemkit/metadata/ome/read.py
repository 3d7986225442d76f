"""From OME-XML to a description: our own come back whole, others as far as the model goes."""

from __future__ import annotations

import json
import re
import warnings
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

from clemkit.errors import FormatError, MissingExtraError, Problem
from clemkit.metadata.ome.patch import patched
from clemkit.metadata.ome.words import IMMERSIONS, METHODS, PIXEL_TYPES
from clemkit.metadata.ome.write import ANNOTATION_NAMESPACE, KEPT
from clemkit.metadata.ordering import in_model_order
from clemkit.metadata.shorthand import unit_named

__all__ = ["OmeReading", "from_ome", "held_by"]

_TYPES = {ome: ours for ours, ome in PIXEL_TYPES.items()}
_IMMERSIONS = {ome: ours for ours, ome in IMMERSIONS.items()}
_METHODS = {ome: ours for ours, ome in METHODS.items()}
# what is read here by identifier; ome-types numbers wrong ones in the order of reading
_IDENTIFIED = {
    "Annotation", "Channel", "Detector", "Experimenter", "Image", "Instrument", "Objective",
    "Pixels",
}  # fmt: skip
_READ = {"Image", "Instrument", "Experimenter", "StructuredAnnotations"}


@dataclass(frozen=True, slots=True)
class OmeReading:
    """What an OME-XML file says.

    Attributes
    ----------
    data : dict
        The description in long form.
    problems : tuple of Problem
        What could not be taken over as it is.
    """

    data: dict[str, Any]
    problems: tuple[Problem, ...] = ()


def from_ome(xml: str, *, experiment_id: str = "ome", path: str | Path = "<xml>") -> OmeReading:
    """Return the description in OME-XML.

    Parameters
    ----------
    xml : str
        The text, of any OME schema since 2003 that ome-types reads.
    experiment_id : str
        Id of the experiment, where the file was not written by clemkit.
    path : path
        For messages.

    Raises
    ------
    FormatError
        The text is not OME-XML.
    MissingExtraError
        ome-types is not installed.
    """
    try:
        import ome_types
    except ImportError as error:
        raise MissingExtraError("ome-types", "metadata") from error
    if "<!DOCTYPE" in xml or "<!ENTITY" in xml:
        raise FormatError(path, "expected OME-XML; found a document type, which is not read")
    try:
        xml, renamed = _with_valid_ids(xml)
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always")
            ome = ome_types.from_xml(xml)
    except Exception as error:  # XML, schema and pydantic each have exceptions of their own
        reason = " ".join(str(error).split())[:200]
        raise FormatError(path, f"expected OME-XML; found {reason}") from error
    said = dict.fromkeys([*renamed, *(" ".join(str(w.message).split()) for w in caught)])
    noted = [_problem((), f"expected OME-XML as its schema has it; found {t}") for t in said]
    envelope = _envelope(xml, path)
    reading = held_by(ome, xml, envelope)
    if envelope is not None:
        return OmeReading(in_model_order(patched(reading.data, envelope)), tuple(noted))
    data = {"id": experiment_id, **reading.data}
    return OmeReading(in_model_order(data), (*noted, *reading.problems))


def _problem(location: tuple[str | int, ...], message: str, hint: str = "") -> Problem:
    return Problem(location, "L0-ome", "warning", message, hint)


def _with_valid_ids(xml: str) -> tuple[str, list[str]]:
    """Return the text with identifiers as the schema wants them, and which were not."""
    root = ElementTree.fromstring(xml.encode())
    renamed: dict[str, None] = {}
    for element in root.iter():
        name, given = _local(element), element.get("ID")
        base = re.sub("(Ref|Settings)$", "", name)
        if base.endswith("Annotation"):
            base = "Annotation"
        if given is None or base not in _IDENTIFIED or re.match(rf"({base}:\S|urn:lsid:)", given):
            continue
        element.set("ID", f"{base}:{re.sub(r'[^A-Za-z0-9._:-]+', '-', given)}")
        renamed[f"{name} ID {given!r}, read as {element.get('ID')!r}"] = None
    return (ElementTree.tostring(root, encoding="unicode") if renamed else xml), list(renamed)


def _envelope(xml: str, path: str | Path) -> Any:
    """Return what clemkit wrote beside the fields of OME; None in files of other programs."""
    for element in ElementTree.fromstring(xml.encode()).iter():
        if element.get("Namespace") == ANNOTATION_NAMESPACE:
            text = "".join(element.itertext()).strip()
            try:
                found = json.loads(text)
                if isinstance(found["patch"], dict) and isinstance(found["order"], dict):
                    return found
            except (ValueError, KeyError, TypeError):
                pass
            message = "expected clemkit's own annotation whole; found it damaged"
            raise FormatError(path, f"{message}; remove it to read the rest")
    return None


class _Names:
    """Ids of things: our own as they are, others made from those of OME."""

    def __init__(self, ours: bool) -> None:
        self._ours = ours

    def of(self, identifier: str) -> str:
        kind, _, name = identifier.partition(":")
        if self._ours:
            return name
        plain = re.sub(r"[^A-Za-z0-9._-]+", "-", name)[:60]
        return f"{kind.lower()}-{plain}"


def held_by(ome: Any, xml: str, envelope: Mapping[str, Any] | None) -> OmeReading:
    """Return what the fields of OME themselves say.

    Parameters
    ----------
    ome : ome_types.OME
        The file.
    xml : str
        Its text, for what ome-types does not keep word for word.
    envelope : mapping or None
        What clemkit wrote beside the fields; None in files of other programs.
    """
    names = _Names(envelope is not None)
    problems: list[Problem] = []
    data: dict[str, Any] = {"agents": [], "instruments": [], "acquisitions": [], "images": []}
    for person in ome.experimenters:
        data["agents"] += _person(person, names)
    for instrument in ome.instruments:
        data["instruments"].append(_instrument(instrument, names))
    known = {a["id"] for a in data["agents"]}
    for image in ome.images:
        acquisition = _acquisition(image, ome, names, envelope, known)
        shown = _image(image, names)
        if acquisition is not None:
            shown["acquired_by"] = acquisition["id"]
            data["acquisitions"].append(acquisition)
            if acquisition.get("imaging_method") == "other_method":
                place = ("acquisitions", len(data["acquisitions"]) - 1, "imaging_method")
                message = "expected an imaging method; found none that OME has a word for"
                problems.append(_problem(place, message, "write the method"))
        data["images"].append(shown)
    settings, lost = _kept(xml)
    if settings:
        data["archive_settings"] = settings
    problems += lost
    return OmeReading({k: v for k, v in data.items() if v}, tuple(problems))


def _given(**fields: Any) -> dict[str, Any]:
    return {k: v for k, v in fields.items() if v is not None}


def _quantity(value: Any, unit: Any) -> dict[str, Any] | None:
    name = unit_named(str(getattr(unit, "value", unit)))
    return None if value is None or name is None else {"value": float(value), "unit": name}


def _person(person: Any, names: _Names) -> list[dict[str, Any]]:
    family = person.last_name or person.user_name
    if not family:
        return []
    return [
        _given(
            id=names.of(person.id),
            type="Person",
            given_name=person.first_name,
            family_name=family,
            email=person.email if "@" in (person.email or "") else None,
        )
    ]


def _instrument(instrument: Any, names: _Names) -> dict[str, Any]:
    microscope = instrument.microscope
    return _given(
        id=names.of(instrument.id),
        manufacturer=microscope and microscope.manufacturer,
        model_name=microscope and microscope.model,
        serial_number=microscope and microscope.serial_number,
    )


def _image(image: Any, names: _Names) -> dict[str, Any]:
    pixels = image.pixels
    channels = [_image_channel(c, i) for i, c in enumerate(pixels.channels)]
    shown = [c for c in channels if len(c) > 1]
    sizes = {
        f"voxel_size_{a}": _quantity(
            getattr(pixels, f"physical_size_{a}"), getattr(pixels, f"physical_size_{a}_unit")
        )
        for a in "xyz"
    }
    order = {True: "big_endian", False: "little_endian"}
    return _given(
        id=names.of(image.id),
        name=image.name,
        description=image.description,
        data_type=_TYPES.get(str(pixels.type.value)),
        byte_order=order[pixels.big_endian] if pixels.big_endian is not None else None,
        size_x=int(pixels.size_x),
        size_y=int(pixels.size_y),
        size_z=int(pixels.size_z),
        size_c=int(pixels.size_c),
        size_t=int(pixels.size_t),
        **sizes,
        time_increment=_quantity(pixels.time_increment, pixels.time_increment_unit),
        channels=shown or None,
    )


def _image_channel(channel: Any, index: int) -> dict[str, Any]:
    colour = None
    if "color" in channel.model_fields_set and channel.color is not None:
        red, green, blue, *_ = channel.color.as_rgb_tuple()
        colour = f"#{red:02x}{green:02x}{blue:02x}"
    return _given(channel_index=index, channel_name=channel.name, display_colour=colour)


def _acquisition(
    image: Any,
    ome: Any,
    names: _Names,
    envelope: Mapping[str, Any] | None,
    people: set[str],
) -> dict[str, Any] | None:
    if envelope is not None and "acquisition" not in envelope:
        return None
    objective = _objective(image, ome)
    lights = [_light_channel(c) for c in image.pixels.channels]
    mode = next((c.acquisition_mode for c in image.pixels.channels if c.acquisition_mode), None)
    operator = names.of(image.experimenter_ref.id) if image.experimenter_ref else None
    date = image.acquisition_date
    pinholes = [
        _quantity(c.pinhole_size, c.pinhole_size_unit)
        for c in image.pixels.channels
        if c.pinhole_size is not None
    ]
    found = _given(
        instrument=names.of(image.instrument_ref.id) if image.instrument_ref else None,
        operators=[operator] if operator in people else None,
        started=date.isoformat() if date else None,
        objective=objective or None,
        light_channels=lights if any(set(x) - {"channel_name"} for x in lights) else None,
        pinhole_size=pinholes[0] if pinholes else None,
    )
    method = _METHODS.get(mode.value) if mode else None
    if envelope is not None:
        return _given(id=envelope["acquisition"], imaging_method=method, **found)
    if not found and method is None:
        return None
    light = method or {"objective", "light_channels", "pinhole_size"} & set(found)
    return {
        "id": f"acquisition-of-{names.of(image.id)}",
        "type": "LightAcquisition" if light else "OtherAcquisition",
        "imaging_method": method or "other_method",
        **found,
    }


def _light_channel(channel: Any) -> dict[str, Any]:
    return _given(
        channel_name=channel.name,
        fluorophore=channel.fluor,
        excitation_wavelength=_quantity(
            channel.excitation_wavelength, channel.excitation_wavelength_unit
        ),
        emission_wavelength=_quantity(
            channel.emission_wavelength, channel.emission_wavelength_unit
        ),
    )


def _objective(image: Any, ome: Any) -> dict[str, Any]:
    settings = image.objective_settings
    everything = [o for i in ome.instruments for o in i.objectives]
    chosen = [o for o in everything if settings and o.id == settings.id]
    if not chosen:
        return {}
    objective = chosen[0]
    immersion = objective.immersion and _IMMERSIONS.get(objective.immersion.value)
    return _given(
        manufacturer=objective.manufacturer,
        model_name=objective.model,
        objective_magnification=_number(objective.nominal_magnification),
        numerical_aperture=_number(objective.lens_na),
        immersion=immersion,
        refractive_index=_number(settings.refractive_index),
    )


def _number(value: Any) -> float | None:
    return None if value is None else float(value)


def _kept(xml: str) -> tuple[list[dict[str, Any]], list[Problem]]:
    """Return annotations of other programs word for word, and what is not taken over."""
    settings: list[dict[str, Any]] = []
    lost: dict[str, int] = {}
    for element in ElementTree.fromstring(xml.encode()):
        name = _local(element)
        if name not in _READ:
            lost[name] = lost.get(name, 0) + 1
            text = ElementTree.tostring(_bare(element), encoding="unicode")
            settings.append(_setting(f"ome:{name}/{element.get('ID', '')}", text))
        if name == "StructuredAnnotations":
            for child in element:
                if child.get("Namespace") != ANNOTATION_NAMESPACE:
                    text = ElementTree.tostring(_bare(child), encoding="unicode")
                    settings.append(_setting(f"{KEPT}{child.get('ID', '')}", text))
    planes = len(list(_all(xml, "Plane")))
    problems = [
        _problem((), f"expected what the model has; found {count} {name}, kept word for word in "
                 "archive_settings")
        for name, count in lost.items()
    ]  # fmt: skip
    if planes:
        text = f"expected what the model has; found {planes} Plane elements (positions, times)"
        problems.append(_problem((), f"{text}, which are not taken over", "keep the file"))
    return settings, problems


def _all(xml: str, name: str) -> Iterator[Any]:
    return (e for e in ElementTree.fromstring(xml.encode()).iter() if _local(e) == name)


def _setting(name: str, text: str) -> dict[str, Any]:
    return {"parameter_name": name, "parameter_json": json.dumps(text)}


def _local(element: Any) -> str:
    return str(element.tag).rpartition("}")[2]


def _bare(element: Any) -> Any:
    element.tail = None
    return element
