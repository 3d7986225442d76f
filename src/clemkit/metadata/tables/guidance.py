"""What a workbook tells the people who fill it in."""

from __future__ import annotations

from collections.abc import Sequence

from clemkit.metadata.model_map import model_map
from clemkit.metadata.tables.layout import (
    EXPERIMENT,
    column_slot,
    home_of,
    needed_by,
    root_sheets,
    sheet_class,
)
from clemkit.metadata.tables.table import NUMBER, PARENT

__all__ = ["comment_of", "how_to", "is_required", "tab_colour"]

_COLOURS = {"study": "4472C4", "material": "70AD47", "images": "ED7D31", "below": "BFBFBF"}
_MATERIAL = {
    "biological_samples", "specimens", "reagents", "protocols", "protocol_executions",
}  # fmt: skip
_HOW = (
    ("How to fill this in", ""),
    ("", "Each sheet is a list of things; each row is one of them. Leave empty what is not known."),
    ("id", "A short name without spaces, unique in the whole workbook. Other rows refer to it."),
    ("yellow headers", "Must be filled in for each row. The comment of a header says what it is."),
    ("quantities", "A number with its unit in one cell: 5 nm, 1.5 kV, 4 °C, 1 % w/v. Or numbers "
     "alone under a header with a unit, such as: voxel_size_x [nm]"),
    ("several values", "In one cell with a semicolon between them: ada; ben"),
    ("terms", "The identifier, and its label after it or in the next column: FBbi:00000585"),
    ("parent, number", "Rows of a grey sheet belong to the thing whose id is in parent. For steps "
     "of a protocol that have rows themselves: prep/steps/3 is the third step of prep. Numbers "
     "may be left empty: then the order of rows counts."),
    ("further columns", "Add the columns that you need: their names are those of the fields in "
     "experiment.yaml, with a dot for fields of fields: electron_beam.probe_current"),
    ("dates", "2026-01-31, or a date of the spreadsheet; times with zone: "
     "2026-01-31T09:00:00+01:00"),
    ("back", "clemkit metadata from-xlsx this.xlsx -o experiment.yaml"),
    ("", ""),
)  # fmt: skip


def how_to(sheets: Sequence[str]) -> list[tuple[str, str]]:
    """Return the rows of the first sheet: how to fill in, and what the others hold."""
    rows = list(_HOW)
    for name in sheets:
        if name == EXPERIMENT:
            rows.append((name, "The experiment itself: one row."))
        elif name in model_map()["slots"]:
            rows.append((name, str(model_map()["slots"][name]["description"])))
        else:
            rows.append((name, "Texts that are too long for one cell."))
    return rows


def is_required(sheet: str, column: str) -> bool:
    """Return whether every row of *sheet* must have *column*."""
    if column in (PARENT, NUMBER):
        return column == PARENT
    if "." in column:
        return False
    slot = column_slot(column)
    several = len(model_map()["classes"][sheet_class(sheet)]["concrete"]) > 1
    return bool(slot.get("required") or (slot.get("designator") and several))


def comment_of(sheet: str, column: str) -> str:
    """Return the comment of a header."""
    if column == PARENT:
        return "The id of what this row belongs to; empty for the experiment itself."
    if column == NUMBER:
        return "Position, from 1. May be left empty: then the order of rows counts."
    slot = column_slot(column)
    lines = [str(slot["description"])]
    if is_required(sheet, column):
        lines.append("Required.")
    lines += [_form(slot), *_who(sheet, column)]
    return "\n".join(line for line in lines if line)


def _form(slot: dict[str, object]) -> str:
    kind, target = str(slot["kind"]), str(slot["range"])
    several = ", several with ; between" if slot.get("multivalued") else ""
    if kind == "enum":
        values = list(model_map()["enums"][target]["values"])
        listed = ", ".join(values[:12]) + (", …" if len(values) > 12 else "")
        return f"One of {listed}{several}"
    if kind == "class" and not slot["inlined"]:
        return f"id of the sheet {home_of(target)}{several}"
    form = model_map()["classes"][target]["shorthand"] if kind == "class" else target
    return {
        "quantity": "Number and unit, such as 5 nm",
        "term": f"Identifier, such as CHEBI:88215{several}",
        "double": f"Number{several}", "integer": f"Whole number{several}",
        "boolean": "TRUE or FALSE", "date": "Date", "datetime": "Time with zone",
        "uri": f"Address{several}", "uriorcurie": f"Identifier or address{several}",
    }.get(str(form), several.lstrip(", ").capitalize())  # fmt: skip


def _who(sheet: str, column: str) -> list[str]:
    if "." in column:
        return []
    declared = sheet_class(sheet)
    concrete = model_map()["classes"][declared]["concrete"]
    lines = []
    profiles = needed_by(declared, column)
    if profiles:
        lines.append(f"Wanted by: {', '.join(profiles)}")
    having = [c for c in concrete if column in model_map()["classes"][c]["slots"]]
    if len(having) < len(concrete):
        shown = ", ".join(having[:6]) + (", …" if len(having) > 6 else "")
        lines.append(f"For: {shown}")
    return lines


def tab_colour(sheet: str) -> str:
    """Return the colour of a sheet's tab."""
    if sheet in _MATERIAL:
        return _COLOURS["material"]
    if sheet in ("images", "acquisitions", "sessions", "processing_steps", "correlations"):
        return _COLOURS["images"]
    return _COLOURS["study" if sheet == EXPERIMENT or sheet in root_sheets() else "below"]
