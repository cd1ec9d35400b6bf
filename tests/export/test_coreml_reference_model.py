"""Reading a saved package and running it: inputs, states, what is refused, and what failed where."""

import re
import shutil
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import nn

from tests.export.coreml_programs import FP16, FP32, computed, ct, mb, normal, nothing_to_collect, save, saved
from voxtoon.errors import CheckError, InputError
from voxtoon_export.converter_noise import silenced
from voxtoon_export.coreml_reference import OPERATIONS, Feature, ReferenceModel, load
from voxtoon_export.coreml_reference.program import Operation, Program, Result

RANGE = ct.Shape((1, 2, ct.RangeDim(3, 20, default=5)))
LISTED = ct.EnumeratedShapes([(1, 2, 4), (1, 2, 8)])


def converted(network, folder, *, precision=FP32, **options):
    """A torch network as a package, by way of coremltools' own front end."""
    path = folder / "network.mlpackage"
    example = torch.zeros(1, 2, 5)
    with silenced(), nothing_to_collect():
        ct.convert(
            torch.jit.trace(network.eval(), example),
            minimum_deployment_target=options.pop("target", ct.target.iOS17),
            compute_precision=precision,
            skip_model_load=True,
            **options,
        ).save(str(path))
    return path


def test_inputs_and_outputs_are_as_the_package_describes_them():
    model = saved(lambda x, y: mb.add(x=x, y=y, name="sum"), x=normal(2, 3), y=normal(3))
    assert [(item.name, item.dtype, item.shapes) for item in model.inputs] == [
        ("x", np.float32, (((2, 2), (3, 3)),)),
        ("y", np.float32, (((3, 3),),)),
    ]
    assert [item.name for item in model.outputs] == ["sum"]


def test_an_axis_within_a_range_may_have_any_size_of_it(tmp_path):
    network = nn.Conv1d(2, 4, 3)
    model = load(converted(network, tmp_path, inputs=[ct.TensorType(name="x", shape=RANGE)]))
    for size in (3, 11, 20):
        x = normal(1, 2, size)
        (found,) = model.predict({"x": x}).values()
        np.testing.assert_allclose(found, network(torch.from_numpy(x)).detach().numpy(), rtol=1e-5, atol=1e-6)
    for size in (2, 21):
        with pytest.raises(InputError, match="shape of x"):
            model.predict({"x": normal(1, 2, size)})


def test_an_axis_of_listed_sizes_has_one_of_them(tmp_path):
    model = load(converted(nn.ReLU(), tmp_path, inputs=[ct.TensorType(name="x", shape=LISTED)]))
    for size in (4, 8):
        assert next(iter(model.predict({"x": normal(1, 2, size)}).values())).shape == (1, 2, size)
    with pytest.raises(InputError, match="shape of x"):
        model.predict({"x": normal(1, 2, 5)})


@pytest.mark.parametrize(
    "inputs",
    [{}, {"y": normal(2)}, {"x": normal(2), "y": normal(2)}, {"x": normal(3)}, {"x": 1j * normal(2)}],
)
def test_other_inputs_are_refused(inputs):
    model = saved(lambda x: mb.relu(x=x), x=normal(2))
    with pytest.raises(InputError):
        model.predict(inputs)


def test_wider_numbers_are_narrowed_as_core_ml_does():
    model = saved(lambda x: mb.relu(x=x), x=normal(2))
    (found,) = model.predict({"x": np.array([1 / 3, -1])}).values()
    np.testing.assert_array_equal(found, np.float32([1 / 3, 0]))


def test_every_value_on_the_way_is_told_in_order():
    model = saved(lambda x: mb.relu(x=mb.add(x=x, y=1.0, name="shifted"), name="cut"), x=np.float32([-3, 2]))
    values = list(model.intermediates({"x": np.float32([-3, 2])}))
    assert [(kind, name) for kind, name, _ in values] == [("add", "shifted"), ("relu", "cut")]
    np.testing.assert_array_equal(values[0].value, [-2, 3])
    np.testing.assert_array_equal(values[1].value, [0, 3])


def test_a_value_used_again_much_later_is_still_there():
    found = computed(
        lambda x: mb.add(x=mb.exp(x=mb.relu(x=mb.tanh(x=x, name="early"))), y=mb.tanh(x=x)), x=normal(4)
    )
    wanted = np.exp(np.maximum(np.tanh(normal(4)), 0)) + np.tanh(normal(4))
    np.testing.assert_allclose(found, wanted, rtol=1e-6)


def test_an_input_may_be_an_output_of_something_else_too():
    found = computed(lambda x: (mb.relu(x=x, name="first"), mb.relu(x=x, name="second")), x=normal(4))
    np.testing.assert_array_equal(found[0], found[1])


class Memory(nn.Module):
    """Adds up what it is given, and keeps the last of it in a longer line."""

    def __init__(self):
        super().__init__()
        self.register_buffer("total", torch.zeros(1, 2, 5, dtype=torch.float16))
        self.register_buffer("line", torch.zeros(1, 2, 8, dtype=torch.float16))

    def forward(self, x):
        self.total.add_(x)
        self.line[:, :, 1:6] = x
        return self.total * 2, self.line + 1


@pytest.fixture
def stateful(tmp_path):
    states = [
        ct.StateType(wrapped_type=ct.TensorType(shape=(1, 2, size)), name=name)
        for name, size in (("total", 5), ("line", 8))
    ]
    return load(
        converted(
            Memory(),
            tmp_path,
            inputs=[ct.TensorType(name="x", shape=(1, 2, 5), dtype=np.float16)],
            outputs=[ct.TensorType(name="sum"), ct.TensorType(name="kept")],
            states=states,
            target=ct.target.iOS18,
            precision=FP16,
        )
    )


def test_a_state_goes_on_from_run_to_run(stateful):
    memory, state = Memory(), stateful.make_state()
    assert {step.kind for step in stateful._steps} >= {"read_state", "coreml_update_state"}
    for seed in range(3):
        x = normal(1, 2, 5, seed=seed).astype(np.float16)
        found = stateful.predict({"x": x}, state)
        wanted = memory(torch.from_numpy(x))
        for name, array in zip(("sum", "kept"), wanted, strict=True):
            np.testing.assert_allclose(found[name], array.numpy(), rtol=1e-3, atol=1e-3)
    np.testing.assert_allclose(state["total"], memory.total.numpy(), rtol=1e-3, atol=1e-3)


def test_states_are_apart_and_one_must_be_given(stateful):
    x = {"x": np.ones((1, 2, 5), np.float16)}
    first, second = stateful.make_state(), stateful.make_state()
    stateful.predict(x, first)
    stateful.predict(x, first)
    assert stateful.predict(x, second)["sum"].max() == 2
    assert first["total"].max() == 2
    with pytest.raises(InputError, match="state"):
        stateful.predict(x)


def test_every_known_operation_is_named_in_a_test_of_its_family():
    tests = "".join(path.read_text() for path in Path(__file__).parent.glob("test_coreml_reference_*.py"))
    assert {kind for kind in OPERATIONS if not re.search(rf"\b{kind}\b", tests)} == set()


def test_an_unknown_operation_is_refused_by_name_when_loading():
    with pytest.raises(CheckError, match="does not know the operation cumsum, which makes total"):
        saved(lambda x: mb.cumsum(x=x, axis=0, name="total"), x=normal(3))


def test_control_flow_is_refused_by_name():
    with pytest.raises(CheckError, match="no control flow: cond, which makes chosen"):
        saved(
            lambda x: mb.cond(
                pred=mb.squeeze(x=mb.greater(x=x, y=0.0), axes=[0]),
                _true_fn=lambda: mb.identity(x=x),
                _false_fn=lambda: mb.relu(x=x),
                name="chosen",
            ),
            x=normal(1),
        )


def test_what_cannot_be_computed_names_the_operation_and_its_output():
    model = saved(
        lambda x, at: mb.gather(x=x, indices=at, axis=0, name="taken"), x=normal(3), at=np.int32([0])
    )
    with pytest.raises(CheckError, match=r"gather \(makes taken\): an index is outside"):
        model.predict({"x": normal(3), "at": np.int32([3])})


def made_by_hand(kind, *, shape, **parameters):
    """A program of one operation of ``x``, with constants for its other parameters."""
    slots = {name: number for number, name in enumerate(["x", *parameters])}
    last = len(slots)
    return Program(
        inputs=(Feature("x", np.dtype("float32")),),
        input_slots=(0,),
        outputs=(Feature("y", np.dtype("float32")),),
        output_slots=(last,),
        states={},
        constants={slots[name]: np.asarray(value) for name, value in parameters.items()},
        operations=(Operation(kind, slots, (Result(last, "y", np.dtype("float32"), shape),)),),
    )


def test_an_unknown_parameter_is_refused_when_loading():
    with pytest.raises(CheckError, match="a parameter of leaky_relu, which makes y: got slope"):
        ReferenceModel(made_by_hand("leaky_relu", shape=(3,), alpha=0.1, slope=0.2))


def test_a_result_of_another_shape_than_the_file_says_is_refused():
    model = ReferenceModel(made_by_hand("expand_dims", shape=(3, 1), axes=[0]))
    with pytest.raises(CheckError, match=r"makes y.: shape of y: got \[1, 3\], expected \[3, 1\]"):
        model.predict({"x": normal(3)})
    flexible = ReferenceModel(made_by_hand("expand_dims", shape=(None, None), axes=[0]))
    assert flexible.predict({"x": normal(3)})["y"].shape == (1, 3)


@pytest.mark.parametrize(("network", "what"), [(nn.Conv1d(2, 4, 3), "kernel"), (nn.MaxPool1d(3), "window")])
def test_an_input_too_short_for_anything_is_refused(network, what, tmp_path):
    short = ct.Shape((1, 2, ct.RangeDim(1, 20, default=5)))
    model = load(converted(network, tmp_path, inputs=[ct.TensorType(name="x", shape=short)]))
    with pytest.raises(CheckError, match=f"smaller than the {what}"):
        model.predict({"x": normal(1, 2, 2)})


def test_no_package_and_damaged_packages_are_told_apart(tmp_path):
    with pytest.raises(InputError, match="no Core ML package"):
        load(tmp_path / "missing.mlpackage")
    path = save(lambda x: mb.linear(x=x, weight=normal(8, 64)), tmp_path, x=normal(1, 64))
    weights = path / "Data" / "com.apple.CoreML" / "weights" / "weight.bin"
    whole = weights.read_bytes()
    weights.write_bytes(whole[: len(whole) // 2])
    with pytest.raises(CheckError, match="cannot be read as an ML program"):
        load(path)
    shutil.rmtree(path / "Data")
    with pytest.raises(CheckError, match="cannot be read as an ML program"):
        load(path)
