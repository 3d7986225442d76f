"""Complete elastix parameter maps: nothing is left to defaults that change or warn."""

from __future__ import annotations

import math

import numpy as np

from clemkit.geometry import Grid
from clemkit.registration.engines.backend import RefinementSettings

__all__ = ["NM_PER_UNIT", "format_map", "parameter_maps"]

Words = tuple[str | int | float, ...]
ParameterMap = dict[str, Words]

NM_PER_UNIT = 1000.0  # elastix sees micrometres: its step sizes assume numbers near one
_METRICS = {
    "correlation": "AdvancedNormalizedCorrelation",
    "mutual_information": "AdvancedMattesMutualInformation",
}


def parameter_maps(
    settings: RefinementSettings, fixed_grid: Grid, *, landmarks: bool
) -> tuple[ParameterMap, ...]:
    """Return the maps of the stages, affine first.

    Parameters
    ----------
    settings : RefinementSettings
    fixed_grid : Grid
        Sampling of the fixed image.
    landmarks : bool
        Whether point files will be given.
    """
    maps = []
    if settings.affine_iterations:
        stage = _shared(settings, fixed_grid, settings.affine_iterations)
        stage |= {
            "Transform": ("AffineTransform",),
            "AutomaticScalesEstimation": ("true",),
            "AutomaticTransformInitialization": ("false",),
            "AutomaticTransformInitializationMethod": ("GeometricalCenter",),
        }
        maps.append(stage | _metrics(settings, bending=False, landmarks=landmarks))
    if settings.deformable_iterations:
        spacing = settings.control_spacing_nm or 16 * float(np.mean(fixed_grid.voxel_size_zyx_nm))
        stage = _shared(settings, fixed_grid, settings.deformable_iterations)
        stage |= {
            "Transform": ("RecursiveBSplineTransform",),
            "BSplineTransformSplineOrder": (3,),
            "UseCyclicTransform": ("false",),
            "FinalGridSpacingInPhysicalUnits": (spacing / NM_PER_UNIT,) * 3,
            "GridSpacingSchedule": tuple(
                float(2**k) for k in reversed(range(settings.levels)) for _ in range(3)
            ),
            "PassiveEdgeWidth": (0,),
        }
        bending = settings.bending_weight > 0
        maps.append(stage | _metrics(settings, bending=bending, landmarks=landmarks))
    return tuple(maps)


def _shared(settings: RefinementSettings, grid: Grid, iterations: int) -> ParameterMap:
    step_nm = settings.step_nm or float(np.mean(grid.voxel_size_zyx_nm))
    schedule = _pyramid(grid, settings.levels)
    return {
        "FixedImageDimension": (3,),
        "MovingImageDimension": (3,),
        "FixedInternalImagePixelType": ("float",),
        "MovingInternalImagePixelType": ("float",),
        "UseDirectionCosines": ("true",),
        "UseFastAndLowMemoryVersion": ("true",),
        "HowToCombineTransforms": ("Compose",),
        "NumberOfResolutions": (settings.levels,),
        "FixedImagePyramid": ("FixedSmoothingImagePyramid",),
        "MovingImagePyramid": ("MovingSmoothingImagePyramid",),
        "FixedImagePyramidSchedule": schedule,
        "MovingImagePyramidSchedule": schedule,
        "WritePyramidImagesAfterEachResolution": ("false",),
        "ErodeMask": ("false",),
        "ErodeFixedMask": ("false",),
        "ErodeMovingMask": ("false",),
        "Optimizer": ("AdaptiveStochasticGradientDescent",),
        "ASGDParameterEstimationMethod": ("Original",),
        "AutomaticParameterEstimation": ("true",),
        "UseAdaptiveStepSizes": ("true",),
        "UseConstantStep": ("false",),
        "UseAcceleration": ("true",),
        "MaximumNumberOfIterations": (iterations,),
        "MaximumStepLength": (step_nm / NM_PER_UNIT,),
        "MaximumStepLengthRatio": (1.0,),
        "SigmoidScaleFactor": (0.1,),
        "NumberOfGradientMeasurements": (0,),
        "NumberOfJacobianMeasurements": (1000,),
        "NumberOfSamplesForExactGradient": (100000,),
        "NumberOfSamplesForNoiseCompensationFactor": (0,),
        "SigmoidInitialTime": (0.0,),
        "SP_A": (20.0,),
        "SP_alpha": (1.0,),
        "MaxBandCovSize": (192,),
        "NumberOfBandStructureSamples": (10,),
        "Interpolator": ("LinearInterpolator",),
        "ImageSampler": ("RandomCoordinate",),
        "NumberOfSpatialSamples": (settings.samples,),
        "NewSamplesEveryIteration": ("true",),
        "UseRandomSampleRegion": ("false",),
        "FixedImageBSplineInterpolationOrder": (1,),
        "MaximumNumberOfSamplingAttempts": (8,),
        "CheckNumberOfSamples": ("true",),
        "RequiredRatioOfValidSamples": (0.05,),
        "RandomSeed": (settings.seed + 1,),
        "ShowExactMetricValue": ("false",),
        "UseMultiThreadingForMetrics": ("true",),
        "ResampleInterpolator": ("FinalLinearInterpolator",),
        "Resampler": ("DefaultResampler",),
        "DefaultPixelValue": (0,),
        "WriteResultImage": ("false",),
        "WriteResultImageAfterEachResolution": ("false",),
        "WriteResultImageAfterEachIteration": ("false",),
        "WriteTransformParametersEachIteration": ("false",),
        "WriteTransformParametersEachResolution": ("false",),
        "WriteIterationInfo": ("false",),
        "ResultImageFormat": ("mhd",),
        "ResultImagePixelType": ("float",),
        "CompressResultImage": ("false",),
    }


def _metrics(settings: RefinementSettings, *, bending: bool, landmarks: bool) -> ParameterMap:
    names = [_METRICS[settings.metric]]
    weights = [1.0]
    if bending:
        names.append("TransformBendingEnergyPenalty")
        weights.append(settings.bending_weight)
    if landmarks:
        names.append("CorrespondingPointsEuclideanDistanceMetric")  # elastix wants it last
        weights.append(settings.landmark_weight_per_um)
    values: ParameterMap = {
        "Registration": (
            "MultiResolutionRegistration"
            if len(names) == 1
            else "MultiMetricMultiResolutionRegistration",
        ),
        "Metric": tuple(names),
    }
    if len(names) > 1:
        # the point metric draws no samples
        images = [name for name in names if not name.startswith("CorrespondingPoints")]
        values["ImageSampler"] = ("RandomCoordinate",) * len(images)
        values |= {f"Metric{i}Weight": (weight,) for i, weight in enumerate(weights)}
        values |= {f"Metric{i}Use": ("true",) for i in range(len(weights))}
        values["UseRelativeWeights"] = ("false",)
    if settings.metric == "mutual_information":
        values |= {
            "NumberOfHistogramBins": (32,),
            "NumberOfFixedHistogramBins": (32,),
            "NumberOfMovingHistogramBins": (32,),
            "FixedKernelBSplineOrder": (0,),
            "MovingKernelBSplineOrder": (3,),
            "FixedLimitRangeRatio": (0.01,),
            "MovingLimitRangeRatio": (0.01,),
            "FiniteDifferenceDerivative": ("false",),
            "UseFastAndLowMemoryVersion": ("true",),
            "UseJacobianPreconditioning": ("false",),
        }
    return values


def _pyramid(grid: Grid, levels: int) -> Words:
    """Return smoothing factors (x, y, z per level) that treat all axes alike in nanometres."""
    voxel = np.array(grid.voxel_size_zyx_nm)[::-1]
    factors: list[int] = []
    for level in reversed(range(levels)):
        length = float(voxel.min()) * 2**level
        factors += [2 ** max(round(math.log2(length / v)), 0) for v in voxel]
    return tuple(factors)


def format_map(values: ParameterMap) -> str:
    """Return a map in the syntax of elastix parameter files."""
    lines = []
    for key, words in values.items():
        text = " ".join(f'"{word}"' if isinstance(word, str) else repr(word) for word in words)
        lines.append(f"({key} {text})")
    return "\n".join(lines) + "\n"
