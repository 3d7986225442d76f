"""The keys of EMPIAR's document with what each may hold, as data."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final, Literal

__all__ = ["AUTHOR", "CITATION", "CONTACT", "IMAGE_SET", "MISNAMED", "TOP", "Field"]

Kind = Literal["text", "integer", "number", "boolean", "list", "object"]


@dataclass(frozen=True, slots=True)
class Field:
    """What one key may hold.

    Attributes
    ----------
    kind : str
        Type of the value.
    required : bool
        The key must be there and not be null.
    shortest, longest : int
        Characters of a text.
    lowest : float or None
        Smallest number.
    above : bool
        The number must be more than *lowest*.
    items : int
        Fewest items of a list.
    """

    kind: Kind
    required: bool = False
    shortest: int = 1
    longest: int | None = None
    lowest: float | None = None
    above: bool = False
    items: int = 0


def _text(longest: int | None = None, *, required: bool = False, shortest: int = 1) -> Field:
    return Field("text", required, shortest, longest)


TOP: Final[Mapping[str, Field]] = {
    "title": _text(255, required=True, shortest=10),
    "release_date": _text(required=True),
    "experiment_type": Field("integer", required=True),
    "scale": _text(),
    "cross_references": Field("list"),
    "biostudies_references": Field("list"),
    "idr_references": Field("list"),
    "empiar_references": Field("list"),
    "workflows": Field("list"),
    "authors": Field("list", required=True, items=1),
    "corresponding_author": Field("object", required=True),
    "principal_investigator": Field("list", required=True, items=1),
    "workflow_file": Field("object"),
    "imagesets": Field("list", required=True, items=1),
    "citation": Field("list", required=True, items=1),
}

AUTHOR: Final[Mapping[str, Field]] = {
    "name": _text(required=True),
    "order_id": Field("integer", required=True),
    "author_orcid": _text(),
}

CONTACT: Final[Mapping[str, Field]] = {
    "author_orcid": _text(),
    "first_name": _text(60, required=True),
    "middle_name": _text(60),
    "last_name": _text(60, required=True),
    "organization": _text(255, required=True),
    "street": _text(255),
    "town_or_city": _text(60),
    "state_or_province": _text(60),
    "post_or_zip": _text(60),
    "telephone": _text(60),
    "fax": _text(60),
    "email": _text(required=True),
    "country": _text(required=True),
}

IMAGE_SET: Final[Mapping[str, Field]] = {
    "name": _text(200, required=True),
    "directory": _text(200, required=True),
    "category": _text(required=True),
    "header_format": _text(required=True),
    "data_format": _text(required=True),
    "num_images_or_tilt_series": Field("integer", required=True, lowest=1),
    "frames_per_image": Field("integer", required=True, lowest=1),
    "frame_range_min": Field("integer", lowest=0),
    "frame_range_max": Field("integer", lowest=0),
    "voxel_type": _text(required=True),
    "pixel_width": Field("number", lowest=0, above=True),
    "pixel_height": Field("number", lowest=0, above=True),
    "details": _text(),
    "micrographs_file_pattern": _text(200),
    "picked_particles_file_pattern": _text(200),
    "picked_particles_directory": _text(200),
    "image_width": Field("integer", lowest=1),
    "image_height": Field("integer", lowest=1),
}

CITATION: Final[Mapping[str, Field]] = {
    "authors": Field("list", required=True, items=1),
    "editors": Field("list"),
    "published": Field("boolean", required=True),
    "j_or_nj_citation": Field("boolean", required=True),
    "title": _text(255, required=True),
    "volume": _text(8),
    "country": _text(),
    "first_page": _text(8),
    "last_page": _text(8),
    "year": Field("integer", lowest=1000),
    "language": _text(40),
    "doi": _text(80),
    "pubmedid": _text(20),
    "details": _text(65535),
    "book_chapter_title": _text(80),
    "publisher": _text(80),
    "publication_location": _text(80),
    "journal": _text(),
    "journal_abbreviation": _text(),
    "issue": _text(),
}

MISNAMED: Final[Mapping[str, str]] = {
    "principal_investigators": "principal_investigator",
    "pi": "principal_investigator",
    "corresponding_authors": "corresponding_author",
    "image_sets": "imagesets",
    "citations": "citation",
    "crossreferences": "cross_references",
    "emdb_references": "cross_references",
    "release": "release_date",
    "city": "town_or_city",
    "town": "town_or_city",
    "state": "state_or_province",
    "province": "state_or_province",
    "postal_code": "post_or_zip",
    "postcode": "post_or_zip",
    "zip": "post_or_zip",
    "zip_code": "post_or_zip",
    "phone": "telephone",
    "mail": "email",
    "e_mail": "email",
    "affiliation": "organization",
    "organisation": "organization",
    "institution": "organization",
    "orcid": "author_orcid",
    "surname": "last_name",
    "given_name": "first_name",
    "num_images": "num_images_or_tilt_series",
    "pubmed_id": "pubmedid",
    "pubmed": "pubmedid",
    "width": "image_width",
    "height": "image_height",
    "path": "directory",
    "is_published": "published",
}
"""Names that other writers of this document use for EMPIAR's keys."""
