"""Transform files: one module per format; axis order, units and directions end here."""

from clemkit.transforms.io.open_transform import read_transform
from clemkit.transforms.io.registration_folder import write_registration_transforms
from clemkit.transforms.io.registration_folder_reader import read_registration_transforms

__all__ = ["read_registration_transforms", "read_transform", "write_registration_transforms"]
