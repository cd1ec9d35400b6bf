import numpy as np

from recipes.registration import register
from voxtoon.warp import warp


def smooth_picture():
    y, x = np.mgrid[0:224, 0:224]
    waves = [np.sin(x / 17), np.cos(y / 23), np.sin((x + y) / 31)]
    return np.stack([127 + 100 * wave for wave in waves], axis=-1).astype(np.uint8)


def shapes():
    mean = np.stack(np.meshgrid(np.linspace(60, 160, 17), np.linspace(60, 180, 4)), axis=-1).reshape(68, 2)
    landmarks = mean + 4.0 * np.sin(mean / 30.0)
    return mean.astype(np.float32), landmarks.astype(np.float32)


def test_a_face_of_the_mean_shape_stays_as_it_is():
    mean, _ = shapes()
    picture = smooth_picture()
    assert np.array_equal(register(picture[None], mean[None], mean)[0], picture)


def test_the_runtimes_warp_undoes_it():
    mean, landmarks = shapes()
    picture = smooth_picture()
    texture = register(picture[None], landmarks[None], mean)[0]
    back = warp(texture.astype(np.float32), landmarks, mean)
    assert np.abs(back - picture).mean() < 0.2 * np.abs(texture.astype(int) - picture).mean()
