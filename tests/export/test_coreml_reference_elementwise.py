"""Activations, arithmetic and types of the evaluator against torch's."""

import numpy as np
import pytest
import torch
from torch.nn import functional

from tests.export.coreml_programs import computed, mb, normal

X = 3 * normal(2, 3, 4, 5)

ACTIVATIONS = {
    "clamped_relu": (
        lambda x: mb.clamped_relu(x=x, alpha=0.5, beta=1.5),
        lambda x: torch.where(x >= 0, x, 0.5 * x).clamp(max=1.5),
    ),
    "elu": (lambda x: mb.elu(x=x, alpha=0.7), lambda x: functional.elu(x, 0.7)),
    "gelu": (lambda x: mb.gelu(x=x), functional.gelu),
    "gelu, tanh": (
        lambda x: mb.gelu(x=x, mode="TANH_APPROXIMATION"),
        lambda x: functional.gelu(x, approximate="tanh"),
    ),
    "gelu, sigmoid": (
        lambda x: mb.gelu(x=x, mode="SIGMOID_APPROXIMATION"),
        lambda x: x * torch.sigmoid(1.702 * x),
    ),
    "leaky_relu": (lambda x: mb.leaky_relu(x=x, alpha=0.3), lambda x: functional.leaky_relu(x, 0.3)),
    "linear_activation": (lambda x: mb.linear_activation(x=x, alpha=2.0, beta=-1.0), lambda x: 2 * x - 1),
    "prelu": (
        lambda x: mb.prelu(x=x, alpha=np.float32([0.1, 0.2, 0.3])),
        lambda x: functional.prelu(x, torch.tensor([0.1, 0.2, 0.3])),
    ),
    "relu": (lambda x: mb.relu(x=x), functional.relu),
    "relu6": (lambda x: mb.relu6(x=x), functional.relu6),
    "scaled_tanh": (
        lambda x: mb.scaled_tanh(x=x, alpha=1.7, beta=0.6),
        lambda x: 1.7 * torch.tanh(0.6 * x),
    ),
    "sigmoid": (lambda x: mb.sigmoid(x=x), torch.sigmoid),
    "sigmoid_hard": (
        lambda x: mb.sigmoid_hard(x=x, alpha=1 / 6, beta=0.5),
        functional.hardsigmoid,
    ),
    "silu": (lambda x: mb.silu(x=x), functional.silu),
    "softplus": (lambda x: mb.softplus(x=x), functional.softplus),
    "softsign": (lambda x: mb.softsign(x=x), functional.softsign),
    "softmax": (lambda x: mb.softmax(x=x, axis=1), lambda x: functional.softmax(x, 1)),
    "softmax, last axis": (lambda x: mb.softmax(x=x), lambda x: functional.softmax(x, -1)),
    "tanh": (lambda x: mb.tanh(x=x), torch.tanh),
    "thresholded_relu": (
        lambda x: mb.thresholded_relu(x=x, alpha=0.5),
        lambda x: torch.where(x >= 0.5, x, 0),
    ),
}


@pytest.mark.parametrize("name", ACTIVATIONS)
def test_an_activation_is_torchs(name):
    build, wanted = ACTIVATIONS[name]
    np.testing.assert_allclose(computed(build, x=X), wanted(torch.from_numpy(X)).numpy(), 1e-5, 1e-6)


@pytest.mark.parametrize("name", ["sigmoid", "softplus", "tanh", "softmax"])
def test_large_numbers_do_not_overflow_on_the_way(name):
    x = np.float32([[-300.0, -80.0, 80.0, 300.0]])
    build, wanted = ACTIVATIONS["softmax, last axis" if name == "softmax" else name]
    np.testing.assert_allclose(computed(build, x=x), wanted(torch.from_numpy(x)).numpy(), 1e-5, 1e-6)


UNARY = {
    "abs": torch.abs,
    "ceil": torch.ceil,
    "cos": torch.cos,
    "exp": torch.exp,
    "floor": torch.floor,
    "round": torch.round,
    "sign": torch.sign,
    "sin": torch.sin,
    "square": torch.square,
}


@pytest.mark.parametrize("name", UNARY)
def test_a_function_of_one_number_is_torchs(name):
    found = computed(lambda x: getattr(mb, name)(x=x), x=X)
    np.testing.assert_allclose(found, UNARY[name](torch.from_numpy(X)).numpy(), 1e-5, 1e-6)


@pytest.mark.parametrize(
    ("build", "wanted"),
    [
        (lambda x: mb.sqrt(x=x), torch.sqrt),
        (lambda x: mb.log(x=x, epsilon=0.5), lambda x: torch.log(x + 0.5)),
        (lambda x: mb.rsqrt(x=x, epsilon=0.5), lambda x: torch.rsqrt(x + 0.5)),
        (lambda x: mb.inverse(x=x, epsilon=0.5), lambda x: 1 / (x + 0.5)),
        (lambda x: mb.clip(x=x, alpha=1.0, beta=2.0), lambda x: x.clamp(1, 2)),
        (lambda x: mb.threshold(x=x, alpha=1.0), lambda x: x.clamp(min=1)),
        (lambda x: mb.identity(x=x), lambda x: x),
    ],
)
def test_a_function_with_a_parameter_is_torchs(build, wanted):
    x = np.abs(X)
    np.testing.assert_allclose(computed(build, x=x), wanted(torch.from_numpy(x)).numpy(), 1e-5, 1e-6)


BINARY = {
    "add": torch.add,
    "sub": torch.sub,
    "mul": torch.mul,
    "real_div": torch.div,
    "floor_div": torch.floor_divide,
    "mod": torch.remainder,
    "maximum": torch.maximum,
    "minimum": torch.minimum,
}
COMPARISONS = {
    "equal": torch.eq,
    "not_equal": torch.ne,
    "greater": torch.gt,
    "greater_equal": torch.ge,
    "less": torch.lt,
    "less_equal": torch.le,
}


@pytest.mark.parametrize("name", BINARY)
def test_arithmetic_broadcasts_as_torchs(name):
    y = normal(3, 1, 5, seed=1)
    found = computed(lambda x, y: getattr(mb, name)(x=x, y=y), x=X, y=y)
    wanted = BINARY[name](torch.from_numpy(X), torch.from_numpy(y)).numpy()
    np.testing.assert_allclose(found, wanted, 1e-5, 1e-5)


def test_powers_are_torchs():
    x = np.abs(X)
    found = computed(lambda x: mb.pow(x=x, y=0.3), x=x)
    np.testing.assert_allclose(found, torch.pow(torch.from_numpy(x), 0.3).numpy(), 1e-5)


@pytest.mark.parametrize("name", COMPARISONS)
def test_comparisons_choose_as_torchs(name):
    x, y = np.round(X), np.round(normal(3, 4, 5, seed=1))
    found = computed(
        lambda x, y: mb.select(cond=getattr(mb, name)(x=x, y=y), a=x, b=mb.mul(x=y, y=10.0)), x=x, y=y
    )
    first, second = torch.from_numpy(x), torch.from_numpy(y)
    wanted = torch.where(COMPARISONS[name](first, second), first, 10 * second)
    np.testing.assert_array_equal(found, wanted.numpy())


@pytest.mark.parametrize(
    ("name", "wanted"),
    [
        ("logical_and", torch.logical_and),
        ("logical_or", torch.logical_or),
        ("logical_xor", torch.logical_xor),
    ],
)
def test_logic_is_torchs(name, wanted):
    x, y = normal(20), normal(20, seed=1)
    found = computed(
        lambda x, y: mb.cast(
            x=mb.logical_not(x=getattr(mb, name)(x=mb.greater(x=x, y=0.0), y=mb.greater(x=y, y=0.0))),
            dtype="fp32",
        ),
        x=x,
        y=y,
    )
    made = wanted(torch.from_numpy(x) > 0, torch.from_numpy(y) > 0)
    np.testing.assert_array_equal(found, (~made).float().numpy())


@pytest.mark.parametrize(("dtype", "in_torch"), [("int32", torch.int32), ("fp16", torch.float16)])
def test_a_cast_cuts_or_rounds_as_torchs(dtype, in_torch):
    found = computed(lambda x: mb.cast(x=mb.cast(x=x, dtype=dtype), dtype="fp32"), x=X)
    np.testing.assert_array_equal(found, torch.from_numpy(X).to(in_torch).float().numpy())


def test_a_cast_to_bool_says_what_is_not_zero():
    x = np.float32([-2, 0, 0.25, 7])
    found = computed(lambda x: mb.cast(x=mb.cast(x=x, dtype="bool"), dtype="fp32"), x=x)
    np.testing.assert_array_equal(found, [1, 0, 1, 1])


def test_float16_is_rounded_after_every_operation():
    x = np.float32([0.1, 1000.3, 3e-8])
    found = computed(
        lambda x: mb.cast(
            x=mb.sub(x=mb.add(x=mb.cast(x=x, dtype="fp16"), y=np.float16(1024)), y=np.float16(1024)),
            dtype="fp32",
        ),
        x=x,
    )
    half = x.astype(np.float16)
    wanted = ((half + np.float16(1024)) - np.float16(1024)).astype(np.float32)
    np.testing.assert_array_equal(found, wanted)
    assert not np.allclose(found, x, rtol=1e-3)


def test_what_float16_cannot_hold_is_infinite():
    found = computed(
        lambda x: mb.cast(x=mb.square(x=mb.cast(x=x, dtype="fp16")), dtype="fp32"), x=np.float32([300, 200])
    )
    np.testing.assert_array_equal(found, [np.inf, 40000])


def test_a_sum_in_float16_is_kept_wider_until_its_end():
    x = np.full((1, 4096), 1 / 64, np.float32)
    found = computed(
        lambda x: mb.cast(
            x=mb.reduce_sum(x=mb.cast(x=x, dtype="fp16"), axes=[1], keep_dims=True), dtype="fp32"
        ),
        x=x,
    )
    np.testing.assert_array_equal(found, [[64]])
