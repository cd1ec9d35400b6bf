"""Parts lowered to Core ML: what a package says, that it equals torch on real audio, that damage shows."""

import json
from collections import Counter
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import nn

from voxtoon.bundle_files import check_name
from voxtoon.engines import ENGINES
from voxtoon.errors import CheckError, InputError
from voxtoon_export import checkpoint_manifest
from voxtoon_export.checkpoint import load_checkpoint
from voxtoon_export.converter_noise import silenced
from voxtoon_export.coreml_reference import first_difference, load
from voxtoon_export.golden import sample_voice
from voxtoon_export.layers import Conv2d, Relu
from voxtoon_export.lowering import About, format_named
from voxtoon_export.network import build
from voxtoon_export.parity import check_artefact, reference_cases
from voxtoon_export.parts import Branch, PartSpec, TensorSpec
from voxtoon_export.systems import variant

COREML = format_named("coreml")
MODEL, WEIGHTS = "Data/com.apple.CoreML/model.mlmodel", "Data/com.apple.CoreML/weights/weight.bin"


# Trained weights: layers of random ones blow float16's rounding up, by more than real ones ever do.
CHECKPOINT = Path(__file__).parents[2] / "recipes/checkpoints/speech2face-mel-w4.safetensors"


def specification(files):
    with silenced():
        from coremltools import proto
    return proto.Model_pb2.Model.FromString(files[MODEL])


def session(files, precision="fp32"):
    return ENGINES["coreml"].load(files, precision=precision, threads=None)


@pytest.fixture(scope="module")
def trained():
    return load_checkpoint(CHECKPOINT)


@pytest.fixture(scope="module")
def modules(trained):
    return {name: (part, trained.network(name)) for name, part in trained.variant.parts.items()}


@pytest.fixture(scope="module")
def cases(trained, modules):
    front_end, face = trained.variant.front_end, checkpoint_manifest.face_entry(trained)
    return reference_cases(modules, [sample_voice()], front_end=front_end, face=face)


@pytest.fixture(scope="module")
def packages(modules):
    """Part name to precision to the files of a package."""
    return {name: COREML.lower(module, part, ["fp32", "fp16"]) for name, (part, module) in modules.items()}


@pytest.mark.parametrize("precision", ["fp32", "fp16"])
@pytest.mark.parametrize("part", ["encoder", "decoder", "face_encoder"])
def test_a_package_equals_torch_on_real_audio_at_every_length(packages, cases, part, precision):
    found = check_artefact(
        session(packages[part][precision], precision),
        cases[part],
        tolerance=COREML.tolerances[precision],
        where=part,
    )
    assert found.keys() == cases[part][0].outputs.keys()


@pytest.mark.parametrize("precision", ["fp32", "fp16"])
def test_names_and_types_at_the_edges_are_the_declared_ones(packages, modules, precision):
    for name, (part, _) in modules.items():
        description = specification(packages[name][precision]).description
        assert [item.name for item in description.input] == [item.name for item in part.inputs]
        assert [item.name for item in description.output] == [item.name for item in part.outputs]
        for item in (*description.input, *description.output):
            assert item.type.multiArrayType.dataType == item.type.multiArrayType.FLOAT32


def test_float16_is_computed_where_it_was_asked_for_and_nowhere_else(packages, tmp_path):
    for precision, dtype in (("fp32", np.float32), ("fp16", np.float16)):
        model = load(written(packages["decoder"][precision], tmp_path / precision))
        feature = np.ones((1, 128), np.float32)
        inner = [item for item in model.intermediates({"feature": feature}) if item.kind != "cast"]
        # Only the step to pixels is never in float16, whose coordinates would be 0.125 px apart.
        whole = [item for item in inner if item.value.dtype != dtype]
        assert {(item.kind, item.value.shape) for item in whole} <= {("mul", (1, 68, 2)), ("add", (1, 68, 2))}
        assert len(whole) == (2 if precision == "fp16" else 0)


def test_it_is_for_ios_17(packages):
    model = specification(packages["encoder"]["fp32"])
    assert model.specificationVersion == 8
    assert model.WhichOneof("Type") == "mlProgram"


def test_time_is_flexible_from_the_fewest_frames_to_a_bound_and_a_clip_is_the_default(packages, modules):
    part, module = modules["encoder"]
    array = specification(packages["encoder"]["fp32"]).description.input[0].type.multiArrayType
    ranges = [(item.lowerBound, item.upperBound) for item in array.shapeRange.sizeRanges]
    assert ranges == [(1, 1), (part.minimum_frames, 3000), (64, 64), (1, 1)]
    assert list(array.shape) == [1, 598, 64, 1]
    running = session(packages["encoder"]["fp32"])
    with pytest.raises(InputError, match="shape of frames"):
        running.run({"frames": np.zeros((1, part.minimum_frames - 1, 64, 1), np.float32)})
    frames = np.random.default_rng(0).standard_normal((1, 777, 64, 1)).astype(np.float32)
    wanted = module(torch.from_numpy(frames)).detach().numpy()
    np.testing.assert_allclose(running.run({"frames": frames})["feature"], wanted, rtol=1e-4, atol=1e-5)


def test_the_same_part_gives_the_same_bytes(packages, modules):
    part, module = modules["decoder"]
    assert COREML.lower(module, part, ["fp16"])["fp16"] == packages["decoder"]["fp16"]


def test_the_files_of_a_package_can_be_in_a_bundle(packages):
    for files in packages["encoder"].values():
        for name in files:
            check_name(f"encoder.fp32.mlpackage/{name}")
        manifest = json.loads(files["Manifest.json"])
        items = manifest["itemInfoEntries"]
        assert items[manifest["rootModelIdentifier"]]["path"] == "com.apple.CoreML/model.mlmodel"
        assert {item["path"] for item in items.values()} == {
            "com.apple.CoreML/model.mlmodel",
            "com.apple.CoreML/weights",
        }


def test_coremltools_opens_a_package_as_one_of_its_own(packages, tmp_path):
    path = written(packages["decoder"]["fp16"], tmp_path / "decoder.mlpackage")
    with silenced():
        import coremltools as ct

        model = ct.models.MLModel(str(path), skip_model_load=True)
    assert model.get_spec().WhichOneof("Type") == "mlProgram"


def test_a_label_says_whose_it_is_and_what_it_takes(packages):
    about = About("The authors", "Apache-2.0", "Voice to feature", {"voxtoon.system": "speech2face"})
    files = COREML.label(packages["encoder"]["fp32"], about)
    metadata = specification(files).description.metadata
    assert metadata.author == "The authors"
    assert metadata.license == "Apache-2.0"
    assert metadata.shortDescription == "Voice to feature"
    assert metadata.userDefined["voxtoon.system"] == "speech2face"
    assert not [name for name in metadata.userDefined if name.endswith("date")]
    assert files[WEIGHTS] == packages["encoder"]["fp32"][WEIGHTS]


@pytest.mark.parametrize("name", ["wav2pix-64", "speech2face-relu", "speech2face-unit"])
def test_other_systems_and_endings_are_the_same_to_it(name):
    declared = variant(name)
    for part in declared.parts.values():
        if part.parameters > 20e6:
            continue
        torch.manual_seed(0)
        network = build(part).eval()
        value = torch.randn(
            [part.minimum_frames if isinstance(size, str) else size for size in part.input.shape]
        )
        found = session(COREML.lower(network, part, ["fp32"])["fp32"]).run({part.input.name: value.numpy()})
        with torch.inference_mode():
            wanted = network(value)
        wanted = wanted if isinstance(wanted, tuple) else (wanted,)
        for output, array in zip(part.outputs, wanted, strict=True):
            scale = float(array.abs().max())
            np.testing.assert_allclose(found[output.name], array.numpy(), atol=1e-5 * scale, rtol=0)


def test_a_name_that_core_ml_reserves_is_refused_and_not_changed_in_silence():
    state = TensorSpec("state", ("batch", "unit"), (1, 4))
    part = PartSpec("memory", state, (Relu(),), (Branch("feature", ("feature",)),))
    with pytest.raises(
        CheckError, match="memory has an input of a name that Core ML does not take: got state"
    ):
        COREML.lower(build(part).eval(), part, ["fp32"])


def test_its_operations_are_counted_without_its_constants(packages, modules):
    counted = COREML.operators(packages["decoder"]["fp32"])
    kinds = [step.kind for step in session(packages["decoder"]["fp32"]).model._steps]
    assert counted == Counter(kinds)
    assert list(counted.values()) == sorted(counted.values(), reverse=True)


def test_an_unknown_precision_is_refused(modules):
    part, module = modules["decoder"]
    with pytest.raises(InputError, match="unknown precision for coreml: got int8"):
        COREML.lower(module, part, ["int8"])


def test_what_coremltools_cannot_convert_is_named_with_its_operation_and_module():
    class Strange(nn.Module):
        def forward(self, value):
            return torch.special.bessel_j0(value)

    image = TensorSpec("image", ("batch", "height", "width", "channel"), (1, 4, 4, 3))
    layers = (Conv2d("conv1", 3, (1, 1)), Relu())
    part = PartSpec("encoder", image, layers, (Branch("feature", ("height", "width", "channel")),))
    network = build(part).eval()
    network.relu_1 = Strange()
    with pytest.raises(CheckError, match=r"encoder cannot be converted to Core ML at .*bessel_j0.*relu_1"):
        COREML.lower(network, part, ["fp32"])


def test_nothing_is_printed(modules, capfd):
    part, module = modules["face_encoder"]
    COREML.lower(module, part, ["fp16"])
    assert capfd.readouterr() == ("", "")


# --- Damage: what a converter, a tool or a disk may do to a package must not pass the check of parity.


def written(files, folder):
    for name, content in files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
    return folder


def operations(model):
    (function,) = model.mlProgram.functions.values()
    (block,) = function.block_specializations.values()
    return block.operations


def first(model, kind):
    return next(item for item in operations(model) if item.type == kind)


def constant(model, name):
    """The operation that makes a constant."""
    return next(item for item in operations(model) if item.type == "const" and item.outputs[0].name == name)


def change_a_weight(model, weights):
    name = first(model, "conv").inputs["weight"].arguments[0].name
    stored = constant(model, name).attributes["val"].blobFileValue.offset
    # A record of 64 bytes lies there, its fourth field says where the numbers begin.
    begin = int(np.frombuffer(weights, np.uint64, 1, stored + 16)[0])
    changed = np.frombuffer(weights, np.float32, 1, begin + 20) + np.float32(5)
    return weights[: begin + 20] + changed.tobytes() + weights[begin + 24 :]


def drop_a_bias(model, weights):
    del first(model, "conv").inputs["bias"]
    return weights


def shift_the_padding(model, weights):
    pad = constant(model, first(model, "conv").inputs["pad"].arguments[0].name).attributes["val"]
    numbers = pad.immediateValue.tensor.ints.values
    assert list(numbers) == [1, 1, 1, 1]
    numbers[0], numbers[1] = 2, 0
    return weights


def swap_an_activation(model, weights):
    first(model, "relu").type = "sigmoid"
    return weights


DAMAGE = [change_a_weight, drop_a_bias, shift_the_padding, swap_an_activation]


def damaged(files, damage):
    model = specification(files)
    weights = damage(model, files[WEIGHTS])
    return {**files, MODEL: model.SerializeToString(), WEIGHTS: weights}


@pytest.mark.parametrize("damage", DAMAGE)
def test_damage_is_caught(packages, cases, damage):
    broken = session(damaged(packages["face_encoder"]["fp32"], damage))
    with pytest.raises(CheckError, match="max_abs_relative"):
        check_artefact(
            broken,
            cases["face_encoder"],
            tolerance=COREML.tolerances["fp32"],
            where="face_encoder coreml fp32",
        )


@pytest.mark.parametrize(
    ("damage", "layer", "kind"),
    [
        (change_a_weight, "conv1", "conv"),
        (drop_a_bias, "conv1", "conv"),
        (shift_the_padding, "conv1", "conv"),
        (swap_an_activation, "relu_1", "sigmoid"),
    ],
)
def test_the_first_operation_that_is_wrong_is_named(packages, modules, cases, damage, layer, kind, tmp_path):
    _, network = modules["face_encoder"]
    inputs = cases["face_encoder"][0].inputs
    references = []
    hooks = [
        module.register_forward_hook(
            lambda _, given, made, name=name: references.append((name, made.detach().numpy()))
        )
        for name, module in network.named_children()
    ]
    network(torch.from_numpy(inputs["image"]))
    for hook in hooks:
        hook.remove()
    whole = load(written(packages["face_encoder"]["fp32"], tmp_path / "whole"))
    assert first_difference(whole.intermediates(inputs), references, max_abs_relative=1e-5) is None
    broken = load(written(damaged(packages["face_encoder"]["fp32"], damage), tmp_path / "broken"))
    found = first_difference(broken.intermediates(inputs), references, max_abs_relative=1e-5)
    assert found.before == layer
    assert found.operations[-1][0] == kind
    assert f"at {layer}: " in str(found)


def test_a_file_cut_short_is_refused(packages):
    files = packages["decoder"]["fp32"]
    for name in (MODEL, WEIGHTS):
        with pytest.raises(CheckError):
            session({**files, name: files[name][: len(files[name]) // 2]})
