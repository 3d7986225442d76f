"""The folder that is sent to an archive: planned, linked or copied, with checksums."""

from clemkit.deposition.package.execute import BuiltPackage, build_package, check_target
from clemkit.deposition.package.plan import PackageFile, PackagePlan, image_directory, plan_package

__all__ = [
    "BuiltPackage",
    "PackageFile",
    "PackagePlan",
    "build_package",
    "check_target",
    "image_directory",
    "plan_package",
]
