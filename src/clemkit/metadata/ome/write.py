"""From a description to OME-XML: what OME can hold in its own fields, the rest beside it."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from datetime import datetime
from typing import Any, Final

from clemkit.errors import ArgumentError, DataError, MissingExtraError
from clemkit.metadata.model_map import model_map
from clemkit.metadata.ome.patch import difference
from clemkit.metadata.ome.words import IMMERSIONS, METHODS, PIXEL_TYPES, UNITS

__all__ = ["ANNOTATION_NAMESPACE", "KEPT", "to_ome"]

# a provisional address, as that of the vocabulary
ANNOTATION_NAMESPACE: Final = "clemkit.example/ome/description"
KEPT: Final = "ome:StructuredAnnotations/"
_MOST = 256  # channels that are written one by one; OME may leave all of them out
_ILLEGAL = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u2028\u2029\ud800-\udfff\ufffe\uffff]")


def to_ome(data: Mapping[str, Any], image_id: str) -> str:
    """Return OME-XML of one image, with the whole description in it.

    Parameters
    ----------
    data : mapping
        A description in long form that fits the model.
    image_id : str
        The image that the file shows.

    Raises
    ------
    ArgumentError
        There is no such image.
    DataError
        The image lacks what OME-XML requires, or its data type does not exist there.
    MissingExtraError
        ome-types is not installed.
    """
    try:
        import ome_types
    except ImportError as error:
        raise MissingExtraError("ome-types", "metadata") from error
    from clemkit.metadata.ome.read import held_by

    images = {i["id"]: i for i in data.get("images", ())}
    if image_id not in images:
        listed = ", ".join(list(images)[:8]) or "none"
        raise ArgumentError(f"image: expected one of {listed}; found {image_id!r}")
    image = images[image_id]
    acquisition = _named(data, "acquisitions", image.get("acquired_by"))
    ome = _ome(data, image, acquisition)
    kept = list(_kept_annotations(data))
    envelope = {"model_version": model_map()["version"]}
    if acquisition is not None:
        envelope["acquisition"] = acquisition["id"]
    # what a reader sees in the OME fields themselves, so that only the rest goes beside them
    bare = _with_annotations(ome.to_xml(), kept)
    known = held_by(ome_types.from_xml(bare), bare, envelope).data
    content = {**envelope, **difference(known, data)}
    annotation = _annotation(json.dumps(content, separators=(",", ":")))
    return _with_annotations(ome.to_xml(), [*kept, annotation]) + "\n"


def _named(data: Mapping[str, Any], slot: str, name: Any) -> Any:
    return next((x for x in data.get(slot, ()) if x["id"] == name), None)


def _text(value: Any) -> str | None:
    """Return a text that XML can hold."""
    return None if value is None or _ILLEGAL.search(str(value)) else str(value)


def _amount(quantity: Any, prefix: str) -> dict[str, Any]:
    """Return the two fields of a quantity in OME, or none."""
    if not isinstance(quantity, Mapping) or set(quantity) != {"value", "unit"}:
        return {}
    unit = UNITS.get(quantity["unit"])
    if unit is None or not quantity["value"] > 0:
        return {}
    return {prefix: quantity["value"], f"{prefix}_unit": unit}


def _ome(data: Mapping[str, Any], image: Mapping[str, Any], acquisition: Any) -> Any:
    from ome_types import model

    source = acquisition or {}
    instrument = _named(data, "instruments", source.get("instrument"))
    operator = _named(data, "agents", next(iter(source.get("operators", ())), None))
    fields: dict[str, Any] = {}
    if operator is not None and operator.get("type") == "Person":
        person = model.Experimenter(
            id=f"Experimenter:{operator['id']}",
            first_name=_text(operator.get("given_name")),
            last_name=_text(operator.get("family_name")),
            email=_text(operator.get("email")),
        )
        fields["experimenters"] = [person]
    objective = source.get("objective")
    if instrument is not None:
        fields["instruments"] = [_instrument(instrument, objective, source)]
    content = _image(image, source, with_objective=bool(objective and instrument))
    if instrument is not None:
        content["instrument_ref"] = model.InstrumentRef(id=f"Instrument:{instrument['id']}")
    if "experimenters" in fields:
        content["experimenter_ref"] = model.ExperimenterRef(id=fields["experimenters"][0].id)
    return model.OME(images=[model.Image(**content)], creator="clemkit", **fields)


def _instrument(
    instrument: Mapping[str, Any], objective: Any, acquisition: Mapping[str, Any]
) -> Any:
    from ome_types import model

    microscope = model.Microscope(
        manufacturer=_text(instrument.get("manufacturer")),
        model=_text(instrument.get("model_name")),
        serial_number=_text(instrument.get("serial_number")),
    )
    objectives = []
    if objective:
        immersion = IMMERSIONS.get(objective.get("immersion"))
        objectives = [
            model.Objective(
                id=f"Objective:{acquisition['id']}",
                manufacturer=_text(objective.get("manufacturer")),
                model=_text(objective.get("model_name")),
                nominal_magnification=objective.get("objective_magnification"),
                lens_na=objective.get("numerical_aperture"),
                immersion=model.Objective_Immersion(immersion) if immersion else None,
            )
        ]
    name = f"Instrument:{instrument['id']}"
    return model.Instrument(id=name, microscope=microscope, objectives=objectives)


def _image(
    image: Mapping[str, Any], acquisition: Mapping[str, Any], *, with_objective: bool
) -> dict[str, Any]:
    from ome_types import model

    content: dict[str, Any] = {
        "id": f"Image:{image['id']}",
        "name": _text(image.get("name")),
        "description": _text(image.get("description")),
        "pixels": _pixels(image, acquisition),
    }
    if started := acquisition.get("started"):
        content["acquisition_date"] = datetime.fromisoformat(started)
    if with_objective:
        index = acquisition["objective"].get("refractive_index")
        settings = model.ObjectiveSettings(id=f"Objective:{acquisition['id']}")
        settings.refractive_index = index
        content["objective_settings"] = settings
    return content


def _pixels(image: Mapping[str, Any], acquisition: Mapping[str, Any]) -> Any:
    from ome_types import model

    missing = [k for k in ("size_x", "size_y", "data_type") if k not in image]
    if missing:
        raise DataError(
            f"image {image['id']}: expected size_x, size_y and data_type, which OME-XML requires; "
            f"found no {', '.join(missing)}; add them"
        )
    kind = PIXEL_TYPES.get(image["data_type"])
    if kind is None:
        known = ", ".join(PIXEL_TYPES)
        raise DataError(
            f"image {image['id']}: expected one of {known}, which OME-XML has; found "
            f"{image['data_type']}; convert the image"
        )
    channels = image.get("channels", ())
    count = max(image.get("size_c", 1), len(channels))
    sizes = {f"size_{a}": image.get(f"size_{a}", 1) for a in "xyzt"}
    amounts: dict[str, Any] = {}
    for axis in "xyz":
        amounts |= _amount(image.get(f"voxel_size_{axis}"), f"physical_size_{axis}")
    order = image.get("byte_order")
    return model.Pixels(
        id=f"Pixels:{image['id']}",
        dimension_order=model.Pixels_DimensionOrder.XYZCT,
        type=model.PixelType(kind),
        size_c=count,
        big_endian=None if order is None else order == "big_endian",
        channels=[_channel(image, acquisition, i) for i in range(count if count <= _MOST else 0)],
        metadata_only=model.MetadataOnly(),
        **sizes,
        **amounts,
        **_amount(image.get("time_increment"), "time_increment"),
    )


def _channel(image: Mapping[str, Any], acquisition: Mapping[str, Any], index: int) -> Any:
    from ome_types import model

    shown: Mapping[str, Any] = next(
        (c for c in image.get("channels", ()) if c.get("channel_index") == index), {}
    )
    lights = acquisition.get("light_channels", ())
    light = lights[index] if index < len(lights) else {}
    content: dict[str, Any] = {
        "id": f"Channel:{image['id']}:{index}",
        "name": _text(shown.get("channel_name", light.get("channel_name"))),
        "fluor": _text(light.get("fluorophore")),
        "samples_per_pixel": 1,
    }
    if colour := shown.get("display_colour"):
        content["color"] = model.Color(colour)
    for key in ("excitation_wavelength", "emission_wavelength"):
        content |= _amount(light.get(key), key)
    content |= _amount(acquisition.get("pinhole_size"), "pinhole_size")
    mode = METHODS.get(str(acquisition.get("imaging_method")))
    if mode:
        content["acquisition_mode"] = model.Channel_AcquisitionMode(mode)
    return model.Channel(**content)


def _kept_annotations(data: Mapping[str, Any]) -> Iterator[str]:
    """Yield annotations of other programs that came from an OME-XML file."""
    for setting in data.get("archive_settings", ()):
        if str(setting.get("parameter_name")).startswith(KEPT) and "parameter_json" in setting:
            try:
                text = json.loads(setting["parameter_json"])
            except json.JSONDecodeError:
                continue
            if isinstance(text, str) and _is_xml(text):
                yield text


def _is_xml(text: str) -> bool:
    from xml.etree import ElementTree

    if "<!" in text:
        return False
    try:
        return ElementTree.fromstring(text).tag.endswith("Annotation")
    except ElementTree.ParseError:
        return False


def _annotation(text: str) -> str:
    from xml.sax.saxutils import escape

    return (
        f'<MapAnnotation ID="Annotation:clemkit" Namespace="{ANNOTATION_NAMESPACE}"><Value>'
        f'<M K="description">{escape(text)}</M></Value></MapAnnotation>'
    )


def _with_annotations(xml: str, annotations: list[str]) -> str:
    if not annotations:
        return xml
    body = "".join(annotations)
    block = f"<StructuredAnnotations>{body}</StructuredAnnotations>"
    return xml.replace("</OME>", f"{block}</OME>")
