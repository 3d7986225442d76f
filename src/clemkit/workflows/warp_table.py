"""Apply a registration to the points of a table, row by row."""

from __future__ import annotations

import csv
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, TextIO

from clemkit.errors import ArgumentError, FormatError, NotFoundError
from clemkit.provenance import Step, digest_path
from clemkit.workflows.open_registration import (
    Direction,
    Registered,
    check_direction,
    open_registration,
)
from clemkit.workflows.registered_points import certificate, map_points
from clemkit.workflows.warp_geometry import warp_geometry

__all__ = ["warp_points"]

_COLUMNS = ("z_nm", "y_nm", "x_nm")
_FLAG = "outside_domain"
_ROWS = 1 << 16  # held at once


def warp_points(
    registration: str | Path,
    points: str | Path,
    output: str | Path,
    *,
    direction: str,
    units: str | None = None,
    overwrite: bool = False,
    dry_run: bool = False,
) -> dict[str, Any]:
    """Map the points of a CSV table; meshes and skeletons go to :func:`warp_geometry`.

    Columns ``z_nm, y_nm, x_nm`` are replaced; all others and the order of rows stay. A last
    column ``outside_domain`` (true or false) marks points outside the volume they come from, and
    points whose inverse lies outside the fixed volume. They are mapped all the same, by the
    transform's continuation, or to ``nan`` where it has no answer.

    Parameters
    ----------
    registration : path
        Folder that ``clemkit register`` wrote.
    points : path
        Comma-separated table with a header, UTF-8.
    output : path
        Table to write; ``OUTPUT.provenance.json`` goes beside it.
    direction : {"fixed-to-moving", "moving-to-fixed"}
        Which way the points go.
    units : str, optional
        Length unit of a mesh or skeleton; a table is always in nanometres.
    overwrite : bool
        Replace an existing output.
    dry_run : bool
        Read everything, write nothing.

    Returns
    -------
    dict
        JSON-ready: ``output``, ``direction``, ``points``, ``outside_domain`` (how many),
        ``status`` of the registration, ``inverse_error_nm``, ``dry_run``.

    Raises
    ------
    NotFoundError
        No registration or table there.
    FormatError
        A column is missing, or a coordinate is not a number.
    ArgumentError
        The output exists, or the registration failed.
    """
    from clemkit.landmarks.geometry_files import GEOMETRY_SUFFIXES
    from clemkit.volumes.writers.atomic import atomic_output, check_free

    if Path(points).suffix.lower() in GEOMETRY_SUFFIXES:
        return warp_geometry(
            registration,
            points,
            output,
            direction=direction,
            units=units,
            overwrite=overwrite,
            dry_run=dry_run,
        )
    if units not in (None, "nm"):
        raise ArgumentError(f"units: a table is in nanometres (z_nm, y_nm, x_nm); found {units!r}")
    started = datetime.now(UTC).isoformat(timespec="seconds")
    way = check_direction(direction)
    source, target = Path(points), Path(output)
    check_free(target, overwrite)
    registered = open_registration(registration)
    if not source.is_file():
        raise NotFoundError(f"{source}: expected a CSV table; found nothing there")
    if dry_run:
        count, outside = _convert(registered, source, None, way)
    else:
        with (
            atomic_output(target, overwrite) as temporary,
            temporary.open("w", encoding="utf-8", newline="") as stream,
        ):
            count, outside = _convert(registered, source, stream, way)
    record = target.with_name(f"{target.name}.provenance.json")
    if not dry_run:
        Step(
            activity="warping",
            inputs=tuple(digest_path(p) for p in (source, *registered.inputs)),
            outputs=(digest_path(target),),
            parameters={"direction": way},
            started=started,
        ).write(record)
    return {
        "output": str(output),
        "direction": way,
        "points": count,
        "outside_domain": outside,
        "status": registered.status,
        "inverse_error_nm": certificate(registered, way),
        "provenance": str(record),
        "dry_run": dry_run,
    }


def _convert(
    registered: Registered, source: Path, stream: TextIO | None, direction: Direction
) -> tuple[int, int]:
    """Map a table row by row in parts; return the number of points and of those outside."""
    import numpy as np

    count = outside_count = 0
    with source.open(encoding="utf-8-sig", newline="") as text:
        reader = csv.reader(text)
        try:
            header = [name.strip() for name in next(reader, [])]
            places = _places(header, source)
            flag = header.index(_FLAG) if _FLAG in header else len(header)
            writer = csv.writer(stream, lineterminator="\n") if stream else None
            if writer:
                writer.writerow(header if flag < len(header) else [*header, _FLAG])
            for rows, numbers in _parts(reader, len(header), source):
                values = np.array(
                    [_numbers(r, places, n, source) for r, n in zip(rows, numbers, strict=True)]
                )
                mapped, outside = map_points(registered, values, direction)
                count += len(rows)
                outside_count += int(outside.sum())
                if writer is None:
                    continue
                for row, point, out in zip(rows, mapped.tolist(), outside.tolist(), strict=True):
                    row[flag : flag + 1] = ["true" if out else "false"]
                    for place, value in zip(places, point, strict=True):
                        row[place] = repr(value)
                    writer.writerow(row)
        except (UnicodeDecodeError, csv.Error) as problem:
            raise FormatError(source, f"expected a CSV table in UTF-8; {problem}") from None
    return count, outside_count


def _places(header: Sequence[str], path: Path) -> tuple[int, int, int]:
    missing = [name for name in _COLUMNS if name not in header]
    if missing:
        raise FormatError(
            path,
            f"expected columns {', '.join(_COLUMNS)}; {', '.join(missing)} missing; "
            f"found {', '.join(header)[:200] or 'an empty file'}; "
            "rename the columns, and give coordinates in nanometres",
        )
    twice = [name for name in _COLUMNS if header.count(name) > 1]
    if twice:
        raise FormatError(path, f"expected each column once; found {', '.join(twice)} repeated")
    z, y, x = (header.index(name) for name in _COLUMNS)
    return z, y, x


def _parts(reader: Any, width: int, path: Path) -> Iterator[tuple[list[list[str]], list[int]]]:
    rows: list[list[str]] = []
    numbers: list[int] = []
    for row in reader:
        if not row:
            continue  # a blank line
        if len(row) != width:
            raise FormatError(
                path, f"line {reader.line_num}: expected {width} cells; found {len(row)}"
            )
        rows.append(row)
        numbers.append(reader.line_num)
        if len(rows) == _ROWS:
            yield rows, numbers
            rows, numbers = [], []
    if rows:
        yield rows, numbers


def _numbers(row: list[str], places: Sequence[int], line: int, path: Path) -> list[float]:
    try:
        return [float(row[place]) for place in places]
    except ValueError:
        cells = ", ".join(repr(row[place]) for place in places)
        raise FormatError(
            path, f"line {line}: expected numbers for z_nm, y_nm, x_nm; found {cells}"
        ) from None
