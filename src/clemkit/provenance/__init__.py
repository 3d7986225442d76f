"""What was done: steps, digests, environments, progress. Standard library only."""

from clemkit.provenance.progress import Progress, no_progress
from clemkit.provenance.step import Digest, Environment, Step, digest_path

__all__ = ["Digest", "Environment", "Progress", "Step", "digest_path", "no_progress"]
