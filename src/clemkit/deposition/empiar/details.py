"""The free text of an image set: all that EMPIAR has no field for, generated from the description.

EMPIAR's image sets hold no z, no unit, no sample, no instrument, no dose and no relation to each
other. Each sentence here says one of these, in a fixed order, and only what is described.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from clemkit.deposition.empiar.acquisition_text import acquisition_sentences
from clemkit.deposition.empiar.description import Described, mappings, nanometres, texts
from clemkit.deposition.empiar.experiment_type import image_methods
from clemkit.deposition.empiar.formats import found_format
from clemkit.deposition.empiar.preparation_text import preparation_sentences
from clemkit.deposition.empiar.relation_text import relation_sentences
from clemkit.deposition.empiar.wording import (
    format_name,
    joined,
    method_name,
    plain_words,
    quantity_text,
    sentence,
)
from clemkit.metadata.validate.files import ImageFacts

__all__ = ["DetailsInput", "details_text"]

_KINDS = {
    "raw": "Raw images",
    "tile": "Raw tiles",
    "tilt_series": "Tilt series",
    "projections": "X-ray projections before reconstruction",
    "reconstruction": "Reconstructed volume",
    "aligned": "Aligned volume",
    "processed": "Processed volume",
    "registered": "Volume warped into the frame of another one",
    "segmentation": "Segmentation (labels)",
    "projection_map": "Projections for viewing",
    "overview": "Overview",
}


_TILTED = ("tilt_series", "projections")  # their third axis is an angle


@dataclass(frozen=True, slots=True)
class DetailsInput:
    """What the text of one image set is made from.

    Attributes
    ----------
    image : mapping
        The image of the model.
    entry : mapping
        The image set without its text.
    sets : mapping of str to str
        Image sets of the deposition as ``name (folder)``, by the ids of their images.
    facts : ImageFacts or None
        What its files say, if they were opened.
    """

    image: Mapping[str, Any]
    entry: Mapping[str, Any]
    sets: Mapping[str, str]
    facts: ImageFacts | None = None

    @property
    def voxel_size_zyx_nm(self) -> tuple[float | None, float | None, float | None]:
        """Voxel size: z as described or else found, y and x as written; None if not known."""
        z = nanometres(self.image.get("voxel_size_z"))
        if z is None and self.facts is not None and self.facts.voxel_size_zyx_nm is not None:
            z = self.facts.voxel_size_zyx_nm[0]
        written = (self.entry.get(k) for k in ("pixel_height", "pixel_width"))
        y, x = (None if size is None else float(f"{size / 10:.12g}") for size in written)
        return z, y, x

    def size(self, axis: str) -> int | None:
        """Return the extent along an axis, found or else described; None if not known."""
        found = (self.facts.sizes or {}).get(axis) if self.facts is not None else None
        described = self.image.get(f"size_{axis}")
        return found if found is not None else described

    @property
    def file_format(self) -> str:
        """The format, found or else described."""
        if self.facts is not None and self.facts.formats:
            return found_format(self.facts.formats[0]) or str(self.image.get("file_format") or "")
        return str(self.image.get("file_format") or "")


def details_text(described: Described, source: DetailsInput) -> str:
    """Return the text for one image set.

    Parameters
    ----------
    described : Described
        The description.
    source : DetailsInput
        The image and its image set.
    """
    image = source.image
    sentences = [
        sentence(image.get("description")),
        _what(described, source),
        *_spacing(source),
        *_extent(source),
        *_specimens(described, image),
        *preparation_sentences(described, image, source.sets),
        *acquisition_sentences(described, image, source.sets),
        *_processing(described, image),
        *relation_sentences(described, image, source.sets),
        sentence(image.get("notes")) if image.get("file_format") != "other_format" else "",
    ]
    return " ".join(s for s in sentences if s)


def _what(described: Described, source: DetailsInput) -> str:
    kind = _KINDS.get(str(source.image.get("image_kind")), "Images")
    methods = [method_name(m) for m in image_methods(described, source.image)]
    by = f" by {joined(methods)}" if methods else ""
    return sentence(f"{kind}{by}, {_stored(source)}")


def _stored(source: DetailsInput) -> str:
    file_set = source.image.get("file_set")
    pattern = file_set.get("file_pattern") if isinstance(file_set, Mapping) else None
    inside = file_set.get("dataset_path") if isinstance(file_set, Mapping) else None
    known = source.file_format if source.file_format != "other_format" else ""
    parts = [f"{format_name(known)} files".strip()]
    if pattern:
        parts[0] += f" ({pattern}{f', data set {inside}' if inside else ''})"
    compression = {"lossless": "compressed without loss", "lossy": "compressed with loss"}
    if str(source.image.get("compression")) in compression:
        parts.append(compression[str(source.image["compression"])])
    levels = source.image.get("pyramid_levels")
    if isinstance(levels, int) and levels > 1:
        parts.append(f"{levels} resolution levels")
    return ", ".join(parts)


def _spacing(source: DetailsInput) -> Iterator[str]:
    z, y, x = source.voxel_size_zyx_nm
    origin = {"nominal": " (nominal)", "measured": " (measured)", "assumed": " (assumed)"}
    how = origin.get(str(source.image.get("voxel_size_source")), "")
    if x is not None and y is not None:
        width, height = source.entry.get("pixel_width"), source.entry.get("pixel_height")
        yield (
            f"Pixel size {x:.6g} nm x {y:.6g} nm (x, y){how}, given in this entry in ångström: "
            f"{width:.10g} x {height:.10g} Å."
        )
    if z is not None and source.image.get("image_kind") not in _TILTED:
        yield f"Distance of planes (z): {z:.6g} nm."
    increment = quantity_text(source.image.get("time_increment"))
    if increment:
        yield f"Time between images: {increment}."


def _extent(source: DetailsInput) -> Iterator[str]:
    image = source.image
    yield _size(source)
    yield sentence(image.get("size_description"))
    channels = [
        f"{c.get('channel_index', i)} {c.get('channel_name') or c.get('channel_content') or ''}"
        for i, c in enumerate(mappings(image.get("channels")))
    ]
    if channels:
        yield sentence(f"Channels: {', '.join(c.strip() for c in channels)}")
    lost = [str(n) for n in image.get("missing_slices") or ()]
    if lost:
        yield f"Missing slices, counted from 1: {', '.join(lost)}."
    if image.get("contrast_polarity"):
        inverted = "; grey values were inverted" if image.get("contrast_inverted") else ""
        yield sentence(f"Contrast: {plain_words(image['contrast_polarity'])}{inverted}")


def _size(source: DetailsInput) -> str:
    """Return the size; files that hold several planes each are told apart."""
    tilted = source.image.get("image_kind") in _TILTED
    files = source.entry.get("num_images_or_tilt_series")
    depths = source.facts.depths if source.facts is not None else ()
    series = isinstance(files, int) and files > 1 and max(depths, default=1) > 1
    axes = "xyct" if tilted or series else "xyzct"
    sizes = [(a, source.size(a)) for a in axes]
    shown = [(a, n) for a, n in sizes if isinstance(n, int) and (a in "xyz" or n > 1)]
    if len(shown) < 2:
        return ""
    numbers = " x ".join(str(n) for _, n in shown)
    text = f"Size {numbers} ({', '.join(a for a, _ in shown)})"
    if series:
        planes = f"{min(depths)}" if len(depths) == 1 else f"{min(depths)} to {max(depths)}"
        what = ("tilts", "series") if tilted else ("planes (z)", "files")
        text += f", {planes} {what[0]} in each of {files} {what[1]}"
    elif tilted and source.size("z") is not None:
        text += f", {source.size('z')} tilts"
    return f"{text}."


def _specimens(described: Described, image: Mapping[str, Any]) -> Iterator[str]:
    names = texts(image.get("image_of"))
    if names:
        yield sentence(f"Specimen: {joined([described.named(n) for n in names])}")
    sources = [s for n in names for s in texts(described.thing(n).get("biosamples"))]
    samples = [_sample(described, s) for s in dict.fromkeys(sources)]
    if samples:
        yield sentence(f"Biological material: {joined(samples)}")


def _sample(described: Described, name: str) -> str:
    sample = described.thing(name)
    organisms = [str(o.get("scientific_name") or "") for o in mappings(sample.get("organisms"))]
    species = f" ({joined([o for o in organisms if o])})" if any(organisms) else ""
    return f"{described.named(name)}{species}"


def _processing(described: Described, image: Mapping[str, Any]) -> Iterator[str]:
    yield sentence(image.get("processing_summary"))
    step = described.thing(image.get("generated_by_processing"))
    seen: set[str] = set()
    while step and str(step.get("id")) not in seen:
        seen.add(str(step.get("id")))
        yield sentence(f"Processing: {_step(described, step)}")
        earlier = texts(step.get("informed_by"))
        step = described.thing(earlier[0]) if len(earlier) == 1 else {}


def _step(described: Described, step: Mapping[str, Any]) -> str:
    words = plain_words(step.get("processing_kind"))
    programs = [
        f"{described.named(s)} {described.thing(s).get('software_version', '')}".strip()
        for s in texts(step.get("software"))
    ]
    settings = [
        f"{p.get('parameter_name')} {value}"
        for p in mappings(step.get("parameters"))
        if (value := quantity_text(p.get("parameter_quantity")) or p.get("parameter_json"))
    ]
    by = f" with {joined(programs)}" if programs else ""
    how = f" ({', '.join(settings)})" if settings else ""
    summary = step.get("processing_summary_text")
    return f"{words}{by}{how}{f': {summary}' if summary else ''}"
