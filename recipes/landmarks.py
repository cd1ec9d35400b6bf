"""Landmarks of the training faces, by MediaPipe's face mesh in an environment of its own.

MediaPipe carries its models inside the package up to 0.10.21 only, and that version needs numpy < 2, so it
never enters the environment that trains. Nothing of it reaches a bundle: the decoder learns to place the
landmarks.
"""

from __future__ import annotations

import subprocess
import sys
import tempfile
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from voxtoon.errors import InputError

REQUIREMENTS = ("mediapipe==0.10.21", "numpy<2", "pillow")
ENVIRONMENT = Path(".venv-landmarks")
_WORKER = Path(__file__).with_name("landmark_worker.py")


def find_landmarks(pictures: list[Path], *, environment: Path = ENVIRONMENT) -> NDArray[np.float32]:
    """The 68 landmarks of each picture, in iBUG order.

    Parameters
    ----------
    pictures
        Files with one face each.
    environment
        Virtual environment with MediaPipe; made here on first use.

    Returns
    -------
    float32 [n, 68, 2]
        (x, y) in pixels, pixel centres on whole numbers.

    Raises
    ------
    InputError
        If no face is found in a picture.
    """
    python = _ensure_environment(environment)
    with tempfile.TemporaryDirectory() as folder:
        out = Path(folder) / "landmarks.npz"
        subprocess.run(
            [str(path) for path in (python, _WORKER, out, *pictures)], check=True, stderr=subprocess.DEVNULL
        )
        with np.load(out) as arrays:
            landmarks: NDArray[np.float32] = arrays["landmarks"]
    missing = [p.name for p, points in zip(pictures, landmarks, strict=True) if not np.isfinite(points).all()]
    if missing:
        raise InputError(
            "no face found", got=", ".join(missing[:5]), hint="leave these clips out of index.csv"
        )
    return landmarks


def _ensure_environment(environment: Path) -> Path:
    python = environment.resolve() / "bin" / "python"
    probe = [str(python), "-c", "import mediapipe"]
    if not python.exists() or subprocess.run(probe, capture_output=True, check=False).returncode:
        subprocess.run([sys.executable, "-m", "venv", environment], check=True)
        subprocess.run([python, "-m", "pip", "install", "--quiet", *REQUIREMENTS], check=True)
    return python
