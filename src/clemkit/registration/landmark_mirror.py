"""Mirrors in landmark pairs: found, reported, and refused unless allowed."""

from __future__ import annotations

from clemkit.errors import Problem, RegistrationError
from clemkit.geometry import FloatArray
from clemkit.landmarks import LandmarkPairs
from clemkit.transforms import ReflectionEvidence, reflection_evidence

__all__ = ["judge_mirror"]

_CLEAR = 0.7  # mirrored over proper residual; below it is no chance
_CLEAR_FEW = 0.3  # four landmarks fit a mirror easily


def judge_mirror(
    pairs: LandmarkPairs, weights: FloatArray, *, planar: bool, allow_reflection: bool
) -> tuple[ReflectionEvidence, bool, tuple[Problem, ...]]:
    """Compare the proper and the mirrored similarity.

    Parameters
    ----------
    pairs : LandmarkPairs
        Not in a plane, unless *planar*.
    weights : (N,) float array
        That ignore wrong pairs.
    planar : bool
        Flat data: a mirror is one in the plane.
    allow_reflection : bool
        Whether a mirror may be used.

    Returns
    -------
    evidence : ReflectionEvidence
    use_mirror : bool
        A mirror fits better and is allowed.
    findings : tuple of Problem

    Raises
    ------
    RegistrationError
        A mirror fits clearly better and is not allowed.
    """
    evidence = reflection_evidence(
        pairs.fixed.points_zyx_nm, pairs.moving.points_zyx_nm, weights=weights, planar=planar
    )
    proper, mirrored = evidence.proper_rms_nm, evidence.mirrored_rms_nm
    enough = len(pairs) > (3 if planar else 4)
    clear = mirrored < (_CLEAR if enough else _CLEAR_FEW) * proper
    figures = (
        f"a mirrored similarity leaves {mirrored / 1e3:.4g} um RMS, a proper one "
        f"{proper / 1e3:.4g} um"
    )
    if clear and not allow_reflection:
        raise RegistrationError(
            f"landmarks {pairs.moving.space} to {pairs.fixed.space}: expected two sides of the "
            f"same handedness; found that {figures}: one side is mirrored; check axis order and "
            "flips, or accept the mirror with --allow-reflection"
        )
    if clear:
        finding = Problem(
            ("landmarks", "handedness"),
            "landmarks.mirror",
            "warning",
            f"the two sides are mirrored: {figures}; the result contains the mirror, as allowed",
        )
        return evidence, True, (finding,)
    if evidence.mirrored_is_better:
        finding = Problem(
            ("landmarks", "handedness"),
            "landmarks.weak-mirror",
            "warning",
            f"handedness is doubtful: {figures}",
            "check axis order and flips",
        )
        return evidence, allow_reflection, (finding,)
    return evidence, False, ()
