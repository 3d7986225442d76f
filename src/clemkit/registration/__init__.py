"""Registration: volumes or landmark pairs in, a RegistrationResult out."""

from clemkit.registration.result import (
    ErrorEstimate,
    JacobianSummary,
    RegistrationResult,
    StageRecord,
)

__all__ = ["ErrorEstimate", "JacobianSummary", "RegistrationResult", "StageRecord"]
