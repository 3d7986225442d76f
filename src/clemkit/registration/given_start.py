"""From where to start: a given transform, landmarks that agree, or the search."""

from __future__ import annotations

from clemkit.errors import RegistrationError
from clemkit.landmarks import LandmarkPairs
from clemkit.provenance import Progress
from clemkit.registration.features import FixedFeatures
from clemkit.registration.initial import Initial, split_initial
from clemkit.registration.landmark_guide import landmark_start
from clemkit.registration.pull import AffineMap
from clemkit.registration.scales import finest_spacing_nm
from clemkit.registration.search import CONVINCING
from clemkit.registration.settings import Settings
from clemkit.registration.start import Start, find_volumes_start, require_usable
from clemkit.transforms import Transform
from clemkit.volumes import Volume

__all__ = ["find_given_start"]


def find_given_start(
    features: FixedFeatures,
    fixed: Volume,
    fixed_channel: int,
    moving: Volume,
    moving_labels: Volume | None,
    moving_channel: int | str | None,
    *,
    initial: Transform | None,
    trusted: bool,
    landmarks: LandmarkPairs | None,
    allow_reflection: bool,
    settings: Settings,
    warnings: list[str],
    progress: Progress,
) -> tuple[Start, FixedFeatures]:
    """Return a usable start.

    Parameters
    ----------
    features, fixed, fixed_channel, moving, moving_labels, moving_channel
        What is matched.
    initial : Transform or None
        Fixed → moving.
    trusted : bool
        Whether *initial* is taken without asking the images.
    landmarks : LandmarkPairs or None
        Used where there is no *initial*; where the images contradict them, the search goes on
        without them, and says so.
    allow_reflection, settings, warnings, progress
        As for the engine.

    Raises
    ------
    RegistrationError
        No pose stands out, or the images contradict *initial*.
    """

    def find(given: Initial | None) -> tuple[Start, FixedFeatures]:
        start = find_volumes_start(
            features,
            fixed,
            fixed_channel,
            moving,
            moving_labels,
            moving_channel,
            settings,
            warnings,
            progress,
            given,
        )
        outcome = start[0].outcome
        kept = given is not None and given.trusted
        require_usable(outcome, allow_reflection, trusted=kept)
        if kept and outcome.confidence < CONVINCING:
            warnings.append(
                "the initial transform was trusted, but the images do not confirm it "
                f"(correlation {outcome.best.correlation:.2f})"
            )
        return start

    if initial is not None:
        spacing = settings.control_spacing_nm or finest_spacing_nm(features)
        return find(split_initial(initial, features.grid, spacing, trusted=trusted))
    if landmarks is not None:
        affine = landmark_start(
            landmarks, fixed.grid, moving.grid, allow_reflection=allow_reflection
        )
        if affine is not None:
            place = AffineMap(affine.linear, affine.translation_zyx_nm)
            before = len(warnings)
            try:
                return find(Initial(place, what="start from landmarks"))
            except RegistrationError as error:
                del warnings[before:]
                reason = " ".join(str(error).split("; check the file")[0].split())
                warnings.append(f"the landmarks gave no start ({reason}); all poses were searched")
    return find(None)
