"""A face for tests that need one whose parts are where they belong."""

import numpy as np


def upright_face():
    """68 points in iBUG order, each feature where it belongs."""

    def arc(x0, x1, y, bend, count):
        t = np.linspace(0, 1, count)
        return np.column_stack([x0 + t * (x1 - x0), y + bend * 4 * t * (1 - t)])

    angle = np.linspace(0, np.pi, 17)
    jaw = np.column_stack([112 - 60 * np.cos(angle), 95 + 105 * np.sin(angle)])
    brows = [arc(62, 100, 84, -5, 5), arc(124, 162, 84, -5, 5)]
    nose = [np.column_stack([np.full(4, 112.0), np.linspace(98, 130, 4)]), arc(97, 127, 137, 4, 5)]
    eye = np.array([[-13, 0], [-5, -5], [5, -5], [13, 0], [5, 4], [-5, 4]])
    eyes = [eye + np.array([84, 102]), eye + np.array([140, 102])]
    mouth = [arc(91, 133, 162, -7, 7), arc(133, 91, 162, 8, 7)[1:-1]]
    inner = [arc(94, 130, 162, -1, 5), arc(130, 94, 162, 1, 5)[1:-1]]
    return np.concatenate([jaw, *brows, *nose, *eyes, *mouth, *inner])
