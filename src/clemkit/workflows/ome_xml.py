"""A description as OME-XML, and back."""

from __future__ import annotations

from pathlib import Path

from clemkit.errors import ArgumentError, FormatError, NotFoundError
from clemkit.workflows.imported import Imported, finished

__all__ = ["read_ome_file", "write_ome_file"]


def write_ome_file(
    path: str | Path, output: str | Path, image: str | None = None, *, overwrite: bool = False
) -> Path:
    """Write OME-XML of one image, with the whole description in it, and return its path.

    Parameters
    ----------
    path : path
        The description.
    output : path
        The OME-XML file.
    image : str, optional
        Id of the image; may be left out when there is one.
    overwrite : bool
        Replace an existing output.

    Raises
    ------
    ArgumentError
        There is no such image, or several and none was named.
    FileExistsError
        The output exists and *overwrite* is false.
    """
    from clemkit.metadata.ome.write import to_ome
    from clemkit.workflows.metadata import read_fitting, write_text

    data = read_fitting(path).data
    names = [i["id"] for i in data.get("images", ())]
    if image is None and len(names) != 1:
        listed = ", ".join(names) or "none"
        raise ArgumentError(f"--image: expected the id of one image; found {listed}")
    write_text(to_ome(data, image or names[0]), Path(output), overwrite=overwrite)
    return Path(output)


def read_ome_file(
    path: str | Path, output: str | Path | None, *, overwrite: bool = False
) -> Imported:
    """Read OME-XML and write the description, unless there are errors.

    Parameters
    ----------
    path : path
        The file, of clemkit or of another program.
    output : path or None
        The description to write; None only reads.
    overwrite : bool
        Replace an existing output.

    Raises
    ------
    NotFoundError
        The file does not exist.
    FormatError
        It is not OME-XML in UTF-8.
    """
    import re

    from clemkit.metadata.ome.read import from_ome
    from clemkit.metadata.validate.schema import check_schema

    source = Path(path)
    if not source.is_file():
        raise NotFoundError(f"{source}: expected an OME-XML file; found no such file")
    try:
        text = source.read_bytes().decode("utf-8-sig")
    except UnicodeDecodeError as error:
        found = f"byte {error.object[error.start]:#x} at {error.start}"
        raise FormatError(source, f"expected OME-XML in UTF-8; found {found}") from error
    name = re.sub(r"[^A-Za-z0-9._-]+", "-", source.name.split(".")[0]).lstrip("._-")
    reading = from_ome(text, experiment_id=name or "ome", path=source)
    problems = [*reading.problems, *check_schema(reading.data)]
    findings = [("/".join(str(x) for x in p.location) or "file", p) for p in problems]
    return finished(Imported(source, reading.data, tuple(findings)), output, overwrite)
