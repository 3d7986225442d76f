"""The models, behind one door: nothing else imports the generated code.

Behaviour is functions over the models; generated classes are never edited or subclassed.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from pydantic import BaseModel, ValidationError

from clemkit.errors import InvalidMetadataError, Problem
from clemkit.metadata._generated.models import (
    Activity,
    Agent,
    Anaesthesia,
    AnalysisResult,
    AnnotationSet,
    Antibody,
    ArrayTomographyAcquisition,
    AtumSemAcquisition,
    BeamSettings,
    BioSample,
    Block,
    BoxNm,
    CellCulture,
    ChannelSettings,
    ChemicalFixation,
    Coating,
    Contribution,
    CorrelationError,
    CriticalPointDrying,
    CryoFibMilling,
    DabReaction,
    Dehydration,
    Detector,
    Deviation,
    Dispersion,
    Dissection,
    ElectronTomographyAcquisition,
    EnBlocStaining,
    Environment,
    Experiment,
    FibSemAcquisition,
    Fiducial,
    FiducialApplication,
    FileDigest,
    FileSet,
    FluorescentLabelling,
    FreezeSubstitution,
    Funding,
    Grid,
    HighPressureFreezing,
    Identifier,
    Image,
    ImageAcquisition,
    ImageChannel,
    ImageCorrelation,
    ImmunoLabelling,
    Incubation,
    Infiltration,
    Instrument,
    Label,
    LadderStage,
    Lamella,
    LandmarkPair,
    LightAcquisition,
    Material,
    MicrowaveProcessing,
    MicrowaveSettings,
    MissingValue,
    Mounting,
    MultibeamSemAcquisition,
    NamedThing,
    Objective,
    OntologyTerm,
    Organization,
    OtherAcquisition,
    OtherSpecimen,
    OtherStep,
    OvenCuring,
    PackageVersion,
    Parameter,
    Perfusion,
    Person,
    PlungeFreezing,
    PostFixation,
    PostStaining,
    ProcessingStep,
    Protocol,
    ProtocolExecution,
    ProtocolStep,
    Publication,
    Quantity,
    Quenching,
    Reagent,
    ReagentUse,
    Region,
    Rinsing,
    SbfSemAcquisition,
    ScanningElectronAcquisition,
    Section,
    SectionCollection,
    Sectioning,
    SectionSeries,
    SectionSupport,
    Session,
    ShrinkageFactors,
    Slice,
    SlicingSettings,
    Software,
    Solution,
    SolutionComponent,
    SpatialTransform,
    Specimen,
    StageAndTiling,
    Staining,
    StemAcquisition,
    StepExecution,
    Storage,
    Study,
    StudyComponent,
    Taxon,
    TemperatureStage,
    TextSpan,
    TransmissionElectronAcquisition,
    Trimming,
    UnparsedStep,
    UvPolymerization,
    Variable,
    WholeMount,
    XrayAcquisition,
)
from clemkit.metadata.model_map import contract_iri, model_map

__all__ = [
    "Activity",
    "Agent",
    "Anaesthesia",
    "AnalysisResult",
    "AnnotationSet",
    "Antibody",
    "ArrayTomographyAcquisition",
    "AtumSemAcquisition",
    "BeamSettings",
    "BioSample",
    "Block",
    "BoxNm",
    "CellCulture",
    "ChannelSettings",
    "ChemicalFixation",
    "Coating",
    "Contribution",
    "CorrelationError",
    "CriticalPointDrying",
    "CryoFibMilling",
    "DabReaction",
    "Dehydration",
    "Detector",
    "Deviation",
    "Dispersion",
    "Dissection",
    "ElectronTomographyAcquisition",
    "EnBlocStaining",
    "Environment",
    "Experiment",
    "FibSemAcquisition",
    "Fiducial",
    "FiducialApplication",
    "FileDigest",
    "FileSet",
    "FluorescentLabelling",
    "FreezeSubstitution",
    "Funding",
    "Grid",
    "HighPressureFreezing",
    "Identifier",
    "Image",
    "ImageAcquisition",
    "ImageChannel",
    "ImageCorrelation",
    "ImmunoLabelling",
    "Incubation",
    "Infiltration",
    "Instrument",
    "Label",
    "LadderStage",
    "Lamella",
    "LandmarkPair",
    "LightAcquisition",
    "Material",
    "MicrowaveProcessing",
    "MicrowaveSettings",
    "MissingValue",
    "Mounting",
    "MultibeamSemAcquisition",
    "NamedThing",
    "Objective",
    "OntologyTerm",
    "Organization",
    "OtherAcquisition",
    "OtherSpecimen",
    "OtherStep",
    "OvenCuring",
    "PackageVersion",
    "Parameter",
    "Perfusion",
    "Person",
    "PlungeFreezing",
    "PostFixation",
    "PostStaining",
    "ProcessingStep",
    "Protocol",
    "ProtocolExecution",
    "ProtocolStep",
    "Publication",
    "Quantity",
    "Quenching",
    "Reagent",
    "ReagentUse",
    "Region",
    "Rinsing",
    "SbfSemAcquisition",
    "ScanningElectronAcquisition",
    "Section",
    "SectionCollection",
    "SectionSeries",
    "SectionSupport",
    "Sectioning",
    "Session",
    "ShrinkageFactors",
    "Slice",
    "SlicingSettings",
    "Software",
    "Solution",
    "SolutionComponent",
    "SpatialTransform",
    "Specimen",
    "StageAndTiling",
    "Staining",
    "StemAcquisition",
    "StepExecution",
    "Storage",
    "Study",
    "StudyComponent",
    "Taxon",
    "TemperatureStage",
    "TextSpan",
    "TransmissionElectronAcquisition",
    "Trimming",
    "UnparsedStep",
    "UvPolymerization",
    "Variable",
    "WholeMount",
    "XrayAcquisition",
    "build",
    "canonical",
    "to_plain",
]


def build(data: Mapping[str, Any]) -> Experiment:
    """Return the model of plain *data* in long form.

    Raises
    ------
    InvalidMetadataError
        The data do not fit the model; ``problems`` lists where.
    """
    try:
        return Experiment.model_validate(dict(data))
    except ValidationError as error:
        problems = [
            Problem(tuple(e["loc"]), "L1-model", "error", str(e["msg"])) for e in error.errors()
        ]
        raise InvalidMetadataError(
            f"the description does not fit the model in {len(problems)} places: {problems[0]}",
            problems,
        ) from error


def to_plain(model: BaseModel) -> dict[str, Any]:
    """Return plain data in long form: nothing that is not given, dates as text."""
    plain: dict[str, Any] = _pruned(model.model_dump(mode="json", exclude_none=True))
    return plain


def canonical(experiment: Experiment) -> Experiment:
    """Return an equal experiment in one form.

    Unordered lists of words, numbers and references are sets: they are sorted and freed of repeats.
    Identifiers of terms are in their compact form. Empty lists are left out.
    """
    return build(_canonical_object(to_plain(experiment)))


def _pruned(value: Any) -> Any:
    if isinstance(value, dict):
        return {k: _pruned(v) for k, v in value.items() if v != []}
    return [_pruned(v) for v in value] if isinstance(value, list) else value


def _canonical_object(value: Any) -> Any:
    if not isinstance(value, dict):
        return value
    return {k: _canonical_slot(v, model_map()["slots"][k]) for k, v in value.items()}


def _canonical_slot(value: Any, slot: Mapping[str, Any]) -> Any:
    if slot["kind"] == "class" and slot["inlined"]:
        if isinstance(value, list):
            return [_canonical_object(item) for item in value]
        return _canonical_object(value)
    if slot["range"] == "uriorcurie":
        value = [contract_iri(v) for v in value] if isinstance(value, list) else contract_iri(value)
    if isinstance(value, list) and not slot.get("ordered"):
        return sorted(set(value), key=str)
    return value
