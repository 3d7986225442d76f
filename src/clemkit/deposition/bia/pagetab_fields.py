"""Attributes of PageTab sections that are one text in the model, and where they go."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

__all__ = ["FIELDS", "MODEL_LISTS", "SECTION_NAMES"]

# section: (attribute, slot)
FIELDS: Final[Mapping[str, tuple[tuple[str, str], ...]]] = {
    "annotations": (
        ("Title", "name"),
        ("Annotation overview", "description"),
        ("Annotation method", "annotation_method"),
        ("Annotation criteria", "annotation_criteria"),
        ("Annotation coverage", "annotation_coverage"),
    ),
    "biosample": (
        ("Title", "name"),
        ("Biological entity", "biological_entity_description"),
        ("Description", "description"),
    ),
    "imageacquisition": (
        ("Title", "name"),
        ("Image acquisition parameters", "acquisition_summary"),
    ),
    "imageanalysis": (("Title", "name"), ("Image analysis overview", "analysis_method")),
    "organisation": (("Name", "name"),),
    "specimen": (("Title", "name"), ("Sample preparation protocol", "preparation_summary")),
    "studycomponent": (
        ("Name", "name"),
        ("Description", "description"),
        ("File List", "file_list"),
    ),
}
SECTION_NAMES: Final[Mapping[str, str]] = {
    "annotations": "Annotations",
    "author": "author",
    "biosample": "Biosample",
    "imageacquisition": "Image acquisition",
    "imageanalysis": "Image analysis",
    "organisation": "organisation",
    "specimen": "Specimen",
    "studycomponent": "Study Component",
}
MODEL_LISTS: Final[Mapping[str, str]] = {
    "annotations": "annotation_sets",
    "biosample": "biological_samples",
    "imageacquisition": "acquisitions",
    "imageanalysis": "analysis_results",
    "specimen": "specimens",
    "studycomponent": "study_components",
}
