"""Settings from YAML."""

from __future__ import annotations

import pytest

from clemkit.errors import ArgumentError
from clemkit.registration.settings import Settings


def test_values_replace_defaults(tmp_path):
    path = tmp_path / "settings.yaml"
    path.write_text("structure_radius_nm: 140\npsf_sigma_zyx_nm: [300, 120, 110]\ncandidates: 5\n")
    found = Settings.from_yaml(path)
    assert found == Settings(
        structure_radius_nm=140, psf_sigma_zyx_nm=(300, 120, 110), candidates=5
    )
    assert found.max_tilt_deg == Settings().max_tilt_deg
    hash(found)  # a list would not do


def test_an_empty_file_means_defaults(tmp_path):
    path = tmp_path / "settings.yaml"
    path.write_text("# nothing\n")
    assert Settings.from_yaml(str(path)) == Settings()


def test_unknown_keys_are_named_with_the_known_ones(tmp_path):
    path = tmp_path / "settings.yaml"
    path.write_text("max_tilt: 3\nwork_voxel_nm: 50\nblur: 1\n")
    with pytest.raises(ArgumentError, match=r"blur, max_tilt; expected: .*max_tilt_deg"):
        Settings.from_yaml(path)
