"""clemkit: correlative light, X-ray and electron microscopy.

The names below are imported when they are first used, so that ``import clemkit`` is light.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from clemkit.geometry import Grid, Space
    from clemkit.landmarks import LandmarkPairs, LandmarkSet
    from clemkit.registration import RegistrationResult
    from clemkit.registration.engine import register
    from clemkit.registration.landmark_fit import register_landmarks
    from clemkit.transforms import (
        Affine,
        BSpline,
        Chain,
        ThinPlateSpline,
        compose,
        numerical_inverse,
    )
    from clemkit.volumes import Volume, open_volume, write_ome_zarr

__all__ = [
    "Affine",
    "BSpline",
    "Chain",
    "Grid",
    "LandmarkPairs",
    "LandmarkSet",
    "RegistrationResult",
    "Space",
    "ThinPlateSpline",
    "Volume",
    "__version__",
    "compose",
    "numerical_inverse",
    "open_volume",
    "register",
    "register_landmarks",
    "write_ome_zarr",
]

__version__ = "0.1.0"

_HOME = {
    "Affine": "clemkit.transforms",
    "BSpline": "clemkit.transforms",
    "Chain": "clemkit.transforms",
    "Grid": "clemkit.geometry",
    "LandmarkPairs": "clemkit.landmarks",
    "LandmarkSet": "clemkit.landmarks",
    "RegistrationResult": "clemkit.registration",
    "Space": "clemkit.geometry",
    "ThinPlateSpline": "clemkit.transforms",
    "Volume": "clemkit.volumes",
    "compose": "clemkit.transforms",
    "numerical_inverse": "clemkit.transforms",
    "open_volume": "clemkit.volumes",
    "register": "clemkit.registration.engine",
    "register_landmarks": "clemkit.registration.landmark_fit",
    "write_ome_zarr": "clemkit.volumes",
}


def __getattr__(name: str) -> Any:
    if name in _HOME:
        value = getattr(import_module(_HOME[name]), name)
        globals()[name] = value  # found directly from now on
        return value
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
