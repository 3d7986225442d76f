"""Finding the start of two volumes: channels, labels or grey images, and whether to trust it."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from clemkit.errors import RegistrationError
from clemkit.geometry import FloatArray
from clemkit.provenance import Progress
from clemkit.registration.features import FixedFeatures, fixed_features, moving_image
from clemkit.registration.initial import Initial, find_near
from clemkit.registration.scales import blur_nm, expected_scale
from clemkit.registration.search import CONVINCING, PoseSearch, SearchOutcome, search_voxel_nm
from clemkit.registration.settings import Settings
from clemkit.volumes import Volume

__all__ = ["Start", "find_volumes_start", "require_usable"]


# grey images that agree so well show the same tissue in the same way; between a phantom of other
# contrasts (0.71) and two of the hardest simulated pairs (0.91, 0.92); a guess
_SAME_CONTRAST = 0.8
_SEEN = 0.2  # least correlation of labels at the place of the grey images; a guess
_CLEAR = 0.8  # confidence of a channel that makes searching the others unnecessary


@dataclass(frozen=True)
class Start:
    """The chosen channel, the search that chose it, and the blur that was assumed.

    ``objection`` says why a given start cannot be right.
    """

    channel: int
    outcome: SearchOutcome
    psf_zyx_nm: FloatArray
    objection: str | None = None


def find_volumes_start(
    features: FixedFeatures,
    fixed: Volume,
    fixed_channel: int,
    moving: Volume,
    moving_labels: Volume | None,
    moving_channel: int | str | None,
    settings: Settings,
    warnings: list[str],
    progress: Progress,
    initial: Initial | None = None,
) -> tuple[Start, FixedFeatures]:
    """Search with the labels; where EM meets X-ray, with the grey images when those do better.

    With a given start the search is replaced by a look around it, and by a check.

    Heavy-metal stain gives EM and X-ray CT much the same contrast, so that the images
    themselves often hold more evidence than the labels.
    """
    grey = features.labels is not None and moving.modality != "lm" and moving_labels is None
    found = _search(
        features,
        fixed,
        moving,
        moving_labels,
        moving_channel,
        settings,
        warnings,
        progress,
        quick=grey,
        initial=initial,
    )
    if found.objection is not None:
        raise RegistrationError(found.objection)
    if not grey or found.outcome.confidence > 0.95:
        return found, features
    images = fixed_features(fixed, None, fixed_channel, None)
    other = _search(
        images,
        fixed,
        moving,
        None,
        moving_channel,
        settings,
        warnings,
        progress,
        quick=False,
        initial=initial,
    )
    alike = other.outcome.best.correlation > _SAME_CONTRAST
    if other.outcome.confidence <= found.outcome.confidence:
        return found, features
    if found.outcome.confidence >= CONVINCING and not alike:
        return found, features  # what was drawn as corresponding is worth more than likeness
    if other.objection is not None:
        raise RegistrationError(other.objection)
    clearer = (
        f"the grey images gave a clearer pose than the labels (confidence "
        f"{other.outcome.confidence:.2f} against {found.outcome.confidence:.2f})"
    )
    if not alike:
        labelled = _labels_at(other, features, moving, settings, progress)
        if labelled is not None:
            warnings.append(f"{clearer}; from there on the labels were used")
            return labelled, features
    warnings.append(f"{clearer} and were used")
    return other, images


def _labels_at(
    grey: Start, features: FixedFeatures, moving: Volume, settings: Settings, progress: Progress
) -> Start | None:
    """Return the start that the labels give at the place of the grey images; None if they do not.

    Grey images of unlike contrast find the place, but mislead a deformation.
    """
    voxel = search_voxel_nm(features, moving.grid, settings)
    image = moving_image(moving, None, grey.channel, voxel / 3, features.normalisation_nm)
    outcome, _ = find_near(
        features,
        image,
        Initial(grey.outcome.best.affine, trusted=True),
        blur_zyx_nm=grey.psf_zyx_nm,
        settings=settings,
        expected_scale=1.0,
        both_signs=True,
        progress=progress,
    )
    if outcome is None or outcome.best.score < _SEEN:
        return None
    kept = replace(
        outcome, confidence=grey.outcome.confidence, tiers=(*grey.outcome.tiers, "labels there")
    )
    return Start(grey.channel, kept, grey.psf_zyx_nm)


def _search(
    features: FixedFeatures,
    fixed: Volume,
    moving: Volume,
    moving_labels: Volume | None,
    moving_channel: int | str | None,
    settings: Settings,
    warnings: list[str],
    progress: Progress,
    *,
    quick: bool,
    initial: Initial | None,
) -> Start:
    if moving_channel is None:
        channels = list(range(moving.channel_count)) if moving_labels is None else [0]
    else:
        channels = [moving.channel_index(moving_channel)]
    psf = blur_nm(moving, settings)
    if moving_labels is not None:
        psf = 0.6 * np.array(moving_labels.grid.voxel_size_zyx_nm)
    scale = expected_scale(fixed, moving, settings)
    voxel = search_voxel_nm(features, moving.grid, settings)
    # grey images of two kinds, and anything in X-ray, may have the opposite contrast
    differs = moving.modality != fixed.modality
    signs = moving_labels is None and (
        moving.modality != "lm" or (features.labels is None and differs)
    )
    everything = settings.any_orientation
    if everything is None:
        everything = moving.modality != "lm" or moving_labels is not None
    scores: dict[int, float] = {}
    found: dict[int, Start] = {}
    searches: dict[int, PoseSearch] = {}
    for channel in channels:
        image = moving_image(moving, moving_labels, channel, voxel / 3, features.normalisation_nm)
        if initial is not None:
            outcome, objection = find_near(
                features,
                image,
                initial,
                blur_zyx_nm=psf,
                settings=settings,
                expected_scale=scale,
                both_signs=signs,
                progress=progress,
            )
            if outcome is not None:
                found[channel] = Start(channel, outcome, psf, objection)
            continue
        search = PoseSearch(
            features,
            image,
            blur_zyx_nm=psf,
            settings=settings,
            expected_scale=scale,
            both_signs=signs,
            try_everything=everything,
            progress=progress,
        )
        clear = _best(found)
        if clear is not None and clear.outcome.confidence > _CLEAR:
            # the place is known: another channel is searched only if it shows more there
            agreement = search.agreement_at(clear.outcome.best)
            if agreement < searches[clear.channel].agreement_at(clear.outcome.best):
                scores[channel] = agreement
                continue
        search.advance()
        searches[channel] = search
        if search.outcome is not None:
            found[channel] = Start(channel, search.outcome, psf)
    if not quick and not any(s.convincing for s in searches.values()):
        for channel, search in searches.items():
            while not (search.exhausted or search.convincing):
                search.advance()
            if search.outcome is not None:
                found[channel] = Start(channel, search.outcome, psf)
            if search.convincing:
                break
    best = _best(found)
    if best is None:
        raise RegistrationError(
            "pose search: expected at least one placement with the required overlap; found none; "
            "the moving field may be smaller than the fixed one (swap --fixed and --moving), or "
            "the voxel sizes may be wrong (--fixed-voxel-size, --moving-voxel-size)"
        )
    if len(channels) > 1:
        names = moving.channels or tuple(str(c) for c in range(moving.channel_count))
        scores |= {c: start.outcome.best.correlation for c, start in found.items()}
        each = ", ".join(f"{names[c]}: {scores[c]:.2f}" for c in sorted(scores))
        warnings.append(
            f"moving channel {names[best.channel]} was chosen by its correlation ({each}); "
            "pass --moving-channel to decide"
        )
    return best


def _best(found: dict[int, Start]) -> Start | None:
    """Return the start whose pose stands out most."""
    return max(
        found.values(), key=lambda s: (s.outcome.confidence, s.outcome.best.score), default=None
    )


def require_usable(
    outcome: SearchOutcome, allow_reflection: bool, *, trusted: bool = False
) -> None:
    """Refuse a start that proves nothing, unless trusted, or a mirror that is not allowed.

    Raises
    ------
    RegistrationError
    """
    best = outcome.best
    others = [c.score for c in outcome.ranked[1:]]
    runner = f"{max(others):.2f}" if others else "none"
    figures = (
        f"best correlation {best.correlation:.2f}, next different pose {runner}, "
        f"confidence {outcome.confidence:.2f}, searched: {'; '.join(outcome.tiers)}"
    )
    if best.is_mirror and not allow_reflection and (trusted or outcome.confidence >= 0.25):
        raise RegistrationError(
            "registration: expected a placement without a mirror; found that the mirrored "
            f"volume fits clearly better ({figures}); the sections may be in reverse order: "
            "pass --allow-reflection, or turn the stack over"
        )
    if outcome.confidence < 0.25 and not trusted:
        raise RegistrationError(
            f"registration: expected one pose that stands out; found none ({figures}); "
            "check that both volumes show the same place, the channel, the labels and the voxel "
            "sizes"
        )
