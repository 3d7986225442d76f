"""JSON files of viewers: read with clear errors, written atomically."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from clemkit.errors import FormatError, NotFoundError
from clemkit.transforms.io.atomic_write import atomic_path

__all__ = ["read_json_object", "write_json"]


def read_json_object(path: str | Path) -> dict[str, Any]:
    """Return the object in a JSON file.

    Raises
    ------
    FormatError
        The file is not JSON, or its top is not an object.
    """
    path = Path(path)
    if not path.is_file():
        raise NotFoundError(f"{path}: no such file")
    try:
        data = json.loads(path.read_text(encoding="utf-8"))
    except (UnicodeDecodeError, json.JSONDecodeError) as problem:
        raise FormatError(path, f"expected JSON; {problem}") from None
    if not isinstance(data, dict):
        raise FormatError(path, f"expected a JSON object; found {type(data).__name__}")
    return data


def write_json(path: str | Path, data: dict[str, Any], *, overwrite: bool = False) -> None:
    """Write an object as indented JSON; numbers read back to the same bits."""
    with atomic_path(path, overwrite=overwrite) as temporary:
        text = json.dumps(data, indent=2, ensure_ascii=False, allow_nan=False)
        temporary.write_text(text + "\n", encoding="utf-8")
