"""What each quantity of the model measures."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

__all__ = ["DIMENSION_OF_SLOT"]

_DIMENSIONS: Mapping[str, tuple[str, ...]] = {
    "length": (
        "acquired_pixel_size_x", "acquired_pixel_size_y", "z_step", "voxel_size_x", "voxel_size_y",
        "voxel_size_z", "nominal_slice_thickness", "measured_slice_thickness",
        "slice_thickness_deviation", "nominal_thickness", "measured_thickness", "working_distance",
        "aperture_diameter", "target_thickness", "excitation_wavelength", "emission_wavelength",
        "emission_band_low", "emission_band_high", "depletion_wavelength", "wavelength", "extent_x",
        "extent_y", "extent_z", "error_median", "error_mean", "error_percentile_90",
        "error_interval_low", "error_interval_high", "carrier_bore_depth", "carrier_bore_diameter",
        "defocus", "light_sheet_thickness", "localization_precision", "propagation_distance",
        "source_distance", "pinhole_size", "fiducial_size", "inverse_error", "camera_length",
    ),
    "time": (
        "dwell_time", "frame_time", "duration", "exposure_time", "milling_time", "blot_duration",
        "storage_period", "age", "time_increment", "time_between_images", "microwave_on_time",
        "microwave_off_time",
    ),
    "voltage": (
        "acceleration_voltage", "milling_voltage", "tube_voltage", "stage_bias", "detector_bias",
    ),
    "current": (
        "beam_current", "probe_current", "emission_current", "milling_current", "tube_current",
    ),
    "temperature": (
        "temperature", "start_temperature", "end_temperature", "chamber_temperature",
        "cryogen_temperature", "imaging_temperature",
    ),
    "temperature_rate": ("ramp_rate",),
    "angle": (
        "tilt_minimum", "tilt_maximum", "tilt_increment", "rotation_range", "knife_angle",
        "milling_angle", "stage_tilt", "stage_rotation", "convergence_angle",
    ),
    "pressure": ("pressure", "chamber_pressure"),
    "energy": ("landing_energy", "photon_energy", "energy_filter_width"),
    "dose": ("total_dose",),
    "speed": ("cutting_speed", "slicing_speed"),
    "flow": ("flow_rate",),
    "power": ("wattage", "microwave_power"),
    "volume": ("perfused_volume",),
    "osmolarity": ("osmolarity",),
}  # fmt: skip
DIMENSION_OF_SLOT: Final[Mapping[str, str]] = {
    slot: kind for kind, slots in _DIMENSIONS.items() for slot in slots
}
