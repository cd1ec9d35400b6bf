"""Find 68 landmarks on pictures; runs alone in the landmark environment, see `recipes.landmarks`.

It imports nothing of voxtoon: the last MediaPipe with its models inside (0.10.21) needs numpy < 2.
Usage: `python landmark_worker.py OUT.npz PICTURE...`.
"""

import sys
from pathlib import Path

import numpy as np
import numpy.typing as npt

# The 68 iBUG points as vertices of MediaPipe's face mesh.
MESH_VERTICES = (
    *(162, 234, 93, 58, 172, 136, 149, 148, 152, 377, 378, 365, 397, 288, 323, 454, 389),  # jaw
    *(71, 63, 105, 66, 107, 336, 296, 334, 293, 301),  # brows
    *(168, 197, 5, 4, 64, 97, 2, 326, 294),  # nose
    *(33, 160, 158, 133, 153, 144, 362, 385, 387, 263, 373, 380),  # eyes
    *(61, 39, 37, 0, 267, 269, 291, 405, 314, 17, 84, 181),  # outer lips
    *(78, 82, 13, 312, 308, 317, 14, 87),  # inner lips
)


def find(pictures: list[Path]) -> npt.NDArray[np.float32]:
    """Return the landmarks of each picture in pixels, NaN where no face is found, `[n, 68, 2]`."""
    import mediapipe  # type: ignore[import-not-found]
    from PIL import Image

    found = np.full((len(pictures), len(MESH_VERTICES), 2), np.nan, np.float32)
    with mediapipe.solutions.face_mesh.FaceMesh(
        static_image_mode=True, max_num_faces=1, min_detection_confidence=0.2
    ) as mesh:
        for row, picture in enumerate(pictures):
            image = np.asarray(Image.open(picture).convert("RGB"))
            faces = mesh.process(image).multi_face_landmarks
            if faces:
                points = faces[0].landmark
                unit = np.array([(points[v].x, points[v].y) for v in MESH_VERTICES])
                # Mesh coordinates are fractions of the picture; a pixel's centre lies at its integer index.
                found[row] = unit * (image.shape[1], image.shape[0]) - 0.5
    return found


def main() -> None:
    """Write the landmarks of the pictures named on the command line."""
    out, *pictures = map(Path, sys.argv[1:])
    np.savez(out, landmarks=find(pictures))


if __name__ == "__main__":
    main()
