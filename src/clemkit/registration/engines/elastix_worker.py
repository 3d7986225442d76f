"""Worker that runs elastix once: ``python -m clemkit.registration.engines.elastix_worker FOLDER``.

Reads ``job.json``, ``fixed.npy``, ``moving.npy`` and optionally ``mask.npy``; writes
``result.json`` with the transform parameter maps as plain texts. The caller sets
``ITK_GLOBAL_DEFAULT_THREADER=Pool`` before this interpreter starts: with the default threader,
elastix dies when a registration with several metrics uses more than one thread.
"""

from __future__ import annotations

import importlib
import json
import sys
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any

import numpy as np

__all__ = ["load_engine", "main"]

EXIT_MISSING = 77
_WRAPPED = (
    "itk.itkElastixRegistrationMethodPython",
    "itk.elxParameterObjectPython",
    "itk.itkPyBufferPython",
)


def load_engine(facade: bool = False) -> SimpleNamespace:
    """Return elastix' classes for float images: ``Method``, ``Parameters``, ``Image``, ``Mask``.

    The wrapped modules cost a tenth of the import time and a fifth of the memory of the facade,
    but their names are private; where they do not fit, the facade is loaded.

    Parameters
    ----------
    facade : bool
        Whether to load the public facade straight away.
    """
    if not facade:
        try:
            method, parameters, buffers = (importlib.import_module(name) for name in _WRAPPED)
            return _classes_of_wrapped(method, parameters, buffers)
        except (ImportError, AttributeError):
            pass  # renamed in another release: the facade has the same classes
    itk = importlib.import_module("itk")
    float_image, byte_image = itk.Image[itk.F, 3], itk.Image[itk.UC, 3]
    return SimpleNamespace(
        Method=itk.ElastixRegistrationMethod[float_image, float_image],
        Parameters=itk.ParameterObject,
        Image=itk.PyBuffer[float_image],
        Mask=itk.PyBuffer[byte_image],
        route="facade",
    )


def _classes_of_wrapped(
    method: ModuleType, parameters: ModuleType, buffers: ModuleType
) -> SimpleNamespace:
    return SimpleNamespace(
        Method=method.itkElastixRegistrationMethodIF3IF3,
        Parameters=parameters.elastixParameterObject,
        Image=buffers.itkPyBufferIF3,
        Mask=buffers.itkPyBufferIUC3,
        route="wrapped modules",
    )


def _image(buffer: Any, array: np.ndarray, grid: dict[str, list[float]]) -> Any:
    image = buffer.GetImageViewFromArray(array)
    image.SetSpacing(grid["spacing_xyz"])
    image.SetOrigin(grid["origin_xyz"])
    return image


def main(folder: Path, facade: bool = False) -> int:
    """Run the job in *folder*; return the exit status."""
    try:
        engine = load_engine(facade)
    except ImportError as problem:
        print(problem)
        return EXIT_MISSING
    job = json.loads((folder / "job.json").read_text("utf-8"))
    # kept alive here: ITK only looks at the memory
    fixed, moving = np.load(folder / "fixed.npy"), np.load(folder / "moving.npy")
    parameters = engine.Parameters.New()
    for name in job["parameter_files"]:
        parameters.AddParameterFile(str(folder / name))
    method = engine.Method.New()
    method.SetFixedImage(_image(engine.Image, fixed, job["fixed"]))
    method.SetMovingImage(_image(engine.Image, moving, job["moving"]))
    if job["mask"]:
        mask = np.load(folder / "mask.npy")
        method.SetFixedMask(_image(engine.Mask, mask, job["fixed"]))
    method.SetParameterObject(parameters)
    method.SetInitialTransformParameterFileName(str(folder / job["start"]))
    if job["landmarks"]:
        method.SetFixedPointSetFileName(str(folder / "fixed_points.txt"))
        method.SetMovingPointSetFileName(str(folder / "moving_points.txt"))
    method.SetNumberOfThreads(int(job["threads"]))
    method.SetOutputDirectory(str(folder))
    method.SetLogFileName("elastix.log")
    method.LogToFileOn()
    method.LogToConsoleOff()
    method.UpdateLargestPossibleRegion()
    found = method.GetTransformParameterObject()
    maps = [
        {str(key): [str(word) for word in words] for key, words in _items(found, i)}
        for i in range(found.GetNumberOfParameterMaps())
    ]
    (folder / "result.json").write_text(json.dumps({"route": engine.route, "maps": maps}), "utf-8")
    return 0


def _items(parameters: Any, index: int) -> list[tuple[str, Any]]:
    values = parameters.GetParameterMap(index)
    return [(key, values[key]) for key in values]


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1]), facade="--facade" in sys.argv[2:]))
