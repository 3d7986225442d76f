"""The codes of all rules, in words. Codes are stable: they are never reused for anything else."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

__all__ = ["RULES"]

RULES: Final[Mapping[str, str]] = {
    # L0: the file itself
    "L0-alias-cycle": "A YAML alias contains itself.",
    "L0-cell": "A cell of a table cannot be taken as it is.",
    "L0-column": "A column of a table is not in the model, or occurs twice.",
    "L0-decimal-comma": "A number in a table has a decimal comma; it was read as a point.",
    "L0-duplicate-key": "A key occurs twice; YAML would silently keep one.",
    "L0-hidden-character": "A control, zero-width or direction character is hidden in a value.",
    "L0-merge-key": "A YAML merge key is used; lines would no longer be those of the values.",
    "L0-ome": "OME-XML says something that could not be taken over as it is.",
    "L0-parent": "A row of a table belongs to nothing that is there.",
    "L0-sheet": "A sheet of a workbook is not in the model.",
    # L1: the model
    "L1-checksum": "The check digit of an ORCID, ROR or CAS number does not agree.",
    "L1-class": "The class of a thing is not given, or not one of those that are possible.",
    "L1-decimal-comma": "A number is written with a comma.",
    "L1-list": "A list is expected, or a single value is.",
    "L1-missing-field": "A field that the model requires is not given.",
    "L1-pattern": "A value does not have the form that its field requires.",
    "L1-range": "A number is outside the range of its field.",
    "L1-repeated-value": "A value occurs twice in a set.",
    "L1-type": "A value has another type than its field.",
    "L1-unit": "A unit is missing or not known.",
    "L1-unknown-field": "A field is not in the model.",
    "L1-value": "A value is not one of those that the field allows.",
    # L2: terms
    "L2-branch": "A term is of another branch than its field expects.",
    "L2-label": "The label given for a term is not that of its identifier.",
    "L2-malformed": "An identifier does not have the form of its ontology.",
    "L2-obsolete": "A term is obsolete.",
    "L2-unknown-prefix": "The prefix of an identifier is not known.",
    "L2-unknown-term": "A term is not among the pinned terms.",
    # L3: references
    "L3-cycle": "Things refer to each other in a circle.",
    "L3-dangling": "A reference leads to nothing.",
    "L3-dates": "Something ended before it began.",
    "L3-duplicate-id": "Two things have the same id.",
    "L3-no-origin": "It is not said what an image or a specimen was made from.",
    "L3-orphan": "Nothing refers to a thing that is described.",
    "L3-step-number": "A step number is beyond the steps of the protocol.",
    "L3-wrong-kind": "A reference leads to a thing of another kind.",
    # L4: image files
    "L4-absent": "A file that is described does not exist.",
    "L4-count": "The number of files differs from the description.",
    "L4-data-type": "The data type of the files differs from the description.",
    "L4-empty": "A file has no content.",
    "L4-format": "The format of the files differs from the description.",
    "L4-gap": "Numbers are missing in a series of files.",
    "L4-mixed": "Files of one set differ in size, data type, format or voxel size.",
    "L4-size": "The size of the image differs from the description.",
    "L4-unreadable": "A file cannot be read.",
    "L4-voxel-size": "The voxel size in the files differs from the description.",
    # L5: profiles
    "L5-contact": "A contact person lacks what the profile requires.",
    "L5-length": "A text is shorter or longer than the profile allows.",
    "L5-required": "A field that the profile requires is not given.",
    "L5-role": "The profile requires somebody in a role.",
    # L6: plausibility
    "L6-count": "The number of planes of an image disagrees with its acquisition.",
    "L6-current": "A beam current is outside what the method uses.",
    "L6-dimension": "A unit does not fit what the field measures.",
    "L6-length-scale": "A length is outside what the method can give: nm, um and angstrom swapped?",
    "L6-session-time": "Pixels times dwell time do not fit into the session.",
    "L6-thickness": "The distance of planes disagrees with the thickness of slices.",
    "L6-voltage": "A voltage is outside what the method uses.",
}
