"""The names of ``clemkit`` are few, frozen, lazy and documented."""

from __future__ import annotations

import importlib

import pytest

import clemkit

FROZEN = [
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


def test_the_door_is_frozen():
    assert clemkit.__all__ == FROZEN


@pytest.mark.parametrize("name", [n for n in FROZEN if n != "__version__"])
def test_a_name_leads_home(name):
    value = getattr(clemkit, name)
    assert value.__doc__
    home = importlib.import_module(clemkit._HOME[name])
    assert value is getattr(home, name)
    assert name in home.__all__


def test_every_lazy_name_is_exported():
    assert sorted([*clemkit._HOME, "__version__"]) == sorted(clemkit.__all__)


def test_dir_lists_the_door_before_it_is_used():
    assert set(FROZEN) <= set(dir(clemkit))


def test_an_unknown_name_is_an_attribute_error():
    with pytest.raises(AttributeError, match="no attribute 'Regsiter'"):
        _ = clemkit.Regsiter


def test_version_is_the_installed_one():
    from importlib.metadata import version

    assert clemkit.__version__ == version("clemkit")
