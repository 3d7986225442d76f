"""Labels that are not what they seem: masks with soft edges, ids cut to a small number type."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from clemkit.volumes import Volume
from clemkit.volumes.labels import connected_components, looks_wrapped
from clemkit.workflows.converted_source import as_mask
from clemkit.workflows.modality import mask_threshold

__all__ = ["repair_labels"]

_MOST_SEPARATED = 1 << 27  # voxels that are read to separate objects
_FEW_IDS = 32
_NEAR_TOP = 0.9


def repair_labels(labels: Volume, planes: np.ndarray, side: str) -> tuple[Volume, list[str]]:
    """Return labels that can be matched, and what was done to them.

    A mask with interpolated edges becomes a sharp one, since its grey edge would count as objects.
    Ids that wrapped around are replaced by connected components.

    Parameters
    ----------
    labels : Volume
    planes : (n, y, x) array
        Some of its planes.
    side : str
        ``fixed`` or ``moving``, for the notes.
    """
    above = mask_threshold(planes)
    if above is not None:
        note = f"{side} labels are a mask with soft edges; what exceeds {above:g} was taken"
        return replace(labels, data=as_mask(labels.data, above), role="mask"), [note]
    if not _may_be_wrapped(planes) or labels.grid.size > _MOST_SEPARATED:
        return labels, []
    data = labels.read()
    if not looks_wrapped(data):
        return labels, []
    parts, count = connected_components(data, 3)
    note = (
        f"{side} labels: {len(np.unique(data)) - 1} ids at the top of {data.dtype}, in {count} "
        "separate parts: cut off while saving; each connected part was taken as one object"
    )
    return replace(labels, data=parts.astype(np.int32), role="labels"), [note]


def _may_be_wrapped(planes: np.ndarray) -> bool:
    if planes.dtype.kind not in "iu":
        return False
    ids = np.unique(planes)
    ids = ids[ids != 0]
    top = np.iinfo(planes.dtype).max
    return 2 <= len(ids) <= _FEW_IDS and bool(ids.min() >= _NEAR_TOP * top)
