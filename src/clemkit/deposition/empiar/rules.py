"""The codes of EMPIAR's rules, in words. Codes are stable, like those of the description."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

__all__ = ["EMPIAR_RULES"]

EMPIAR_RULES: Final[Mapping[str, str]] = {
    # building: notes on the description
    "empiar-affiliation": "A contact person has several affiliations; EMPIAR takes one.",
    "empiar-annotation": "Files of an annotation are not described as an image, and are left out.",
    "empiar-apostrophe": "A name holds an apostrophe, which would end EMPIAR's quotation.",
    "empiar-citation-authors": "A publication names no authors; those of the entry stand in.",
    "empiar-correspondence": "Several people are corresponding authors; EMPIAR takes one.",
    "empiar-experiment-type": "The type of experiment cannot be told, or is not EMPIAR's.",
    "empiar-format": "A file format was spelled out from the notes.",
    "empiar-missing": "The description lacks what EMPIAR requires.",
    "empiar-no-code": "EMPIAR has no code for a method; the nearest one was chosen.",
    "empiar-published": "The schema contradicts itself on what `published` means.",
    "empiar-scale": "The biological scale is not described.",
    "empiar-setting": "A value comes from archive_settings instead of the description.",
    "empiar-several-types": "The images are of several types of experiment.",
    "empiar-uneven-files": "The files of one image do not hold the same number of planes.",
    "empiar-unopened": "The files of an image were not opened.",
    # checking: the document itself
    "empiar-category": "The category is for single frames, or for several, and the frames differ.",
    "empiar-citation": "The fields of a citation contradict each other.",
    "empiar-coded-pair": "A coded value is not exactly one quoted pair of a known code and a text.",
    "empiar-contact": "A contact person is not in the author list.",
    "empiar-country": "A country is not one of the codes that EMPIAR takes.",
    "empiar-directory": "A path is not inside data/, or has parent steps.",
    "empiar-doi": "A DOI is not bare, or not a DOI.",
    "empiar-duplicate": "Two image sets are the same, or cannot be told apart.",
    "empiar-email": "An e-mail address is not one.",
    "empiar-emdb-link": "Raw data of EMDB entries come without the EMDB entry.",
    "empiar-empty": "A text is empty; EMPIAR wants null for what is not given.",
    "empiar-format-pair": "Header and data format do not go together.",
    "empiar-frame-range": "The range of frames is reversed, incomplete or beyond the frames.",
    "empiar-hidden-character": "A text holds control or zero-width characters, or outer spaces.",
    "empiar-initials": "The given name of an author is not initials in capital letters.",
    "empiar-length": "A text is shorter or longer than EMPIAR takes.",
    "empiar-missing-field": "A required field is not in the document.",
    "empiar-name": "A name does not have EMPIAR's form.",
    "empiar-orcid": "An ORCID iD is malformed, or its check digit is wrong.",
    "empiar-order": "The order of authors is not numbered 0, 1, 2, … without repeats.",
    "empiar-permission": "EMPIAR takes this type of experiment by arrangement only.",
    "empiar-pixel-size": "The pixel size is not given.",
    "empiar-pubmed": "A PubMed identifier is not one.",
    "empiar-range": "A number is outside what is possible.",
    "empiar-reference": "A reference to another entry is empty or malformed.",
    "empiar-release": "The release option does not go with the rest of the entry.",
    "empiar-schema": "The official schema rejects the document here.",
    "empiar-type": "A value has another type than its field.",
    "empiar-unit": "A pixel size looks like nanometres; EMPIAR takes ångström.",
    "empiar-unknown-key": "A key is not one of EMPIAR's, so that EMPIAR would not see it.",
    "empiar-value": "A value is not one of those that the field allows.",
    # reading an entry back
    "empiar-leftover": "A value has no field in the description; it is kept in archive_settings.",
    "empiar-unread": "A value of an entry could not be understood.",
    # the document against its files
    "empiar-file-count": "The number of images or frames differs from the files.",
    "empiar-file-empty": "A file has no content.",
    "empiar-file-format": "Header or data format differs from the files.",
    "empiar-file-gap": "Numbers are missing in a series of files.",
    "empiar-file-mixed": "Files of one image set differ in size, type, format or pixel size.",
    "empiar-file-pixel-size": "The pixel size differs from the files.",
    "empiar-file-size": "Width or height differs from the files.",
    "empiar-file-unreadable": "A file cannot be read.",
    "empiar-file-voxel-type": "The voxel type differs from the files.",
    "empiar-files-absent": "An image set has no files.",
}
