"""What is compared: one function per method, case in, outcome out.

What a method is given beyond the volumes stands beside its name. *True rotation* is the rotation
(and mirror) of the truth about the true centre, which is shifted by 0.6 um of noise along each
axis; no scale, no shear.
"""

from __future__ import annotations

import zlib
from collections.abc import Callable
from dataclasses import dataclass, replace
from importlib.util import find_spec

import numpy as np
from cases import Case

from clemkit.errors import ClemkitError, RegistrationError
from clemkit.geometry import Grid
from clemkit.registration.engines.backend import RefinementSettings
from clemkit.registration.engines.elastix import ElastixBackend
from clemkit.registration.engines.greedy import GreedyBackend
from clemkit.registration.engines.structure_refinement import refine_structures
from clemkit.registration.features import reduction
from clemkit.registration.intensity import block_mean
from clemkit.registration.presets.clem_reg import ClemRegSettings, clem_reg_transform
from clemkit.registration.presets.cosem import cosem_transform
from clemkit.registration.presets.published import cut_field
from clemkit.transforms import Affine, DisplacementField, Transform, compose, fit_affine
from clemkit.volumes import Volume

__all__ = ["METHODS", "Method", "Outcome", "true_rotation"]

_NOISE_NM = 600.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """What a method says.

    Attributes
    ----------
    transform : Transform or None
        Fixed → moving.
    status : str
        ``ok``, ``uncertain``, ``failed``; ``none`` where a method never judges itself.
    reason : str
        Of a refusal or an error.
    confidence, low_nm, median_nm, high_nm : float or None
        The method's own opinion and error estimate.
    reflection : bool or None
    """

    transform: Transform | None
    status: str = "none"
    reason: str = ""
    confidence: float | None = None
    median_nm: float | None = None
    low_nm: float | None = None
    high_nm: float | None = None
    reflection: bool | None = None


@dataclass(frozen=True, slots=True)
class Method:
    """A method: its function, what it is given, the package it needs, and what it can do."""

    run: Callable[[Case, bool], Outcome]
    given: str
    package: str | None = None
    light: bool = True
    xray: bool = True

    @property
    def missing(self) -> str:
        """Why the method cannot run here; empty when it can."""
        if self.package is None or find_spec(self.package) is not None:
            return ""
        return f"Python package {self.package} is not installed"


def true_rotation(case: Case) -> Affine:
    """Return the true rotation about a centre that is 0.6 um off along each axis."""
    fixed, moving = case.fixed.grid, case.moving.grid
    truth = fit_affine(
        case.truth_fixed_zyx_nm,
        case.truth_moving_zyx_nm,
        source=fixed.space,
        target=moving.space,
        allow_reflection=True,
    )
    u, _, vt = np.linalg.svd(truth.linear)
    rotation = u @ vt
    centre = fixed.centre_zyx_nm
    noise = np.random.default_rng(zlib.crc32(case.name.encode())).normal(size=3) * _NOISE_NM
    shift = truth.apply_points(centre[None])[0] + noise - rotation @ centre
    return Affine.from_parts(rotation, shift, source=fixed.space, target=moving.space)


def clemkit(case: Case, flip: bool) -> Outcome:
    """Nothing but the volumes, their voxel sizes and the EM labels."""
    return _clemkit(case, case.fixed_labels, flip)


def clemkit_grey(case: Case, flip: bool) -> Outcome:
    """Nothing but the volumes and their voxel sizes."""
    return _clemkit(case, None, flip)


def _clemkit(case: Case, labels: Volume | None, flip: bool) -> Outcome:
    from clemkit.registration.engine import register

    try:
        result = register(case.fixed, case.moving, fixed_labels=labels, allow_reflection=flip)
    except RegistrationError as refusal:
        return Outcome(transform=None, status="failed", reason=str(refusal))
    estimate = result.error_estimate
    return Outcome(
        transform=result.fixed_to_moving,
        status=result.status,
        reason="; ".join(result.warnings) if result.status != "ok" else "",
        confidence=result.confidence,
        median_nm=estimate.median_nm,
        low_nm=estimate.low_nm,
        high_nm=estimate.high_nm,
        reflection=result.reflection,
    )


def cosem_centred(case: Case, flip: bool) -> Outcome:
    return Outcome(transform=_cosem(case, None))


def cosem_rotated(case: Case, flip: bool) -> Outcome:
    return Outcome(transform=_cosem(case, true_rotation(case)))


def _cosem(case: Case, start: Affine | None) -> Transform:
    fixed, labels = case.fixed, case.fixed_labels
    if _is_xray(case) and labels is not None:
        # correlation has a sign: stained nuclei are dark in some scans and bright in others
        mask = labels.read() > 0
        picture = (mask == _bright_in_moving(case, mask)).astype(np.float32)
        fixed, labels = replace(labels, data=picture, role="intensity"), None
    return cosem_transform(
        fixed, case.moving, fixed_labels=labels, moving_channel=case.moving_channel, start=start
    )


def _bright_in_moving(case: Case, mask: np.ndarray) -> bool:
    """Return whether labelled structures are the brighter ones, as a user would see."""
    grid, moving = case.fixed.grid, case.moving.read(channel=case.moving_channel)
    points = grid.points()[::97]
    index = np.rint(case.moving.grid.to_index(true_rotation(case).apply_points(points))).astype(int)
    inside = np.all((index >= 0) & (index < moving.shape), axis=1)
    values, labelled = moving[tuple(index[inside].T)], mask.ravel()[::97][inside]
    return bool(values[labelled].mean() > values[~labelled].mean())


def elastix_mi(case: Case, flip: bool) -> Outcome:
    """Mutual information of the labelled fraction (or grey values) and the moving image."""
    start = true_rotation(case)
    fixed, fixed_grid, moving, moving_grid = _plain_pair(case, start)
    settings = RefinementSettings(
        metric="mutual_information", samples=8000, deformable_iterations=400,
        control_spacing_nm=_spacing_nm(case),
    )  # fmt: skip
    found = ElastixBackend().refine(
        fixed, fixed_grid, moving, moving_grid, start, settings=settings
    )
    return Outcome(transform=found)


def elastix_ncc(case: Case, flip: bool) -> Outcome:
    """Correlation of the blurred labels and the locally normalised image; the tuned run."""
    start = true_rotation(case)
    settings = RefinementSettings(samples=8000, control_spacing_nm=_spacing_nm(case))
    if _is_xray(case):
        fixed, fixed_grid, moving, moving_grid = _plain_pair(case, start)
        found = ElastixBackend().refine(
            fixed, fixed_grid, moving, moving_grid, start, settings=settings
        )
    else:
        found = _structures(case, start, ElastixBackend(), settings)
    return Outcome(transform=found)


def greedy(case: Case, flip: bool) -> Outcome:
    start = true_rotation(case)
    settings = RefinementSettings(
        affine_iterations=100, deformable_iterations=100, control_spacing_nm=_spacing_nm(case)
    )
    if _is_xray(case):
        # at full resolution a scan takes minutes and two gigabytes
        fixed, fixed_grid, moving, moving_grid = _plain_pair(case, start, coarser=2)
        found = GreedyBackend().refine(
            fixed, fixed_grid, moving, moving_grid, start, settings=settings
        )
    else:
        found = _structures(case, start, GreedyBackend(), settings)
    return Outcome(transform=found)


def clem_reg(case: Case, flip: bool) -> Outcome:
    labels = case.fixed_labels
    assert labels is not None
    return Outcome(
        transform=clem_reg_transform(
            case.fixed,
            case.moving,
            fixed_labels=labels,
            moving_channel=case.moving_channel,
            start=true_rotation(case),
            settings=ClemRegSettings(),
        )
    )


def ants(case: Case, flip: bool) -> Outcome:
    """ANTsPy: affine, then SyN with cross-correlation."""
    import tempfile

    import ants as engine
    import SimpleITK as sitk

    start = true_rotation(case)
    fixed, fixed_grid, moving, moving_grid = _plain_pair(case, start)

    def image(array: np.ndarray, grid: Grid):  # type: ignore[no-untyped-def]
        return engine.from_numpy(
            np.ascontiguousarray(array.T),
            spacing=[v / 1000 for v in reversed(grid.voxel_size_zyx_nm)],
            origin=[v / 1000 for v in reversed(grid.origin_zyx_nm)],
        )

    with tempfile.TemporaryDirectory(prefix="clemkit-ants-") as folder:
        initial = sitk.AffineTransform(3)
        initial.SetMatrix(start.linear[::-1, ::-1].ravel().tolist())
        initial.SetTranslation((start.translation_zyx_nm[::-1] / 1000).tolist())
        sitk.WriteTransform(initial, f"{folder}/start.mat")
        one, two = image(fixed, fixed_grid), image(moving, moving_grid)
        affine = engine.registration(
            one, two, type_of_transform="Affine", initial_transform=f"{folder}/start.mat",
            outprefix=f"{folder}/affine",
        )  # fmt: skip
        bent = engine.registration(
            one, two, type_of_transform="SyNOnly", initial_transform=affine["fwdtransforms"][0],
            syn_metric="CC", syn_sampling=2, reg_iterations=(60, 40, 10), flow_sigma=3,
            outprefix=f"{folder}/syn",
        )  # fmt: skip
        warp = sitk.GetArrayFromImage(sitk.ReadImage(bent["fwdtransforms"][0])).reshape(
            *fixed_grid.shape_zyx, 3
        )
        found = sitk.AffineTransform(sitk.ReadTransform(affine["fwdtransforms"][0]))
    # both fields point from fixed to moving: the warp is applied first
    linear = np.array(found.GetMatrix()).reshape(3, 3)
    centre = np.array(found.GetCenter())
    offset = np.array(found.GetTranslation()) + centre - linear @ centre
    space = fixed_grid.space
    field = DisplacementField(warp[..., ::-1] * 1000.0, fixed_grid, space, space)
    back = Affine.from_parts(
        linear[::-1, ::-1], offset[::-1] * 1000, source=space, target=start.target
    )
    return Outcome(transform=compose(field, back))


def _is_xray(case: Case) -> bool:
    return case.moving.modality == "xray_ct"


def _spacing_nm(case: Case) -> float:
    """Control spacing that elastix was tuned to: 3.5 um for light, 16 voxels for X-ray CT."""
    return 16 * min(case.moving.grid.voxel_size_zyx_nm) if _is_xray(case) else 3500.0


def _plain_pair(
    case: Case, start: Affine, coarser: float = 1
) -> tuple[np.ndarray, Grid, np.ndarray, Grid]:
    """Return labelled fraction (or grey values) and the cut moving image, at like voxel size."""
    finest = min(case.moving.grid.voxel_size_zyx_nm)
    voxel = coarser * (finest if _is_xray(case) else 2 * finest)
    if _is_xray(case) or case.fixed_labels is None:
        fixed, grid = case.fixed.read().astype(np.float32), case.fixed.grid
    else:
        fixed, grid = (case.fixed_labels.read() > 0).astype(np.float32), case.fixed_labels.grid
    fixed, grid = block_mean(fixed, grid, reduction(grid, voxel))
    image = case.moving.read(channel=case.moving_channel)
    image, field = cut_field(image, case.fixed.grid, case.moving.grid, start, 0.2)
    image, field = block_mean(image, field, reduction(field, voxel))
    return fixed, grid, image, field


def _structures(
    case: Case,
    start: Affine,
    backend: ElastixBackend | GreedyBackend,
    settings: RefinementSettings,
) -> Transform:
    labels = case.fixed_labels
    assert labels is not None
    return refine_structures(
        backend,
        (labels.read() > 0).astype(np.float32),
        labels.grid,
        case.moving.read(channel=case.moving_channel).astype(np.float32),
        case.moving.grid,
        start,
        settings=settings,
    )


METHODS: dict[str, Method] = {
    "clemkit": Method(clemkit, "nothing"),
    "clemkit-grey": Method(clemkit_grey, "nothing, not even labels", light=False),
    "cosem-centred": Method(cosem_centred, "field centres", "itk"),
    "cosem-rotated": Method(cosem_rotated, "true rotation", "itk"),
    "elastix-mi": Method(elastix_mi, "true rotation", "itk"),
    "elastix-ncc": Method(elastix_ncc, "true rotation", "itk"),
    "greedy": Method(greedy, "true rotation", "picsl_greedy"),
    "clem-reg": Method(clem_reg, "true rotation", None, xray=False),
    "ants": Method(ants, "true rotation", "ants"),
}


def outcome(method: str, case: Case, flip: bool) -> Outcome:
    """Run a method; a peer's own failure is an outcome, not an end of the benchmark."""
    try:
        return METHODS[method].run(case, flip)
    except ClemkitError as problem:
        return Outcome(
            transform=None, status="failed", reason=f"{type(problem).__name__}: {problem}"
        )
