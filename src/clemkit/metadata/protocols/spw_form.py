"""The form of the EMPIAR Specimen Preparation Widget (SPW): which field holds which slot.

Learned from the widget's public source (rosalindfranklininstitute/empiar-spw, commit 9a9d6a8,
``src/schema/WorkFlowStepSchemas.tsx``) and its sample documents; spellings such as
``isundervaccum`` and ``boredetials`` are the widget's own. Fields of older documents that today's
form lacks are marked `older`: they are read, and written only for steps that had them.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from clemkit.metadata.protocols.spw_fields import (
    Codec,
    Count,
    FixedQuantity,
    Flag,
    MaterialName,
    Number,
    NumberWord,
    QuantityObject,
    Text,
)

__all__ = ["CLASS_OF_METHOD", "FORMS", "METHOD_OF_CLASS", "OTHER_FORM", "Field", "Rows"]


@dataclass(frozen=True, slots=True)
class Field:
    """One field: its keys from the outside in, the slot, and how to read and write it.

    A slot that starts with ``=`` is a parameter of the step, for what the model has no slot for.
    """

    path: tuple[str, ...]
    slot: str
    codec: Codec
    older: bool = False


@dataclass(frozen=True, slots=True)
class Rows:
    """A list of rows, each with the same fields; *single* and *role* place them in the model.

    With *single*, the first row goes to that slot and the others to `slot` with the role.
    """

    path: tuple[str, ...]
    slot: str
    fields: tuple[Field, ...]
    single: str = ""
    role: str = ""


Table = tuple[Field | Rows, ...]

_TEMPERATURES = {"degC": "C", "K": "K"}
_TIMES = {"min": "Min", "h": "Hr"}
_CONCENTRATIONS = {
    "percent": "%", "percent_wv": "%W/V", "M": "M", "mg_per_mL": "mg/ml", "dimensionless": "NA",
}  # fmt: skip
_PRESSURES = {"bar": "bar", "atm": "atm"}
_WEIGHTS = {"mg": "mg", "g": "g"}


def _temperature(path: str, slot: str) -> Field:
    return Field((path,), slot, QuantityObject(("temperature",), "temperatureunit", _TEMPERATURES))


def _ends(*, end_key: str) -> tuple[Field, Field]:
    """Return start and end of a warming; the end's number has had two keys."""
    start = QuantityObject(("starttemperature",), "temperatureunit", _TEMPERATURES)
    other = "starttemperature" if end_key == "endtemperature" else "endtemperature"
    end = QuantityObject((end_key, other), "temperatureunit", _TEMPERATURES)
    return (
        Field(("starttemperature",), "start_temperature", start),
        Field(("endtemperature",), "end_temperature", end),
    )


_DURATION = Field(("duration",), "duration", QuantityObject(("duration",), "durationunit", _TIMES))
_PH = Field(("ph",), "step_ph", Number(0, 14, 0.1))
_NOTES = (Field(("notes",), "notes", Text()), Field(("safetynotes",), "safety", Text()))
_CONCENTRATION = QuantityObject(("concentration",), "concentrationunits", _CONCENTRATIONS)
_VACUUM = Field(("isundervaccum",), "vacuum", Flag())
_OLDER_VACUUM = Field(("isundervaccum",), "vacuum", Flag(), older=True)
_REPEATS = Field(("repeats",), "repeats", Count())


def _reagents(detail: str) -> tuple[Field, ...]:
    return (
        Field((detail, "reagent"), "material_name", Text()),
        Field((detail, "solvent"), "solvent_name", Text()),
        Field(("concentrationdetails",), "concentration", _CONCENTRATION),
    )


_REAGENT_LIST = Rows(("reagentlist",), "materials", _reagents("reagentdetail"))
_FIXATION_MEDIUM = Rows(("fixationmedium",), "materials", _reagents("reagentdetail"))


def _device(*path: str, older: bool = False) -> tuple[Field, ...]:
    """Return the settings of an instrument, which only some steps have slots for."""
    return (
        Field((*path, "instrumentwattage"), "=", FixedQuantity("W"), older),
        Field((*path, "instrumentramp"), "=", NumberWord(), older),
        Field((*path, "instrumentspeed"), "=", NumberWord(), older),
    )


_INSTRUMENT = Field(("instrumentdetails", "instrument"), "instrument_description", Text())
_OLDER_WATTAGE = (
    Field(("instrument", "instrumentwattage"), "=", FixedQuantity("W"), older=True),
    Field(("instrumentwattage",), "=", FixedQuantity("W"), older=True),
)


def _warming(*, end_key: str = "endtemperature") -> Rows:
    ramp = Field(("temperature",), "ramp_rate", FixedQuantity("K_per_h"))
    return Rows(
        ("warmingprocedure",), "temperature_program", (ramp, *_ends(end_key=end_key), _DURATION)
    )


_BATH: Table = (
    _PH,
    _temperature("temperature", "temperature"),
    _DURATION,
    _REPEATS,
    *_NOTES,
    Field(("instrument", "instrumentname"), "instrument_description", Text()),
    _VACUUM,
    _REAGENT_LIST,
    Field(("instrument",), "instrument_description", Text(), older=True),
    *_OLDER_WATTAGE,
)
_STAINING: Table = (
    _PH,
    _temperature("temperature", "temperature"),
    _DURATION,
    *_NOTES,
    Field(("instrument",), "instrument_description", Text()),
    _REAGENT_LIST,
    Field(("instrument", "instrumentname"), "instrument_description", Text(), older=True),
    Field(("repeats",), "repeats", Count(), older=True),
    _OLDER_VACUUM,
    *_OLDER_WATTAGE,
)
_PLUNGE_FREEZING: Table = (
    _INSTRUMENT,
    Field(("chamberhumidity",), "chamber_humidity", FixedQuantity("percent")),
    _temperature("chambertemperature", "chamber_temperature"),
    _temperature("cryogentemperature", "cryogen_temperature"),
    Field(("blotting", "blotforce"), "blot_force", NumberWord()),
    Field(("blotting", "blotduration"), "blot_duration", FixedQuantity("s", assumed=True)),
    Field(("blotting", "blottype"), "blot_type", Text()),
    *_NOTES,
    Rows(
        ("reagentlist",),
        "cryogens",
        (
            Field(("material",), "material_name", Text()),
            Field(("proportion",), "concentration", FixedQuantity("percent")),
        ),
    ),
    *_device("instrumentdetails", older=True),
    _OLDER_VACUUM,
)
_HIGH_PRESSURE_FREEZING: Table = (
    Field(("pressure",), "pressure", QuantityObject(("pressure",), "pressureunit", _PRESSURES)),
    _DURATION,
    Field(("boredetials", "borediameter"), "carrier_bore_diameter", FixedQuantity("mm")),
    Field(("boredetials", "boredepth"), "carrier_bore_depth", FixedQuantity("um")),
    _INSTRUMENT,
    Field(("instrumentdetails", "instrumentwattage"), "wattage", FixedQuantity("W")),
    Field(("instrumentdetails", "instrumentramp"), "freezing_ramp", NumberWord()),
    Field(("instrumentdetails", "instrumentspeed"), "freezing_speed", NumberWord()),
    *_NOTES,
    _VACUUM,
    Rows(("fillmedium",), "materials", _reagents("fillmediumdetail"), "filler", "filler"),
    Rows(
        ("coatingmedium",), "materials", _reagents("coatingmediumdetail"), "carrier_coating",
        "coating",
    ),
)  # fmt: skip
_DEHYDRATION: Table = (
    Field(("reagent1",), "from_material", MaterialName()),
    Field(("reagent2",), "to_material", MaterialName()),
    Field(("instrument",), "instrument_description", Text()),
    _temperature("temperature", "temperature"),
    _VACUUM,
    *_NOTES,
    Rows(
        ("reagentconcentration",),
        "ladder",
        (
            Field(("concentrationdetails",), "stage_concentration", _CONCENTRATION),
            _DURATION,
            Field(("repeats",), "repeats", Count(), older=True),
        ),
    ),
    Field(("instrumentwattage",), "=", FixedQuantity("W"), older=True),
)
_INFILTRATION: Table = (
    _INSTRUMENT,
    *_device("instrumentdetails"),
    *_NOTES,
    _VACUUM,
    Rows(
        ("reagentlist",),
        "resin_recipe",
        (
            Field(("reagentdetail", "reagent"), "material_name", Text()),
            Field(("reagentdetail", "solvent"), "solvent_name", Text()),
            Field(
                ("weightdetails",),
                "amount",
                QuantityObject(("weight",), "weightunits", _WEIGHTS, as_text=True),
            ),
        ),
    ),
    Rows(
        ("infiltrationlist",),
        "ladder",
        (
            Field(("concentrationdetails",), "stage_concentration", _CONCENTRATION),
            _DURATION,
            *_ends(end_key="endtemperature"),
            Field(("count",), "repeats", Count(), older=True),
        ),
    ),
)
_OVEN_CURING: Table = (_INSTRUMENT, *_NOTES, _warming(), *_device("instrumentdetails", older=True))
_UV: Table = (
    _INSTRUMENT,
    *_NOTES,
    _VACUUM,
    _FIXATION_MEDIUM,
    _warming(),
    Field(("instrumentdetails", "instrumentwattage"), "wattage", FixedQuantity("W"), older=True),
    Field(("instrumentdetails", "instrumentramp"), "=", NumberWord(), older=True),
    Field(("instrumentdetails", "instrumentspeed"), "=", NumberWord(), older=True),
)
_FREEZE_SUBSTITUTION: Table = (
    _INSTRUMENT,
    *_device("instrumentdetails"),
    *_NOTES,
    _FIXATION_MEDIUM,
    _warming(end_key="starttemperature"),  # so the widget's own form, where it is hidden
    _OLDER_VACUUM,
)

OTHER_FORM: Final[Table] = _BATH
FORMS: Final[Mapping[str, Table]] = {
    "ChemicalFixation": _BATH,
    "PlungeFreezing": _PLUNGE_FREEZING,
    "HighPressureFreezing": _HIGH_PRESSURE_FREEZING,
    "Staining": _STAINING,
    "Dehydration": _DEHYDRATION,
    "Rinsing": _BATH,
    "Infiltration": _INFILTRATION,
    "Incubation": _BATH,
    "OvenCuring": _OVEN_CURING,
    "UvPolymerization": _UV,
    "FreezeSubstitution": _FREEZE_SUBSTITUTION,
}
# the widget opens a saved step by these words; "UV Polymerisation", which its menu says, it drops
METHOD_OF_CLASS: Final[Mapping[str, str]] = {
    "ChemicalFixation": "Chemical Fixation",
    "PlungeFreezing": "Plunge Freezing",
    "HighPressureFreezing": "High Pressure Freezing",
    "Staining": "Staining",
    "Dehydration": "Dehydration",
    "Rinsing": "Rinsing",
    "Infiltration": "Infiltration",
    "Incubation": "Incubation",
    "OvenCuring": "Oven Curing",
    "UvPolymerization": "Uv Polymerisation",
    "FreezeSubstitution": "Freeze Substitution",
}
CLASS_OF_METHOD: Final[Mapping[str, str]] = {
    method.casefold(): name for name, method in METHOD_OF_CLASS.items()
}
