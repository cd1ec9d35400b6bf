"""Every rewrite computes what was there before, and changes what it says."""

from collections import Counter

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from voxtoon.errors import InputError
from voxtoon_quantize.rewrites import REWRITES, rewrite

TOLERANCES = {np.float32: 1e-5, np.float64: 1e-12}
PRECISIONS = pytest.mark.parametrize("dtype", [np.float32, np.float64])


def operators(model):
    return Counter(node.op_type for node in model.graph.node)


def assert_same(compute, model, rewritten, x):
    before, after = compute(model, x), compute(rewritten, x)
    scale = np.abs(before).max()
    assert scale > 0.1
    assert after.shape == before.shape
    assert np.abs(after - before).max() <= TOLERANCES[x.dtype.type] * scale


def values(seed, *shape):
    return np.random.default_rng(seed).normal(size=shape)


def norm_tensors(seed, channels, *, signs="mixed"):
    scale = np.abs(values(seed, channels)) + 0.1
    if signs == "mixed":
        scale[::2] *= -1
    return {
        "bn.weight": scale,
        "bn.bias": values(seed + 1, channels),
        "bn.running_mean": values(seed + 2, channels),
        "bn.running_var": np.abs(values(seed + 3, channels)) + 0.5,
    }


NORM = ["bn.weight", "bn.bias", "bn.running_mean", "bn.running_var"]


def norm_then_convolution(make_model, *, channels=3, pads=(0, 0, 0, 0), signs="mixed", between=(), dtype):
    nodes = [("Relu", ["x"], "r", {}), ("BatchNormalization", ["r", *NORM], "n", {"epsilon": 1e-5})]
    source = "n"
    for number, (op, attributes) in enumerate(between):
        nodes.append((op, [source], f"b{number}", attributes))
        source = f"b{number}"
    nodes.append(("Conv", [source, "conv.weight", "conv.bias"], "y", {"pads": list(pads)}))
    tensors = norm_tensors(1, channels, signs=signs)
    tensors |= {"conv.weight": values(8, 4, channels, 3, 2), "conv.bias": values(9, 4)}
    return make_model(nodes, tensors, [1, channels, "t", 7], dtype)


class TestFoldBatchNorm:
    """``fold_batch_norm``."""

    @PRECISIONS
    def test_is_exact_without_padding_negative_scales_included(self, make_model, compute, dtype):
        model = norm_then_convolution(make_model, dtype=dtype)
        rewritten, changed = rewrite(model, ["fold_batch_norm"])

        assert changed == {"fold_batch_norm": ["conv"]}
        assert operators(rewritten) == {"Relu": 1, "Conv": 1}
        assert_same(compute, model, rewritten, values(0, 1, 3, 9, 7).astype(dtype))

    @PRECISIONS
    def test_under_zero_padding_keeps_a_shift_and_stays_exact_at_the_edges(self, make_model, compute, dtype):
        model = norm_then_convolution(make_model, pads=(1, 2, 0, 1), dtype=dtype)
        rewritten, changed = rewrite(model, ["fold_batch_norm"])

        assert changed == {"fold_batch_norm": ["conv"]}
        assert operators(rewritten) == {"Relu": 1, "Add": 1, "Conv": 1}
        assert_same(compute, model, rewritten, values(0, 1, 3, 9, 7).astype(dtype))

    def test_a_scale_of_zero_is_no_shift_under_zero_padding(self, make_model):
        model = norm_then_convolution(make_model, pads=(1, 1, 1, 1), dtype=np.float32)
        scales = np.array([0.0, 1.0, -1.0], np.float32)
        next(item for item in model.graph.initializer if item.name == "bn.weight").raw_data = scales.tobytes()

        assert rewrite(model, ["fold_batch_norm"])[1] == {"fold_batch_norm": []}

    @PRECISIONS
    def test_passes_a_max_pool_where_no_scale_is_negative(self, make_model, compute, dtype):
        pool = ("MaxPool", {"kernel_shape": [2, 1], "strides": [2, 1]})
        model = norm_then_convolution(make_model, signs="positive", between=[pool], dtype=dtype)
        rewritten, changed = rewrite(model, ["fold_batch_norm"])

        assert changed == {"fold_batch_norm": ["conv"]}
        assert_same(compute, model, rewritten, values(0, 1, 3, 12, 7).astype(dtype))

    def test_stays_before_a_max_pool_where_a_scale_is_negative(self, make_model):
        pool = ("MaxPool", {"kernel_shape": [2, 1], "strides": [2, 1]})
        model = norm_then_convolution(make_model, between=[pool], dtype=np.float32)

        assert rewrite(model, ["fold_batch_norm"])[1] == {"fold_batch_norm": []}

    @PRECISIONS
    def test_passes_a_flattening_channel_by_channel(self, make_model, compute, dtype):
        nodes = [
            ("BatchNormalization", ["x", *NORM], "n", {}),
            ("Flatten", ["n"], "f", {}),
            ("Gemm", ["f", "fc.weight", "fc.bias"], "y", {"transB": 1}),
        ]
        tensors = norm_tensors(1, 3) | {"fc.weight": values(4, 5, 12), "fc.bias": values(5, 5)}
        model = make_model(nodes, tensors, [1, 3, 2, 2], dtype, rank=2)
        rewritten, changed = rewrite(model, ["fold_batch_norm"])

        assert changed == {"fold_batch_norm": ["fc"]}
        assert_same(compute, model, rewritten, values(0, 1, 3, 2, 2).astype(dtype))

    def test_is_not_folded_into_a_map_made_of_the_normalised_vector(self, make_model):
        nodes = [
            ("BatchNormalization", ["x", *NORM], "n", {}),
            ("Reshape", ["n", "shape"], "m", {}),
            ("Conv", ["m", "conv.weight"], "y", {}),
        ]
        tensors = norm_tensors(1, 12) | {
            "shape": np.array([1, 3, 2, 2]),
            "conv.weight": values(4, 5, 3, 1, 1),
        }

        assert rewrite(make_model(nodes, tensors, [1, 12]), ["fold_batch_norm"])[1] == {"fold_batch_norm": []}

    def test_is_not_folded_where_another_reads_the_normalised_map(self, make_model):
        nodes = [
            ("BatchNormalization", ["x", *NORM], "n", {}),
            ("Conv", ["n", "conv.weight"], "c", {}),
            ("Conv", ["n", "conv.weight"], "d", {}),
            ("Add", ["c", "d"], "y", {}),
        ]
        tensors = norm_tensors(1, 3) | {"conv.weight": values(4, 5, 3, 1, 1)}

        found = rewrite(make_model(nodes, tensors, [1, 3, 4, 4]), ["fold_batch_norm"])
        assert found[1] == {"fold_batch_norm": []}


def mean_model(make_model, *, kernel, stride, dtype=np.float32, pads=(0, 0, 0, 0), keepdims=1):
    nodes = [
        ("Conv", ["x", "conv.weight", "conv.bias"], "c", {"strides": [stride, 1], "pads": list(pads)}),
        ("ReduceMean", ["c", "axes"], "y", {"keepdims": keepdims}),
    ]
    tensors = {"conv.weight": values(1, 4, 3, kernel, 2), "conv.bias": values(2, 4), "axes": np.array([2])}
    return make_model(nodes, tensors, [1, 3, "t", 5], dtype, rank=3 + keepdims)


class TestMeanBeforeConvolution:
    """``mean_before_convolution``."""

    @PRECISIONS
    def test_is_exact_for_any_length_with_one_file(self, make_model, compute, dtype):
        model = mean_model(make_model, kernel=4, stride=2, dtype=dtype)
        rewritten, changed = rewrite(model, ["mean_before_convolution"])

        assert changed == {"mean_before_convolution": ["conv"]}
        for length in (4, 5, 6, 7, 20, 31):
            assert_same(compute, model, rewritten, values(length, 1, 3, length, 5).astype(dtype))

    @settings(max_examples=25, deadline=None)
    @given(kernel=st.integers(1, 5), stride=st.integers(1, 4), more=st.integers(0, 12))
    def test_is_exact_for_every_kernel_and_stride(self, make_model, compute, kernel, stride, more):
        model = mean_model(make_model, kernel=kernel, stride=stride)
        x = values(more, 1, 3, kernel + more, 5).astype(np.float32)

        assert_same(compute, model, rewrite(model, ["mean_before_convolution"])[0], x)

    @pytest.mark.parametrize("wrong", [{"pads": (1, 0, 1, 0)}, {"keepdims": 0}])
    def test_leaves_alone_what_would_not_be_the_same(self, make_model, wrong):
        model = mean_model(make_model, kernel=3, stride=1, **wrong)

        assert rewrite(model, ["mean_before_convolution"])[1] == {"mean_before_convolution": []}


def transposed(make_model, *, kernel, stride, pad, extra, relu=False, dtype=np.float32, size=(3, 4)):
    attributes = {"strides": [stride] * 2, "pads": [pad] * 4, "output_padding": [extra] * 2}
    nodes = [("ConvTranspose", ["x", "up.weight", "up.bias"], "c" if relu else "y", attributes)]
    nodes += [("Relu", ["c"], "y", {})] if relu else []
    tensors = {"up.weight": values(1, 3, 2, kernel, kernel), "up.bias": values(2, 2)}
    return make_model(nodes, tensors, [1, 3, *size], dtype)


class TestTransposedAsConvolution:
    """``transposed_as_convolution``."""

    @PRECISIONS
    @pytest.mark.parametrize("shape", [(4, 2, 1, 0), (5, 2, 2, 1)], ids=["k4 s2", "k5 s2"])
    def test_is_exact_on_the_decoders_kernels(self, make_model, compute, shape, dtype):
        kernel, stride, pad, extra = shape
        model = transposed(
            make_model, kernel=kernel, stride=stride, pad=pad, extra=extra, relu=True, dtype=dtype
        )
        rewritten, changed = rewrite(model, ["transposed_as_convolution"])

        assert changed == {"transposed_as_convolution": ["up"]}
        assert "ConvTranspose" not in operators(rewritten)
        assert [node.op_type for node in rewritten.graph.node][:3] == ["Conv", "Relu", "DepthToSpace"]
        assert_same(compute, model, rewritten, values(0, 1, 3, 3, 4).astype(dtype))

    @settings(max_examples=40, deadline=None)
    @given(data=st.data(), kernel=st.integers(1, 6), stride=st.integers(2, 3), relu=st.booleans())
    def test_is_exact_for_every_kernel_stride_and_padding(
        self, make_model, compute, data, kernel, stride, relu
    ):
        pad = data.draw(st.integers(0, kernel - 1))
        extra = data.draw(st.integers(0, stride - 1))
        height, width = data.draw(st.tuples(st.integers(1, 5), st.integers(1, 5)))
        if any((size - 1) * stride + kernel - 2 * pad + extra < 1 for size in (height, width)):
            return
        model = transposed(
            make_model, kernel=kernel, stride=stride, pad=pad, extra=extra, relu=relu, size=(height, width)
        )
        rewritten, _ = rewrite(model, ["transposed_as_convolution"])
        x = values(0, 1, 3, height, width).astype(np.float32)

        before, after = compute(model, x), compute(rewritten, x)
        assert after.shape == before.shape
        np.testing.assert_allclose(after, before, rtol=0, atol=1e-5 * max(1.0, np.abs(before).max()))

    def test_stride_one_is_left_alone(self, make_model):
        model = transposed(make_model, kernel=3, stride=1, pad=1, extra=0)

        assert rewrite(model, ["transposed_as_convolution"])[1] == {"transposed_as_convolution": []}


def test_the_model_given_is_not_changed(make_model):
    model = norm_then_convolution(make_model, dtype=np.float32)
    before = model.SerializeToString(deterministic=True)
    rewrite(model)

    assert model.SerializeToString(deterministic=True) == before


def test_an_unknown_rewrite_is_refused_with_those_there_are(make_model):
    with pytest.raises(InputError, match="unknown rewrite: got 'fold'.*" + ", ".join(REWRITES)):
        rewrite(norm_then_convolution(make_model, dtype=np.float32), ["fold"])
