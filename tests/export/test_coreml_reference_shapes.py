"""Reductions, rearrangements, slices and resizing of the evaluator against torch's."""

import numpy as np
import pytest
import torch
from torch.nn import functional

from tests.export.coreml_programs import computed, ct, mb, normal
from voxtoon.errors import CheckError

X = normal(2, 8, 6, 4)
T = torch.from_numpy(X)

REDUCTIONS = {
    "reduce_l1_norm": lambda x, axes, keep: x.abs().sum(axes, keep),
    "reduce_l2_norm": lambda x, axes, keep: torch.linalg.vector_norm(x, 2, axes, keep),
    "reduce_log_sum_exp": torch.logsumexp,
    "reduce_max": torch.amax,
    "reduce_mean": torch.mean,
    "reduce_min": torch.amin,
    "reduce_sum": torch.sum,
    "reduce_sum_square": lambda x, axes, keep: x.square().sum(axes, keep),
}


@pytest.mark.parametrize("keep", [False, True])
@pytest.mark.parametrize("axes", [[2], [-1, 1], [0, 1, 2, 3]])
@pytest.mark.parametrize("name", REDUCTIONS)
def test_a_reduction_is_torchs(name, axes, keep):
    found = computed(lambda x: getattr(mb, name)(x=x, axes=axes, keep_dims=keep), x=X)
    np.testing.assert_allclose(found, REDUCTIONS[name](T, axes, keep).numpy(), 1e-5, 1e-5)


def test_without_axes_all_are_reduced():
    found = computed(lambda x: mb.reduce_mean(x=x, keep_dims=True), x=X)
    np.testing.assert_allclose(found, T.mean((0, 1, 2, 3), keepdim=True).numpy(), 1e-5, 1e-7)


def test_products_and_logarithms_of_sums_are_torchs():
    x = np.abs(normal(3, 4))
    product = computed(lambda x: mb.reduce_prod(x=x, axes=[1], keep_dims=False), x=x)
    np.testing.assert_allclose(product, torch.from_numpy(x).prod(1).numpy(), 1e-5)
    logarithm = computed(lambda x: mb.reduce_log_sum(x=x, axes=[0], keep_dims=False), x=x)
    np.testing.assert_allclose(logarithm, torch.from_numpy(x).sum(0).log().numpy(), 1e-5, 1e-6)


@pytest.mark.parametrize("keep", [False, True])
@pytest.mark.parametrize(
    ("build", "wanted"), [(mb.reduce_argmax, torch.argmax), (mb.reduce_argmin, torch.argmin)]
)
def test_the_place_of_an_extreme_is_torchs(build, wanted, keep):
    found = computed(lambda x: build(x=x, axis=1, keep_dims=keep), x=X)
    assert found.dtype == np.int32
    np.testing.assert_array_equal(found, wanted(T, 1, keep).numpy())


REARRANGEMENTS = {
    "concat": (lambda x: mb.concat(values=[x, x], axis=-2), torch.cat([T, T], -2)),
    "concat, taking turns": (
        lambda x: mb.concat(values=[x, mb.mul(x=x, y=2.0)], axis=1, interleave=True),
        torch.stack([T, 2 * T], 2).reshape(2, 16, 6, 4),
    ),
    "expand_dims": (lambda x: mb.expand_dims(x=x, axes=[0]), T[None]),
    "flatten2d": (lambda x: mb.flatten2d(x=x, axis=2), T.flatten(2).flatten(0, 1)),
    "pixel_shuffle": (lambda x: mb.pixel_shuffle(x=x, upscale_factor=2), functional.pixel_shuffle(T, 2)),
    "pixel_unshuffle": (
        lambda x: mb.pixel_unshuffle(x=x, downscale_factor=np.uint32(2)),
        functional.pixel_unshuffle(T, 2),
    ),
    "reshape": (lambda x: mb.reshape(x=x, shape=[4, -1, 6]), T.reshape(4, -1, 6)),
    "reshape, keeping": (lambda x: mb.reshape(x=x, shape=[0, -1, 3, 0]), T.reshape(2, -1, 3, 4)),
    "reverse": (lambda x: mb.reverse(x=x, axes=[1, 3]), T.flip(1, 3)),
    "split, even": (lambda x: mb.split(x=x, num_splits=2, axis=1)[1], T.split(4, 1)[1]),
    "split, by sizes": (lambda x: mb.split(x=x, split_sizes=[1, 5], axis=2)[1], T.split([1, 5], 2)[1]),
    "squeeze": (
        lambda x: mb.squeeze(x=mb.reshape(x=x, shape=[1, 16, 1, 6, 4]), axes=[2]),
        T.reshape(1, 16, 6, 4),
    ),
    "stack": (lambda x: mb.stack(values=[x, x], axis=1), torch.stack([T, T], 1)),
    "tile": (lambda x: mb.tile(x=x, reps=[1, 2, 1, 3]), T.tile(1, 2, 1, 3)),
    "transpose": (lambda x: mb.transpose(x=x, perm=[0, -1, 1, 2]), T.permute(0, 3, 1, 2)),
}


@pytest.mark.parametrize("name", REARRANGEMENTS)
def test_a_rearrangement_is_torchs(name):
    build, wanted = REARRANGEMENTS[name]
    np.testing.assert_array_equal(computed(build, x=X), wanted.numpy())


def test_depth_to_space_moves_whole_pixels_where_a_pixel_shuffle_moves_channels():
    x = np.arange(8, dtype=np.float32).reshape(1, 8, 1, 1)
    found = computed(lambda x: mb.depth_to_space(x=x, block_size=2), x=x)
    np.testing.assert_array_equal(found, [[[[0, 2], [4, 6]], [[1, 3], [5, 7]]]])
    back = computed(lambda x: mb.space_to_depth(x=mb.depth_to_space(x=x, block_size=2), block_size=2), x=X)
    np.testing.assert_array_equal(back, X)


def test_shapes_are_numbers_to_compute_with():
    found = computed(
        lambda x: mb.reshape(x=x, shape=mb.slice_by_index(x=mb.shape(x=x), begin=[2], end=[4])),
        x=normal(6, 4)[None, None],
    )
    assert found.shape == (6, 4)


def test_fill_makes_a_constant_of_a_shape():
    found = computed(lambda x: mb.add(x=x, y=mb.fill(shape=mb.shape(x=x), value=2.5)), x=X)
    np.testing.assert_array_equal(found, X + np.float32(2.5))


SLICES = {
    "begin and end": ({"begin": [0, 1, 2, 0], "end": [2, 5, 6, 3]}, T[0:2, 1:5, 2:6, 0:3]),
    "strides": ({"begin": [0, 0, 1, 0], "end": [2, 8, 6, 4], "stride": [1, 3, 2, 1]}, T[:, ::3, 1:6:2]),
    "from the end": ({"begin": [0, -3, 0, -2], "end": [2, -1, 6, 4]}, T[:, -3:-1, :, -2:]),
    "masks": (
        {
            "begin": [1, 3, 1, 1],
            "end": [1, 3, 1, 1],
            "begin_mask": [True, False, True, False],
            "end_mask": [True, True, True, True],
        },
        T[:, 3:, :, 1:],
    ),
    "backwards": (
        {
            "begin": [0, 0, 0, 0],
            "end": [0, 0, 0, 0],
            "stride": [1, -1, 1, 1],
            "begin_mask": [True] * 4,
            "end_mask": [True] * 4,
        },
        T.flip(1),
    ),
    "one element": (
        {
            "begin": [0, 2, 0, -1],
            "end": [2, 0, 6, 0],
            "squeeze_mask": [False, True, False, True],
        },
        T[:, 2, :, -1],
    ),
}


@pytest.mark.parametrize("name", SLICES)
def test_a_slice_is_torchs(name):
    options, wanted = SLICES[name]
    found = computed(lambda x: mb.slice_by_index(x=x, **options), x=X)
    np.testing.assert_array_equal(found, wanted.numpy())


@pytest.mark.parametrize("sizes", [[2, 3, -1, 2], [-1, 7, 6, 1]])
def test_a_slice_by_size_is_torchs(sizes):
    found = computed(lambda x: mb.slice_by_size(x=x, begin=[0, 1, 0, 2], size=sizes), x=X)
    ends = [size if size > 0 else None for size in sizes]
    wanted = T[: ends[0], 1 : 1 + sizes[1], :, 2 : 2 + sizes[3]]
    np.testing.assert_array_equal(found, wanted.numpy())


def test_a_slice_replaced_leaves_the_rest():
    update = normal(2, 8, 2, 2, seed=1)
    found = computed(
        lambda x, update: mb.slice_update(
            x=x, update=update, begin=[0, 0, 1, 0], end=[2, 8, 5, 4], stride=[1, 1, 2, 2]
        ),
        target=ct.target.iOS18,
        x=X,
        update=update,
    )
    wanted = T.clone()
    wanted[:, :, 1:5:2, 0:4:2] = torch.from_numpy(update)
    np.testing.assert_array_equal(found, wanted.numpy())


def test_a_crop_takes_off_each_side_its_own():
    found = computed(lambda x: mb.crop(x=x, crop_height=[2, 1], crop_width=[0, 3]), x=X)
    np.testing.assert_array_equal(found, X[:, :, 2:-1, :1])


@pytest.mark.parametrize("mode", ["constant", "reflect", "replicate"])
def test_padding_is_torchs(mode):
    found = computed(lambda x: mb.pad(x=x, pad=[1, 2, 3, 0], mode=mode, constant_val=0.5), x=X)
    wanted = functional.pad(T, (3, 0, 1, 2), mode=mode, **({"value": 0.5} if mode == "constant" else {}))
    np.testing.assert_array_equal(found, wanted.numpy())


def test_reflecting_more_than_there_is_is_refused():
    with pytest.raises(CheckError, match="more reflect padding"):
        computed(lambda x: mb.pad(x=x, pad=[0, 0, 4, 0], mode="reflect"), x=X)


def test_gathering_is_torchs():
    places = np.int32([3, 0, 3, 7])
    found = computed(lambda x: mb.gather(x=x, indices=places, axis=1), x=X)
    np.testing.assert_array_equal(found, T[:, places.astype(int)].numpy())


@pytest.mark.parametrize("factor", [2, 3])
def test_nearest_upsampling_is_torchs(factor):
    found = computed(
        lambda x: mb.upsample_nearest_neighbor(
            x=x, scale_factor_height=factor, scale_factor_width=2 * factor
        ),
        x=X,
    )
    wanted = functional.interpolate(T, scale_factor=(factor, 2 * factor), mode="nearest")
    np.testing.assert_array_equal(found, wanted.numpy())


@pytest.mark.parametrize("corners", [False, True])
def test_bilinear_upsampling_is_torchs(corners):
    found = computed(
        lambda x: mb.upsample_bilinear(
            x=x, scale_factor_height=2, scale_factor_width=3, align_corners=corners
        ),
        x=X,
    )
    wanted = functional.interpolate(T, size=(12, 12), mode="bilinear", align_corners=corners)
    np.testing.assert_allclose(found, wanted.numpy(), 1e-5, 1e-6)


@pytest.mark.parametrize(
    ("mode", "corners"), [("STRICT_ALIGN_CORNERS", True), ("ALIGN_CORNERS", True), ("UNALIGN_CORNERS", False)]
)
@pytest.mark.parametrize("size", [(3, 9), (13, 4)])
def test_bilinear_resizing_is_torchs(mode, corners, size):
    found = computed(
        lambda x: mb.resize_bilinear(
            x=x, target_size_height=size[0], target_size_width=size[1], sampling_mode=mode
        ),
        x=X,
    )
    wanted = functional.interpolate(T, size=size, mode="bilinear", align_corners=corners)
    np.testing.assert_allclose(found, wanted.numpy(), 1e-5, 1e-6)


def test_default_resizing_samples_from_the_left_edges():
    x = np.float32([[[[0, 1]]]])
    found = computed(lambda x: mb.resize_bilinear(x=x, target_size_height=1, target_size_width=5), x=x)
    np.testing.assert_allclose(found, [[[[0, 0.4, 0.8, 1, 1]]]], rtol=1e-6)


def test_nearest_resizing_is_torchs():
    found = computed(
        lambda x: mb.resize_nearest_neighbor(x=x, target_size_height=9, target_size_width=3), x=X
    )
    np.testing.assert_array_equal(found, functional.interpolate(T, size=(9, 3), mode="nearest").numpy())
