"""``README.md`` of a package: what is in it, how to open, check and send it."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from clemkit import __version__
from clemkit.deposition.package.execute import MANIFESTS, Mode
from clemkit.deposition.package.transfer import transfer_lines

__all__ = ["ImageNote", "opening_statement", "readme_text", "size_text"]

_MADE = {
    "link": "Data files are hard links: they share their content with the files that they were "
    "made from. Do not edit them here.",
    "copy": "Data files are copies.",
    "plan": "This is a plan: `file-plan.tsv` says which file belongs where; no data are here.",
}
_FIJI = {
    "tiff": "File > Import > Image Sequence, or drag the file",
    "ome_tiff": "drag the file (Bio-Formats)",
    "ome_zarr": "File > Import > N5/Zarr, or MoBIE, napari, Neuroglancer",
    "n5": "File > Import > N5/Zarr",
    "bdv_hdf5": "Plugins > BigDataViewer > Open XML/HDF5",
    "hdf5": "File > Import > HDF5",
    "mrc": "drag the file (Bio-Formats); IMOD opens it too",
    "nrrd": "drag the file",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class ImageNote:
    """What the README says about one image set.

    Attributes
    ----------
    image_id, name, directory, file_format, data_type : str
    files, total_bytes : int
    names : tuple of str
        Names in the folder, stores once.
    sizes : str
        Extent, such as ``1200 x 2000 x 3000 (z, y, x)``.
    voxel_size_zyx_nm : tuple of float or None
    role : {"intensity", "labels"}
    dataset : str or None
        Array inside an HDF5 file.
    is_picture : bool
        Its channels are colours of one picture, which is opened one channel at a time.
    """

    image_id: str
    name: str
    directory: str
    file_format: str
    data_type: str
    files: int
    total_bytes: int
    names: tuple[str, ...]
    sizes: str = ""
    voxel_size_zyx_nm: tuple[float, float, float] | None = None
    role: str = "intensity"
    dataset: str | None = None
    is_picture: bool = False


def opening_statement(note: ImageNote) -> str | None:
    """Return the Python line that opens an image set; None for formats that clemkit cannot read."""
    if not note.names or note.file_format in ("czi", "lif", "nd2", "ims", "eer", "txm", "jpeg"):
        return None
    if len(note.names) == 1:
        where = f"{note.directory}/{note.names[0]}"
    elif note.file_format == "bdv_hdf5" and (xml := _only(note.names, ".xml")):
        where = f"{note.directory}/{xml}"
    elif note.file_format in ("tiff", "png"):
        where = note.directory
    else:
        first = _only(note.names, ".mhd", ".nhdr") or note.names[0]
        where = f"{note.directory}/{first}"
    words = [repr(where)]
    if note.voxel_size_zyx_nm is not None:
        values = ", ".join(f"{v:g}" for v in note.voxel_size_zyx_nm)
        words.append(f"voxel_size_zyx_nm=({values})")
    if note.dataset:
        words.append(f"dataset={note.dataset!r}")
    if note.is_picture:
        words.append("channel=0")
    if note.role != "intensity":
        words.append(f"role={note.role!r}")
    name = re.sub(r"\W", "_", note.image_id)
    return f"{name} = open_volume({', '.join(words)})".replace("'", '"')


def _only(names: Sequence[str], *suffixes: str) -> str | None:
    found = [name for name in names if name.lower().endswith(suffixes)]
    return found[0] if len(found) == 1 else None


def readme_text(
    *,
    title: str,
    experiment_id: str,
    description_name: str,
    notes: Sequence[ImageNote],
    mode: Mode,
    checks: Sequence[str],
    others: Sequence[tuple[str, str]],
    archives: Sequence[str],
    draft: bool = False,
) -> str:
    """Return the README of a package; the same inputs give the same text.

    Parameters
    ----------
    title, experiment_id, description_name : str
        Title of the study, id of the experiment, name of its description.
    notes : sequence of ImageNote
    mode : {"link", "copy", "plan"}
    checks : sequence of str
        What was checked, with the outcome.
    others : sequence of (str, str)
        Further files and what they are.
    archives : sequence of str
        ``empiar``, ``bia``.
    draft : bool
        The package was built in spite of errors.
    """
    return "\n".join(_lines(
        title, experiment_id, description_name, notes, mode, checks, others, archives, draft
    )) + "\n"  # fmt: skip


def _lines(
    title: str,
    experiment_id: str,
    description_name: str,
    notes: Sequence[ImageNote],
    mode: Mode,
    checks: Sequence[str],
    others: Sequence[tuple[str, str]],
    archives: Sequence[str],
    draft: bool,
) -> Iterator[str]:
    yield f"# {title}"
    yield ""
    if draft:
        yield "**Draft: it does not pass the checks below and must not be sent as it is.**"
        yield ""
    yield f"Package of the experiment `{experiment_id}`, made by clemkit {__version__} from the"
    yield f"description `{description_name}`. {_MADE[mode]}"
    yield ""
    yield "## What is in it"
    yield ""
    yield "| folder | image | files | size | format | voxels | voxel size |"
    yield "|---|---|---|---|---|---|---|"
    for note in notes:
        voxel = "not stated"
        if note.voxel_size_zyx_nm is not None:
            voxel = " x ".join(f"{v:g}" for v in note.voxel_size_zyx_nm) + " nm (z, y, x)"
        yield (
            f"| `{note.directory}` | {note.name} | {note.files} | {size_text(note.total_bytes)} | "
            f"{note.file_format}, {note.data_type} | {note.sizes or 'not stated'} | {voxel} |"
        )
    yield ""
    for name, meaning in others:
        yield f"- `{name}`: {meaning}"
    yield ""
    yield "## What was checked"
    yield ""
    for check in checks:
        yield f"- {check}"
    yield ""
    yield from _opening(notes, mode)
    if mode != "plan":
        yield "## Is it whole?"
        yield ""
        yield "In this folder, with the tools of any system:"
        yield ""
        yield f"    sha256sum --quiet -c {MANIFESTS[0]}"
        yield f"    md5sum --quiet -c {MANIFESTS[1]}"
        yield ""
    yield "## Sending it"
    yield ""
    yield from transfer_lines([note.directory for note in notes], archives)


def _opening(notes: Sequence[ImageNote], mode: Mode) -> Iterator[str]:
    lines = [line for note in notes if (line := opening_statement(note))]
    yield "## How to open it"
    yield ""
    if lines and mode != "plan":
        yield "Python, in this folder (`pip install 'clemkit[reg]'`):"
        yield ""
        yield "```python"
        yield "from clemkit.volumes import open_volume"
        yield ""
        yield from lines
        yield "```"
        yield ""
    formats = dict.fromkeys(note.file_format for note in notes if note.file_format in _FIJI)
    for name in formats:
        yield f"- {name} in Fiji: {_FIJI[name]}."
    yield ""


def size_text(count: int) -> str:
    """Return bytes for people, in decimal units as archives use them."""
    value, unit = float(count), "B"
    for unit in ("B", "kB", "MB", "GB", "TB"):
        if value < 1000 or unit == "TB":
            break
        value /= 1000
    return f"{value:.3g} {unit}" if unit != "B" else f"{count} B"
