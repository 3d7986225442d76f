"""What the widget's form takes, as JSON Schema, and documents of all kinds made from it.

The schema was derived by hand from the form definitions in the widget's public source
(rosalindfranklininstitute/empiar-spw, commit 9a9d6a8), without clemkit's own tables, so that the
two can disagree. Unknown keys are refused, which the widget itself does not do.
"""

from __future__ import annotations

from typing import Any

from hypothesis import strategies as st

Schema = dict[str, Any]
TEMPERATURES, TIMES = ["K", "C"], ["Min", "Hr"]
CONCENTRATIONS = ["%", "%W/V", "M", "mg/ml", "NA"]
METHODS = [
    "TEM", "TEM tomography", "STEM", "FIB-SEM", "SBF-SEM", "Array Tomography", "X Ray Microscopy",
    "Others",
]  # fmt: skip


def thing(**properties: Schema) -> Schema:
    return {"type": "object", "properties": properties, "additionalProperties": False}


def rows(**properties: Schema) -> Schema:
    return {"type": "array", "items": thing(**properties)}


def one_of(values: list[str]) -> Schema:
    return {"type": "string", "enum": values}


TEXT: Schema = {"type": "string"}
NUMBER: Schema = {"type": "number"}
POSITIVE: Schema = {"type": "number", "minimum": 0}
YES_NO: Schema = {"type": "boolean"}
PH: Schema = {"type": "number", "minimum": 0, "maximum": 14}  # and a tenth, tested apart
TEMPERATURE = thing(temperature=NUMBER, temperatureunit=one_of(TEMPERATURES))
DURATION = thing(duration=POSITIVE, durationunit=one_of(TIMES))
CONCENTRATION = thing(concentration=POSITIVE, concentrationunits=one_of(CONCENTRATIONS))
REAGENT = thing(reagent=TEXT, solvent=TEXT)
NOTES = {"notes": TEXT, "safetynotes": TEXT}
REAGENTS = rows(reagentdetail=REAGENT, concentrationdetails=CONCENTRATION)
START = thing(starttemperature=NUMBER, temperatureunit=one_of(TEMPERATURES))
END = thing(endtemperature=NUMBER, temperatureunit=one_of(TEMPERATURES))
WARMING = rows(temperature=NUMBER, starttemperature=START, endtemperature=END, duration=DURATION)
DEVICE = thing(instrument=TEXT)
SETTINGS = thing(
    instrument=TEXT, instrumentwattage=NUMBER, instrumentramp=NUMBER, instrumentspeed=NUMBER
)
BATH = {
    "ph": PH, "temperature": TEMPERATURE, "duration": DURATION, "repeats": POSITIVE, **NOTES,
    "instrument": thing(instrumentname=TEXT), "isundervaccum": YES_NO, "reagentlist": REAGENTS,
}  # fmt: skip
FORMS: dict[str, dict[str, Schema]] = {
    "Chemical Fixation": BATH,
    "Rinsing": BATH,
    "Incubation": BATH,
    "Staining": {
        "ph": PH, "temperature": TEMPERATURE, "duration": DURATION, **NOTES, "instrument": TEXT,
        "reagentlist": REAGENTS,
    },
    "Plunge Freezing": {
        "instrumentdetails": DEVICE, "chamberhumidity": NUMBER, "chambertemperature": TEMPERATURE,
        "cryogentemperature": TEMPERATURE, **NOTES,
        "blotting": thing(
            blotforce={"type": "integer"}, blotduration=POSITIVE,
            blottype=one_of(["Single sided - back", "Single sided - front", "Double sided"]),
        ),
        "reagentlist": rows(material=TEXT, proportion=NUMBER),
    },
    "High Pressure Freezing": {
        "pressure": thing(pressure=POSITIVE, pressureunit=one_of(["bar", "atm"])),
        "duration": DURATION, "boredetials": thing(borediameter=POSITIVE, boredepth=POSITIVE),
        "instrumentdetails": SETTINGS, **NOTES, "isundervaccum": YES_NO,
        "fillmedium": rows(fillmediumdetail=REAGENT, concentrationdetails=CONCENTRATION),
        "coatingmedium": rows(coatingmediumdetail=REAGENT, concentrationdetails=CONCENTRATION),
    },
    "Dehydration": {
        "reagent1": TEXT, "reagent2": TEXT, "instrument": TEXT, "temperature": TEMPERATURE,
        "isundervaccum": YES_NO, **NOTES,
        "reagentconcentration": rows(concentrationdetails=CONCENTRATION, duration=DURATION),
    },
    "Infiltration": {
        "instrumentdetails": SETTINGS, **NOTES, "isundervaccum": YES_NO,
        "reagentlist": rows(
            reagentdetail=REAGENT, weightdetails=thing(weight=TEXT, weightunits=one_of(["mg", "g"]))
        ),
        "infiltrationlist": rows(
            concentrationdetails=CONCENTRATION, duration=DURATION, starttemperature=START,
            endtemperature=END,
        ),
    },
    "Oven Curing": {"instrumentdetails": DEVICE, **NOTES, "warmingprocedure": WARMING},
    "Uv Polymerisation": {
        "instrumentdetails": DEVICE, **NOTES, "isundervaccum": YES_NO, "fixationmedium": REAGENTS,
        "warmingprocedure": WARMING,
    },
    "Freeze Substitution": {
        "instrumentdetails": SETTINGS, **NOTES, "fixationmedium": REAGENTS,
        "warmingprocedure": rows(
            temperature=NUMBER, starttemperature=START, endtemperature=START, duration=DURATION
        ),
    },
}  # fmt: skip


def step_schema(method: str) -> Schema:
    schema = thing(**FORMS[method], ordernumber={"type": "integer"}, method={"const": method})
    return schema | {"required": ["ordernumber", "method"]}


DOCUMENT: Schema = thing(
    user=thing(name=TEXT, email=TEXT),
    metadata=thing(
        name=TEXT,
        imagingmethod=one_of(METHODS),
        studydescription=TEXT,
        biologicalentity=TEXT,
    ),
    data={"type": "array", "items": {"oneOf": [step_schema(m) for m in FORMS]}},
    entryid=TEXT,
    doi=TEXT,
) | {"required": ["metadata", "data"]}

# --- documents -------------------------------------------------------------------------------

WORDS = st.text(st.characters(exclude_categories=("Cs",)), max_size=8)
NICE = st.sampled_from(["Acetone", "a b", "ä\n„x“", "\t", "0", '"', "\\", "'''"])
NUMBERS = st.integers(0, 300) | st.sampled_from([0.5, 2.25, 1e-7, 12.125, 7.4, 1e300])


def values(schema: Schema) -> st.SearchStrategy[Any]:
    """What a person could type into the form, field by field or not at all."""
    if "enum" in schema:
        return st.sampled_from(schema["enum"])
    if schema["type"] == "object":
        return filled(schema["properties"])
    if schema["type"] == "array":
        return st.lists(filled(schema["items"]["properties"], whole=True), min_size=1, max_size=3)
    if schema == PH:
        return st.integers(0, 14) | st.sampled_from([7.4, 6.8, 0.3])
    return {"string": NICE, "number": NUMBERS, "integer": st.integers(-20, 20),
            "boolean": st.booleans()}[schema["type"]]  # fmt: skip


@st.composite
def filled(draw, properties: dict[str, Schema], whole: bool = False) -> dict[str, Any]:
    chosen = draw(st.lists(st.sampled_from(sorted(properties)), min_size=1, unique=True))
    if {"temperatureunit", "durationunit", "concentrationunits", "pressureunit", "weightunits"} & (
        set(properties)
    ):
        chosen = sorted(properties)  # the form asks for the number and its unit together
    found = {k: draw(values(properties[k])) for k in chosen}
    if "weight" in found:
        found["weight"] = draw(st.sampled_from(["12", "0.5", "300"]))
    if "repeats" in found:
        found["repeats"] = draw(st.integers(1, 9))
    return found


@st.composite
def form_documents(draw) -> dict[str, Any]:
    """Documents that today's form could have made."""
    methods = draw(st.lists(st.sampled_from(sorted(FORMS)), min_size=1, max_size=4))
    steps = [
        draw(filled(FORMS[m])) | {"ordernumber": i, "method": m} for i, m in enumerate(methods, 1)
    ]
    about = DOCUMENT["properties"]["metadata"]["properties"]
    return {"metadata": draw(filled(about)), "data": steps}


ODD = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False)
    | WORDS | st.sampled_from(["12", " 3,5 ", "1e3", "2-4", "RT", {}, [], ""]),
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(WORDS, inner, max_size=2),
    max_leaves=4,
)  # fmt: skip
OLD_KEYS = st.sampled_from(
    ["isundervaccum", "instrumentwattage", "starttemperature", "endtemperature", "count", "repeats",
     "comment", "ordernumber", "method", "instrument", "reagentlist", "temperature", ""]
)  # fmt: skip


@st.composite
def odd_documents(draw) -> Any:
    """Documents of the form with anything else inside them."""
    return _spoilt(draw, draw(form_documents()), draw(st.integers(1, 6)))


def _spoilt(draw: Any, document: Any, times: int) -> Any:
    for _ in range(times):
        owner, key = document, None
        while isinstance(owner, dict | list) and owner and (key is None or draw(st.booleans())):
            if key is not None and not isinstance(owner[key], dict | list):
                break
            owner = owner if key is None else owner[key]
            if not owner:
                break
            key = draw(
                st.sampled_from(sorted(owner) if isinstance(owner, dict) else range(len(owner)))
            )
        how = draw(st.integers(0, 4))
        if how == 0 and isinstance(owner, dict):
            owner[draw(OLD_KEYS)] = draw(ODD)
        elif how == 1 and isinstance(owner, dict) and key in owner:
            del owner[key]
        elif how == 2 and owner and isinstance(owner[key], int | float):
            owner[key] = str(owner[key])
        elif owner:
            owner[key] = draw(ODD)
    return document
