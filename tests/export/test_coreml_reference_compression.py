"""Compressed weights and integers: worked examples of each kind, then networks compressed by coremltools."""

from pathlib import Path

import numpy as np
import pytest
import torch
from torch import nn

from tests.export.coreml_programs import FP16, FP32, computed, ct, mb, normal, nothing_to_collect, types
from voxtoon_export.converter_noise import silenced
from voxtoon_export.coreml_reference import load

IOS17, IOS18 = ct.target.iOS17, ct.target.iOS18
X = normal(2, 3)


def weight_of(build, *, target=IOS17):
    """What a compressed weight is unpacked to: a linear layer without bias applied to the identity."""
    found = computed(lambda x: mb.linear(x=x, weight=build()), target=target, x=np.eye(4, dtype=np.float32))
    return found.T


def numbers(values, dtype):
    """An array of one of the types that NumPy has not."""
    return np.array(values).astype(types.nptype_from_builtin(dtype))


def test_affine_with_a_number_for_each_element_of_an_axis():
    data, scale, zero = np.int8([[1, 2, 3, 4], [-128, 127, 0, 1]]), np.float32([0.5, 2]), np.int8([1, -1])
    found = weight_of(
        lambda: mb.constexpr_affine_dequantize(quantized_data=data, scale=scale, zero_point=zero, axis=0)
    )
    # Differences of int8 do not fit in int8: -128 + 1 does, 127 + 1 does not.
    np.testing.assert_array_equal(found, [[0, 0.5, 1, 1.5], [-254, 256, 2, 4]])


def test_affine_with_one_number_for_all():
    data = np.uint8([[0, 128, 255, 1]])
    found = weight_of(
        lambda: mb.constexpr_affine_dequantize(
            quantized_data=data, scale=np.float32(0.25), zero_point=np.uint8(128), axis=0
        )
    )
    np.testing.assert_array_equal(found, [[-32, 0, 31.75, -31.75]])


def test_packed_indices_start_at_the_lowest_bits():
    # Two bits each: 3, 0, 2, 1 in one byte, the first lowest; then 1, 1, 0, 3.
    packed = np.uint8([0b01_10_00_11, 0b11_00_01_01])
    palette = np.float32([10, 20, 30, 40])
    found = weight_of(lambda: mb.constexpr_lut_to_dense(indices=packed, lut=palette, shape=np.uint32([2, 4])))
    np.testing.assert_array_equal(found, [[40, 10, 30, 20], [20, 20, 10, 40]])


def test_packed_indices_run_on_over_the_ends_of_bytes():
    palette = np.arange(64, dtype=np.float32)
    indices = np.array([[1, 33, 62, 7]])
    bits = ((indices.ravel()[:, None] >> np.arange(6)) & 1).astype(np.uint8).ravel()
    packed = np.packbits(bits, bitorder="little")
    found = weight_of(lambda: mb.constexpr_lut_to_dense(indices=packed, lut=palette, shape=np.uint32([1, 4])))
    np.testing.assert_array_equal(found, indices)


def test_a_packed_mask_says_where_the_values_are():
    found = weight_of(
        lambda: mb.constexpr_sparse_to_dense(
            nonzero_data=np.float32([5, 6, 7]), mask=np.uint8([0b0010_1001]), shape=np.uint32([2, 4])
        )
    )
    np.testing.assert_array_equal(found, [[5, 0, 0, 6], [0, 7, 0, 0]])


def test_float16_written_and_float32_meant():
    found = weight_of(
        lambda: mb.constexpr_cast(source_val=np.float16([[1 / 3, 1, 2, 3]]), output_dtype="fp32")
    )
    assert found.dtype == np.float32
    np.testing.assert_array_equal(found, np.float16([[1 / 3, 1, 2, 3]]))


def test_block_by_block_with_and_without_offset():
    data = numbers([[1, 2, 3, 4], [5, 6, 7, -8]], types.int4)
    scale = np.float32([[0.5, 2], [1, 10]])
    found = weight_of(lambda: mb.constexpr_blockwise_shift_scale(data=data, scale=scale), target=IOS18)
    np.testing.assert_array_equal(found, [[0.5, 1, 6, 8], [5, 6, 70, -80]])
    offset = numbers([[1, 0], [0, -1]], types.int4)
    found = weight_of(
        lambda: mb.constexpr_blockwise_shift_scale(data=data, scale=scale, offset=offset), target=IOS18
    )
    np.testing.assert_array_equal(found, [[0, 0.5, 6, 8], [5, 6, 80, -70]])


def test_a_palette_for_each_block_of_rows():
    indices = numbers([[2, 3, 3, 0], [1, 0, 3, 0]], types.uint2)
    palettes = np.float32([[1, 5, 9, 13], [2, 10, 18, 26]]).reshape(2, 1, 4, 1)
    found = weight_of(lambda: mb.constexpr_lut_to_dense(indices=indices, lut=palettes), target=IOS18)
    np.testing.assert_array_equal(found, [[9, 13, 13, 1], [10, 2, 26, 2]])


@pytest.mark.parametrize(
    ("axis", "wanted"),
    [
        (0, [[1, 4, 1, 1], [2, 5, 2, 2], [3, 6, 3, 3]]),
        (1, [[1, 2, 3, 4, 5, 6, 1, 2, 3, 1, 2, 3]]),
    ],
)
def test_a_palette_of_vectors_fills_an_axis(axis, wanted):
    indices = numbers([[0, 1, 0, 0]], types.uint1)
    palette = np.float32([[1, 2, 3], [4, 5, 6]]).reshape(1, 1, 2, 3)
    wide = np.eye(np.shape(wanted)[1], dtype=np.float32)
    found = computed(
        lambda x: mb.linear(
            x=x, weight=mb.constexpr_lut_to_dense(indices=indices, lut=palette, vector_axis=axis)
        ),
        target=IOS18,
        x=wide,
    )
    np.testing.assert_array_equal(found.T, wanted)


def test_sparse_values_are_shifted_and_scaled_by_their_place():
    mask = numbers([[1, 1, 0, 0], [0, 1, 1, 0]], types.uint1)

    def weight():
        kept, values = mb.constexpr_sparse_blockwise_shift_scale(
            data_mask=mask,
            nonzero_data=np.int8([10, 11, 3, 4]),
            scale=np.float32([[1, 2, 3, 4]]),
            offset=np.int8([[1, 2, 3, 4]]),
        )
        return mb.constexpr_sparse_to_dense(nonzero_data=values, mask=kept)

    np.testing.assert_array_equal(weight_of(weight, target=IOS18), [[9, 18, 0, 0], [0, 2, 3, 0]])


def test_sparse_indices_are_looked_up():
    mask = numbers([[1, 1, 0, 0], [0, 1, 0, 1]], types.uint1)

    def weight():
        kept, values = mb.constexpr_lut_to_sparse(
            indices_mask=mask,
            indices_nonzero_data=numbers([0, 1, 1, 0], types.uint1),
            lut=np.float32([2, 3]).reshape(1, 1, 2, 1),
        )
        return mb.constexpr_sparse_to_dense(nonzero_data=values, mask=kept)

    np.testing.assert_array_equal(weight_of(weight, target=IOS18), [[2, 3, 0, 0], [0, 3, 0, 2]])


@pytest.mark.parametrize("dtype", ["int8", "uint8"])
def test_numbers_are_quantised_on_the_way_as_in_torch(dtype):
    x, scale, zero = 40 * normal(2, 3, 50), np.float32([0.1, 0.5, 1]), np.array([3, 100, 0], dtype)
    found = computed(
        lambda x: mb.dequantize(
            input=mb.quantize(input=x, scale=scale, zero_point=zero, axis=1, output_dtype=dtype),
            scale=scale,
            zero_point=zero,
            axis=1,
        ),
        x=x,
    )
    limits = np.iinfo(dtype)
    wanted = torch.fake_quantize_per_channel_affine(
        torch.from_numpy(x),
        torch.from_numpy(scale),
        torch.from_numpy(zero.astype(np.int32)),
        1,
        limits.min,
        limits.max,
    )
    np.testing.assert_allclose(found, wanted.numpy(), rtol=1e-6)


OPTIMISE = ct.optimize.coreml
KINDS = {
    "affine, per channel": (
        IOS17,
        OPTIMISE.OpLinearQuantizerConfig(mode="linear", dtype="int8", weight_threshold=0),
        OPTIMISE.linear_quantize_weights,
    ),
    "affine, one scale": (
        IOS17,
        OPTIMISE.OpLinearQuantizerConfig(
            mode="linear_symmetric", dtype="uint8", granularity="per_tensor", weight_threshold=0
        ),
        OPTIMISE.linear_quantize_weights,
    ),
    "palette of 4 bits": (
        IOS17,
        OPTIMISE.OpPalettizerConfig(mode="uniform", nbits=4, weight_threshold=0),
        OPTIMISE.palettize_weights,
    ),
    "palette of 6 bits": (
        IOS17,
        OPTIMISE.OpPalettizerConfig(mode="uniform", nbits=6, weight_threshold=0),
        OPTIMISE.palettize_weights,
    ),
    "pruned": (
        IOS17,
        OPTIMISE.OpMagnitudePrunerConfig(target_sparsity=0.3, weight_threshold=0),
        OPTIMISE.prune_weights,
    ),
    "blocks of 4 bits": (
        IOS18,
        OPTIMISE.OpLinearQuantizerConfig(
            mode="linear_symmetric", dtype="int4", granularity="per_block", block_size=4, weight_threshold=0
        ),
        OPTIMISE.linear_quantize_weights,
    ),
    "palettes per group": (
        IOS18,
        OPTIMISE.OpPalettizerConfig(
            mode="uniform", nbits=3, granularity="per_grouped_channel", group_size=4, weight_threshold=0
        ),
        OPTIMISE.palettize_weights,
    ),
}


@pytest.mark.parametrize("precision", [FP32, FP16], ids=["fp32", "fp16"])
@pytest.mark.parametrize("kind", KINDS)
def test_a_network_compressed_by_coremltools_is_the_one_with_its_weights_written_out(
    kind, precision, tmp_path
):
    target, config, compress = KINDS[kind]
    torch.manual_seed(0)
    network = nn.Sequential(nn.Conv2d(8, 16, 3), nn.ReLU(), nn.Flatten(), nn.Linear(256, 12)).eval()
    x = torch.from_numpy(normal(1, 8, 6, 6))
    with silenced(), nothing_to_collect():
        model = ct.convert(
            torch.jit.trace(network, x),
            inputs=[ct.TensorType(name="x", shape=x.shape, dtype=np.float32)],
            outputs=[ct.TensorType(name="y", dtype=np.float32)],
            minimum_deployment_target=target,
            compute_precision=precision,
            skip_model_load=True,
        )
        small = compress(model, OPTIMISE.OptimizationConfig(global_config=config))
        small.save(str(tmp_path / "small.mlpackage"))
        OPTIMISE.decompress_weights(small).save(str(tmp_path / "large.mlpackage"))
    assert size_of(tmp_path / "small.mlpackage") < size_of(tmp_path / "large.mlpackage")
    outputs = [
        load(tmp_path / name).predict({"x": x.numpy()})["y"]
        for name in ("small.mlpackage", "large.mlpackage")
    ]
    # coremltools writes the weights out in float16 arithmetic, where they are float16.
    np.testing.assert_allclose(outputs[0], outputs[1], rtol=1e-6 if precision is FP32 else 5e-3, atol=5e-4)
    original = network(x).detach().numpy()
    assert not np.allclose(outputs[0], original, rtol=1e-5, atol=1e-6)
    assert np.corrcoef(outputs[0].ravel(), original.ravel())[0, 1] > 0.9


def size_of(package: Path) -> int:
    return sum(path.stat().st_size for path in package.rglob("*") if path.is_file())
