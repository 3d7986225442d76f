"""``--preview``: a picture of the coarse registration beside the output, within seconds."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

from clemkit.errors import ArgumentError, MissingExtraError
from clemkit.provenance import Progress
from clemkit.workflows.register_inputs import Inputs

if TYPE_CHECKING:
    from clemkit.registration.engine import Preview
    from clemkit.transforms import Transform

__all__ = ["make_preview", "preview_path"]

_LONGEST = 200  # voxels: reading and drawing take about a second


def preview_path(output: Path) -> Path:
    """Return where the preview of a registration goes: ``OUT-preview.png`` beside ``OUT``."""
    return output.with_name(f"{output.name}-preview.png")


def make_preview(inputs: Inputs, output: Path, *, overwrite: bool, progress: Progress) -> Preview:
    """Return what the engine calls after its coarse stage.

    Raises
    ------
    ArgumentError
        There is a preview already and *overwrite* is off.
    MissingExtraError
        matplotlib is not installed.
    """
    target = preview_path(output)
    if target.exists() and not overwrite:
        raise ArgumentError(
            f"{target}: expected no file there; found one; pass --overwrite or another output"
        )
    try:
        import matplotlib  # noqa: F401
    except ImportError as error:
        raise MissingExtraError("matplotlib", "report") from error

    def preview(fixed_to_moving: Transform, channel: int) -> None:
        from clemkit.evaluation.coarse_preview import coarse_preview
        from clemkit.transforms.io.affine_fit import best_affine
        from clemkit.workflows.register_images import make_overview

        fixed, moving = inputs.fixed, inputs.moving
        affine = best_affine(fixed_to_moving, fixed.volume.grid).moving_to_fixed.inverse()
        overview = make_overview(
            fixed.volume,
            fixed.path,
            fixed.channel or 0,
            fixed.labels,
            moving.volume,
            channel,
            moving.labels,
            fixed_to_moving,
            affine,
            longest=_LONGEST,
        )
        names = moving.volume.channels
        shown = f", channel {names[channel]}" if channel < len(names) else ""
        png = coarse_preview(
            overview.fixed,
            overview.after,
            overview.fixed_labels,
            overview.grid,
            title=f"{moving.path.name} on {fixed.path.name}",
            subtitle=f"after the coarse stage{shown}; the final result is finer",
        )
        temporary = target.with_name(f".{target.name}.{os.getpid()}.tmp")
        try:
            temporary.write_bytes(png)
            os.replace(temporary, target)
        finally:
            temporary.unlink(missing_ok=True)
        progress("preview", 1.0, str(target))

    return preview
