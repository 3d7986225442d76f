"""Settings from YAML."""

from __future__ import annotations

import pytest

from clemkit.errors import ArgumentError
from clemkit.geometry import Grid, Space
from clemkit.registration.scale_presets import check_scale
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


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("max_tilt_deg: steep", r"max_tilt_deg: expected one number from 0 to 90 in degrees; "
         r"found 'steep'; correct it"),
        ("search_voxel_nm: -4", r"search_voxel_nm: expected .* from 1 to 1e\+07 in nm; found -4"),
        ("search_voxel_nm: .nan", "found nan"),
        ("search_voxel_nm: [1, 2]", r"found \[1, 2\]"),
        ("control_spacing_nm: true", "found True"),
        ("any_orientation: 1", "expected true or false; found 1"),
        ("candidates: 2.5", "expected a whole number from 1 to 50; found 2.5"),
        ("psf_sigma_zyx_nm: 120", "expected three numbers z, y, x .* found 120"),
        ("psf_sigma_zyx_nm: [300, 120]", "three numbers z, y, x"),
        ("minimum_overlap: null", "found None"),
    ],
)  # fmt: skip
def test_a_wrong_value_is_told_in_one_line(tmp_path, line, message):
    path = tmp_path / "settings.yaml"
    path.write_text(line + "\n")
    with pytest.raises(ArgumentError, match=message) as caught:
        Settings.from_yaml(path)
    assert str(caught.value).startswith(f"{path}: ")
    assert "\n" not in str(caught.value)


def test_presets_are_settings_that_a_file_may_change(tmp_path):
    sizes = [Settings.preset(name).search_voxel_nm for name in ("cell", "tissue", "organism")]
    assert sizes == sorted(sizes)
    assert len(set(sizes)) == 3
    path = tmp_path / "settings.yaml"
    path.write_text("max_tilt_deg: 8\n")
    found = Settings.from_yaml(path, base=Settings.preset("tissue"))
    assert found == Settings.preset("tissue", max_tilt_deg=8)
    assert found.control_spacing_nm == Settings.preset("tissue").control_spacing_nm
    with pytest.raises(ArgumentError, match="cell, tissue, organism; found 'planet'"):
        Settings.preset("planet")
    with pytest.raises(ArgumentError, match="unknown setting tilt"):
        Settings.preset("cell", tilt=3)


def test_a_preset_of_another_scale_than_the_fields_is_refused():
    def field(edge_nm):
        return Grid(space=Space("em"), shape_zyx=(8, 20, 40), voxel_size_zyx_nm=(edge_nm / 40,) * 3)

    voxel = Settings.preset("tissue").search_voxel_nm
    check_scale(voxel, field(2e5), field(4e5))
    check_scale(None, field(2e4), field(4e4))
    with pytest.raises(ArgumentError, match=r"fields of 20 µm .* found 4000 nm; choose the preset"):
        check_scale(voxel, field(2e4), field(4e4))
    with pytest.raises(ArgumentError, match="2e\\+03 µm \\(moving\\)"):
        check_scale(voxel, field(1e6), field(2e6))
