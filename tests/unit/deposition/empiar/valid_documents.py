"""Deposition documents that are right in every respect: one by hand, and any by hypothesis."""

from __future__ import annotations

import copy
from typing import Any

from hypothesis import strategies as st

from clemkit.deposition.empiar.codes import OTHER, PAIRED_FIELDS, label_of, pair
from clemkit.deposition.empiar.countries import COUNTRIES
from clemkit.metadata.validate.check_digits import orcid_check_digit


def person(**changes: Any) -> dict[str, Any]:
    entry = {
        "author_orcid": "0000-0002-1825-0097",
        "first_name": "Ada",
        "middle_name": "Maria",
        "last_name": "Example",
        "organization": "Example Institute",
        "street": None,
        "town_or_city": "Exampletown",
        "state_or_province": None,
        "post_or_zip": "12345",
        "telephone": None,
        "fax": None,
        "email": "ada@example.org",
        "country": "DE",
    }
    return entry | changes


def image_set(**changes: Any) -> dict[str, Any]:
    entry = {
        "name": "FIB-SEM slices",
        "directory": "data/em-raw",
        "category": "('T1', '')",
        "header_format": "('T3', '')",
        "data_format": "('T3', '')",
        "num_images_or_tilt_series": 7,
        "frames_per_image": 1,
        "frame_range_min": None,
        "frame_range_max": None,
        "voxel_type": "('T1', '')",
        "pixel_width": 80.0,
        "pixel_height": 100.0,
        "details": "Distance of planes (z): 50 nm.",
        "image_width": 13,
        "image_height": 11,
    }
    return entry | changes


def valid_document() -> dict[str, Any]:
    """Return a new copy of a correlative deposition."""
    authors = [
        {"name": "('Example', 'AM')", "order_id": 0, "author_orcid": "0000-0002-1825-0097"},
        {"name": "('Sample', 'B')", "order_id": 1, "author_orcid": None},
    ]
    return {
        "title": "Mitochondria of one cell seen twice",
        "release_date": "HP",
        "experiment_type": 7,
        "scale": "3",
        "cross_references": [{"name": "EMD-8000"}],
        "authors": copy.deepcopy(authors),
        "corresponding_author": person(),
        "principal_investigator": [
            person(author_orcid=None, first_name="Ben", middle_name=None, last_name="Sample")
        ],
        "imagesets": [
            image_set(),
            image_set(
                name="Confocal stack",
                directory="data/lm",
                category="('T2', '')",
                header_format="('OT', 'OME TIFF')",
                data_format="('OT', 'OME TIFF')",
                num_images_or_tilt_series=1,
                frames_per_image=5,
                frame_range_min=1,
                frame_range_max=5,
                voxel_type="('T3', '')",
                pixel_width=700,
                pixel_height=700,
            ),
        ],
        "citation": [
            {
                "authors": copy.deepcopy(authors),
                "editors": [],
                "published": False,
                "j_or_nj_citation": True,
                "title": "Mitochondrial networks seen twice",
                "year": 2026,
                "doi": None,
            }
        ],
    }


LETTERS = "abcdefghijklmnopqrstuvwxyzäöüéñçøå"
CAPITALS = LETTERS.upper()
WORDS = st.text(LETTERS + CAPITALS + " -", min_size=1, max_size=30).filter(
    lambda t: t == " ".join(t.split())
)
FAMILIES = st.from_regex(r"[A-Z][a-zäöüé]{1,20}( |-)?[A-Z][a-zäöüé]{1,10}", fullmatch=True)
INITIALS = st.text("ABCDEFGHIJKLMNOPQRSTUVWXYZ", min_size=1, max_size=4)
COUNTRY = st.sampled_from(sorted(COUNTRIES))
FREE = st.from_regex(r"[A-Z][A-Z0-9]{1,8}( [A-Z0-9]{1,6})?", fullmatch=True).filter(
    lambda t: not any(t == label for field in PAIRED_FIELDS.values() for label in field.values())
)


@st.composite
def orcids(draw):
    digits = draw(st.text("0123456789", min_size=15, max_size=15))
    whole = digits + orcid_check_digit(digits)
    return "-".join(whole[i : i + 4] for i in range(0, 16, 4))


@st.composite
def author_lists(draw):
    names = draw(st.lists(st.tuples(FAMILIES, INITIALS), min_size=1, max_size=4, unique=True))
    numbers = draw(st.lists(orcids(), min_size=len(names), max_size=len(names), unique=True))
    return [
        {
            "name": f"('{family}', '{initials}')",
            "order_id": order,
            "author_orcid": draw(st.sampled_from([None, numbers[order]])),
        }
        for order, (family, initials) in enumerate(names)
    ]


@st.composite
def contacts(draw, authors):
    author = draw(st.sampled_from(authors))
    entry = {
        "author_orcid": author["author_orcid"],
        "first_name": draw(st.from_regex(r"[A-Z][a-z]{1,12}", fullmatch=True)),
        "last_name": author["name"][2:].partition("'")[0],
        "organization": draw(WORDS),
        "email": draw(
            st.from_regex(r"[a-z]{1,9}(\.[a-z]{1,9})?@[a-z]{2,9}\.(org|de)", fullmatch=True)
        ),
        "country": draw(COUNTRY),
    }
    for key in ("middle_name", "street", "town_or_city", "post_or_zip", "telephone", "fax"):
        if draw(st.booleans()):
            # the schema takes no null for these two, although null is their default
            required = key in ("town_or_city", "post_or_zip")
            entry[key] = draw(WORDS if required else st.none() | WORDS)
    return entry


def pairs(field):
    codes = st.sampled_from(sorted(PAIRED_FIELDS[field])).map(pair)
    return codes | FREE.map(lambda text: pair(OTHER, text))


def fits(category, frames):
    label = label_of("category", category)
    return "multiframe" not in label if frames == 1 else "single frame" not in label


@st.composite
def image_sets(draw, index):
    frames = draw(st.integers(1, 3000))
    ranged = draw(st.booleans())
    last = draw(st.integers(1, frames))
    folder = draw(st.from_regex(r"[a-z]{1,8}(/[a-z]{1,8})?", fullmatch=True))
    entry = {
        "name": f"{draw(WORDS)} {index}",
        "directory": f"data/{folder}-{index}",
        "category": draw(pairs("category").filter(lambda p: fits(p, frames))),
        "voxel_type": draw(pairs("voxel_type")),
        "num_images_or_tilt_series": draw(st.integers(1, 100000)),
        "frames_per_image": frames,
        "frame_range_min": draw(st.integers(1, last)) if ranged else None,
        "frame_range_max": last if ranged else None,
        "pixel_width": draw(st.floats(200, 1000)),
        "pixel_height": draw(st.floats(200, 1500)),
        "image_width": draw(st.none() | st.integers(1, 100000)),
    }
    header = draw(pairs("header_format"))
    entry["header_format"] = entry["data_format"] = header
    for key in ("details", "micrographs_file_pattern", "picked_particles_directory"):
        if draw(st.booleans()):
            entry[key] = draw(st.none() | WORDS)
    return entry


@st.composite
def citations(draw):
    journal = draw(st.booleans())
    entry = {
        "authors": draw(author_lists()),
        "published": draw(st.booleans()),
        "j_or_nj_citation": journal,
        "title": draw(WORDS),
        "year": draw(st.none() | st.integers(1900, 2100)),
        "doi": draw(st.none() | st.from_regex(r"10\.[0-9]{4}/[a-z0-9.]{1,12}", fullmatch=True)),
        "country": draw(st.none() | COUNTRY),
        "first_page": draw(st.none() | st.from_regex(r"[0-9]{1,8}", fullmatch=True)),
        "language": draw(st.none() | st.just("English")),
    }
    if draw(st.booleans()):
        entry["editors"] = draw(st.just([]) | author_lists())
    entry["journal" if journal else "publisher"] = draw(st.none() | WORDS)
    if entry["published"]:
        entry["pubmedid"] = draw(st.none() | st.from_regex(r"[1-9][0-9]{0,7}", fullmatch=True))
    return entry


@st.composite
def documents(draw):
    """Any valid document; nothing of it may be flagged."""
    authors = draw(author_lists())
    count = draw(st.integers(1, 3))
    document = {
        "title": draw(WORDS.map(lambda t: f"A title of {t}")),
        "release_date": draw(st.sampled_from(["RE", "HO"])),
        "experiment_type": draw(st.sampled_from([1, 3, 4, 5, 7, 8, 9, 11, 12, 13])),
        "authors": authors,
        "corresponding_author": draw(contacts(authors)),
        "principal_investigator": draw(st.lists(contacts(authors), min_size=1, max_size=2)),
        "imagesets": [draw(image_sets(index)) for index in range(count)],
        "citation": draw(st.lists(citations(), min_size=1, max_size=2)),
    }
    references = {
        "cross_references": r"EMD-[0-9]{4,5}",
        "biostudies_references": r"S-BIAD[0-9]{1,4}",
        "idr_references": r"idr[0-9]{4}",
        "empiar_references": r"EMPIAR-[0-9]{5}",
    }
    for key, form in references.items():
        if draw(st.booleans()) or (key == "cross_references" and document["experiment_type"] == 3):
            names = draw(
                st.lists(st.from_regex(form, fullmatch=True), min_size=1, max_size=3, unique=True)
            )
            document[key] = [{"name": name} for name in names]
    if draw(st.booleans()):
        document["scale"] = draw(st.sampled_from("12345"))
    if draw(st.booleans()):
        document["workflow_file"] = {"path": "data/workflow.json"}
    if draw(st.booleans()):
        document["workflows"] = [{"url": "https://workflowhub.example/1", "type": 1}]
    return document
