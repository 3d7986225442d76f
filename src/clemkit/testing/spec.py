"""What a phantom is made of: sizes, pose, deformation, labelling and imaging, in physical units."""

from __future__ import annotations

from dataclasses import dataclass, fields, replace
from typing import Any, Literal, TypeAlias, get_args

from clemkit.errors import ArgumentError
from clemkit.geometry import Triple, as_triple

__all__ = ["FieldFamily", "Level", "PhantomSpec", "PsfKind", "XraySpec"]

FieldFamily: TypeAlias = Literal["rbf", "swelling", "shear", "tear", "mixed"]
PsfKind: TypeAlias = Literal["gaussian", "asymmetric", "haze"]
Level: TypeAlias = Literal["easy", "medium", "hard"]


def _check_choice(value: str, choices: tuple[str, ...], name: str) -> None:
    if value not in choices:
        raise ArgumentError(f"{name}: expected one of {', '.join(choices)}; found {value!r}")


def _check_common(spec: PhantomSpec | XraySpec) -> None:
    """Check what both kinds of specification share: every number by the meaning of its name."""
    kind = type(spec).__name__
    for field in fields(spec):
        value = getattr(spec, field.name)
        name = f"{kind}.{field.name}"
        if field.name.endswith("_zyx_nm"):
            triple = as_triple(value, name)
            if min(triple) <= 0:
                raise ArgumentError(f"{name}: expected values > 0; found {triple}")
            object.__setattr__(spec, field.name, triple)
        elif field.name.endswith("_fraction") and not 0 <= value < 1:
            raise ArgumentError(f"{name}: expected 0 <= value < 1; found {value}")
        elif field.name.endswith("_range") and not 0 <= value[0] <= value[1] < 0.5:
            raise ArgumentError(f"{name}: expected 0 <= low <= high < 0.5; found {value}")
        elif field.name.endswith(("_nm", "_photons", "_deg", "_max")) and not value >= 0:
            raise ArgumentError(f"{name}: expected a value >= 0; found {value}")
    if spec.seed < 0:
        raise ArgumentError(f"{kind}.seed: expected an integer >= 0; found {spec.seed}")
    if spec.field_scale_nm <= 0:
        raise ArgumentError(f"{kind}.field_scale_nm: expected > 0; found {spec.field_scale_nm}")
    _check_choice(spec.family, get_args(FieldFamily), f"{kind}.family")
    smallest = min(s / v for s, v in zip(spec.em_size_zyx_nm, spec.em_voxel_zyx_nm, strict=True))
    if smallest < 8:
        raise ArgumentError(
            f"{kind}.em_size_zyx_nm: expected at least 8 voxels along each axis; "
            f"found {smallest:.1f}; enlarge the block or refine em_voxel_zyx_nm"
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class PhantomSpec:
    """A light and electron microscopy phantom.

    Attributes
    ----------
    seed : int
        Everything random follows from it.
    em_size_zyx_nm, em_voxel_zyx_nm : tuple of float
        Extent and voxel size of the EM block.
    lm_voxel_zyx_nm : tuple of float
        Voxel size of the LM stack.
    lm_field_factor : float
        LM field of view over EM block size, laterally.
    cell_spacing_nm : float
        Mean distance of neighbouring cells.
    mitochondria_per_cell : int
        Mean number; varies by 20 % between cells.
    rotation_max_deg, tilt_max_deg : float
        Rotation about z is drawn from plus and minus the first, tilt from zero to the second.
    shrinkage_range : tuple of float
        Shrinkage of the EM specimen, drawn for each axis (fraction of the length).
    offset_max_nm : float
        Lateral offset of the EM block from the centre of the LM field, each axis.
    z_flip : bool
        The EM sections were stacked in reverse order.
    family : {"rbf", "swelling", "shear", "tear", "mixed"}
        Kind of the non-rigid deformation.
    field_rms_nm : float
        RMS of the deformation in the EM block after its best affine part is removed.
    field_scale_nm : float
        Length over which the deformation varies.
    unlabelled_fraction : float
        Probability that a mitochondrion carries no fluorophore.
    missed_fraction, false_fraction, merged_fraction, split_fraction : float
        Errors of the EM segmentation, as shares of the objects in the block.
    boundary_jitter_nm : float
        Standard deviation of the segmented boundary.
    psf : {"gaussian", "asymmetric", "haze"}
        Kind of the point spread function; see :mod:`clemkit.testing.psf`.
    psf_sigma_lateral_nm, psf_sigma_axial_nm : float
        Standard deviations of its core.
    psf_widening_max : float
        Relative widening of the core from the first to the last section.
    peak_photons : float
        Photons in a bright voxel.
    bleaching_fraction : float
        Share of the fluorescence lost from the first to the last section.
    """

    seed: int = 0
    em_size_zyx_nm: Triple = (8000.0, 20000.0, 20000.0)
    em_voxel_zyx_nm: Triple = (100.0, 80.0, 80.0)
    lm_voxel_zyx_nm: Triple = (250.0, 100.0, 100.0)
    lm_field_factor: float = 2.2
    cell_spacing_nm: float = 17500.0
    mitochondria_per_cell: int = 300
    rotation_max_deg: float = 60.0
    tilt_max_deg: float = 9.0
    shrinkage_range: tuple[float, float] = (0.05, 0.16)
    offset_max_nm: float = 4500.0
    z_flip: bool = False
    family: FieldFamily = "mixed"
    field_rms_nm: float = 600.0
    field_scale_nm: float = 6000.0
    unlabelled_fraction: float = 0.18
    missed_fraction: float = 0.08
    false_fraction: float = 0.08
    merged_fraction: float = 0.08
    split_fraction: float = 0.08
    boundary_jitter_nm: float = 45.0
    psf: PsfKind = "asymmetric"
    psf_sigma_lateral_nm: float = 125.0
    psf_sigma_axial_nm: float = 360.0
    psf_widening_max: float = 0.3
    peak_photons: float = 75.0
    bleaching_fraction: float = 0.35

    def __post_init__(self) -> None:
        _check_common(self)
        _check_choice(self.psf, get_args(PsfKind), "PhantomSpec.psf")
        if self.lm_field_factor < 1.1:
            raise ArgumentError(
                f"PhantomSpec.lm_field_factor: expected >= 1.1; found {self.lm_field_factor}"
            )
        if self.mitochondria_per_cell < 1 or self.cell_spacing_nm < 8000:
            raise ArgumentError(
                "PhantomSpec: expected mitochondria_per_cell >= 1 and cell_spacing_nm >= 8000; "
                f"found {self.mitochondria_per_cell} and {self.cell_spacing_nm}"
            )
        if self.peak_photons <= 0 or min(self.psf_sigma_lateral_nm, self.psf_sigma_axial_nm) <= 0:
            raise ArgumentError("PhantomSpec: expected peak_photons and psf sigmas > 0")

    @classmethod
    def for_level(cls, level: Level, seed: int = 0, **changes: Any) -> PhantomSpec:
        """Return the default specification of a difficulty, with changes.

        Raises
        ------
        ArgumentError
            The level is unknown, or a changed value makes no sense.
        """
        _check_choice(level, tuple(_CLEM_LEVELS), "PhantomSpec.for_level")
        return cls(**{"seed": seed, **_CLEM_LEVELS[level], **changes})

    @classmethod
    def small(cls, seed: int = 0, **changes: Any) -> PhantomSpec:
        """Return a specification for unit tests: about 3 x 6 x 7 um of one cell."""
        base = cls(
            seed=seed,
            em_size_zyx_nm=(3000.0, 6000.0, 7000.0),
            em_voxel_zyx_nm=(100.0, 80.0, 80.0),
            lm_field_factor=1.8,
            rotation_max_deg=30.0,
            tilt_max_deg=4.0,
            shrinkage_range=(0.05, 0.10),
            offset_max_nm=800.0,
            field_rms_nm=150.0,
            field_scale_nm=3500.0,
        )
        return replace(base, **changes)


@dataclass(frozen=True, slots=True, kw_only=True)
class XraySpec:
    """A micro-CT and electron microscopy phantom; names as in :class:`PhantomSpec`.

    Attributes
    ----------
    block_size_zyx_nm : tuple of float
        Extent of the tissue block in the CT.
    ct_voxel_zyx_nm : tuple of float
        Voxel size of the CT.
    scale_max : float
        Largest deviation of the scale from one, each axis.
    bend_nm : float
        Sag of the section at the edge of the EM block.
    ct_signal_to_noise : float
        Contrast of nuclei over the standard deviation of the noise.
    """

    seed: int = 0
    em_size_zyx_nm: Triple = (40000.0, 60000.0, 60000.0)
    em_voxel_zyx_nm: Triple = (300.0, 250.0, 250.0)
    block_size_zyx_nm: Triple = (110000.0, 170000.0, 190000.0)
    ct_voxel_zyx_nm: Triple = (500.0, 500.0, 500.0)
    rotation_max_deg: float = 60.0
    tilt_max_deg: float = 9.0
    scale_max: float = 0.05
    offset_max_nm: float = 22000.0
    z_flip: bool = False
    family: FieldFamily = "mixed"
    field_rms_nm: float = 1000.0
    field_scale_nm: float = 25000.0
    bend_nm: float = 2500.0
    missed_fraction: float = 0.08
    ct_signal_to_noise: float = 1.8

    def __post_init__(self) -> None:
        _check_common(self)
        share = 1.0
        for em, block in zip(self.em_size_zyx_nm, self.block_size_zyx_nm, strict=True):
            share *= em / block
        if share > 0.2:
            raise ArgumentError(
                f"XraySpec: expected the EM block to be at most 20 % of the CT block; "
                f"found {100 * share:.0f} %; enlarge block_size_zyx_nm"
            )
        if self.scale_max >= 0.3 or self.ct_signal_to_noise <= 0:
            raise ArgumentError("XraySpec: expected scale_max < 0.3 and ct_signal_to_noise > 0")

    @classmethod
    def for_level(cls, level: Level, seed: int = 0, **changes: Any) -> XraySpec:
        """Return the default specification of a difficulty, with changes."""
        _check_choice(level, tuple(_XRAY_LEVELS), "XraySpec.for_level")
        return cls(**{"seed": seed, **_XRAY_LEVELS[level], **changes})

    @classmethod
    def small(cls, seed: int = 0, **changes: Any) -> XraySpec:
        """Return a specification for unit tests."""
        base = cls(
            seed=seed,
            em_size_zyx_nm=(14000.0, 20000.0, 22000.0),
            em_voxel_zyx_nm=(700.0, 500.0, 500.0),
            block_size_zyx_nm=(34000.0, 46000.0, 54000.0),
            ct_voxel_zyx_nm=(900.0, 800.0, 800.0),
            rotation_max_deg=25.0,
            offset_max_nm=4000.0,
            field_rms_nm=500.0,
            field_scale_nm=15000.0,
            bend_nm=600.0,
        )
        return replace(base, **changes)


_CLEM_LEVELS: dict[str, dict[str, Any]] = {
    "easy": {
        "rotation_max_deg": 15.0,
        "tilt_max_deg": 4.0,
        "shrinkage_range": (0.05, 0.09),
        "offset_max_nm": 1500.0,
        "field_rms_nm": 320.0,
        "field_scale_nm": 8000.0,
        "unlabelled_fraction": 0.12,
        "missed_fraction": 0.06,
        "false_fraction": 0.06,
        "merged_fraction": 0.06,
        "split_fraction": 0.06,
        "psf": "gaussian",
        "psf_widening_max": 0.1,
        "peak_photons": 140.0,
    },
    "medium": {},
    "hard": {
        "rotation_max_deg": 180.0,
        "tilt_max_deg": 16.0,
        "shrinkage_range": (0.05, 0.21),
        "offset_max_nm": 6500.0,
        "field_rms_nm": 1000.0,
        "field_scale_nm": 5000.0,
        "unlabelled_fraction": 0.22,
        "missed_fraction": 0.10,
        "false_fraction": 0.10,
        "merged_fraction": 0.10,
        "split_fraction": 0.10,
        "boundary_jitter_nm": 55.0,
        "psf": "haze",
        "psf_widening_max": 0.4,
        "peak_photons": 38.0,
        "bleaching_fraction": 0.5,
    },
}

_XRAY_LEVELS: dict[str, dict[str, Any]] = {
    "easy": {
        "rotation_max_deg": 12.0,
        "tilt_max_deg": 4.0,
        "scale_max": 0.025,
        "offset_max_nm": 6000.0,
        "field_rms_nm": 550.0,
        "bend_nm": 1200.0,
        "ct_voxel_zyx_nm": (350.0, 350.0, 350.0),
        "block_size_zyx_nm": (90000.0, 120000.0, 140000.0),
        "ct_signal_to_noise": 2.8,
    },
    "medium": {},
    "hard": {
        "rotation_max_deg": 180.0,
        "tilt_max_deg": 16.0,
        "scale_max": 0.065,
        "offset_max_nm": 42000.0,
        "field_rms_nm": 1500.0,
        "bend_nm": 4000.0,
        "ct_voxel_zyx_nm": (700.0, 700.0, 700.0),
        "ct_signal_to_noise": 1.15,
    },
}
