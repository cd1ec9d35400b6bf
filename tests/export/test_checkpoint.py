import json
import os
import pickle
from dataclasses import replace

import numpy as np
import pytest
import torch
from safetensors import safe_open
from safetensors.numpy import load_file, save_file

from voxtoon import InputError
from voxtoon_export.checkpoint import load_checkpoint, save_checkpoint
from voxtoon_export.network import build
from voxtoon_export.systems import variant
from voxtoon_export.systems.speech2face import VARIANTS
from voxtoon_export.systems.speech2face import variant as sized

NAME = "speech2face-mel-w8"
VARIANT = variant(NAME)
CARD = {"data": "made up", "seed": 1}


@pytest.fixture(scope="module")
def networks():
    torch.manual_seed(0)
    return {name: build(part).eval() for name, part in VARIANT.parts.items()}


@pytest.fixture(scope="module")
def tensors(networks):
    return {name: network.state_dict() for name, network in networks.items()}


@pytest.fixture
def path(tmp_path, tensors):
    path = tmp_path / "model.safetensors"
    statistics = {"mean_feature": torch.arange(128.0), "mean_landmarks": np.ones((68, 2))}
    save_checkpoint(path, variant=VARIANT, tensors=tensors, statistics=statistics, model_card=CARD)
    return path


def rewritten(path, change):
    """The checkpoint again, after a change of its tensors."""
    with safe_open(path, framework="numpy") as file:
        metadata = file.metadata()
    tensors = load_file(path)
    change(tensors)
    save_file(tensors, path, metadata)
    return path


def flat(tensors):
    return {f"{part}.{name}": value for part, state in tensors.items() for name, value in state.items()}


# What is kept


def test_a_checkpoint_comes_back_as_it_was(path, tensors):
    checkpoint = load_checkpoint(path)
    assert (checkpoint.variant, checkpoint.layout, checkpoint.foreign_frames) == (VARIANT, "voxtoon", None)
    assert checkpoint.model_card == CARD
    assert checkpoint.avatar_statistics is None
    np.testing.assert_array_equal(checkpoint.statistics["mean_feature"], np.arange(128))
    for part, state in tensors.items():
        assert checkpoint.tensors[part].keys() == VARIANT.parts[part].tensor_shapes().keys()
        for name, array in checkpoint.tensors[part].items():
            np.testing.assert_array_equal(array, state[name])


def test_weights_trained_channel_last_are_kept_by_value_and_not_by_memory(tmp_path):
    network = build(VARIANT.parts["encoder"]).to(memory_format=torch.channels_last)
    assert not network.conv2.weight.is_contiguous()
    path = tmp_path / "model.safetensors"
    save_checkpoint(path, variant=VARIANT, tensors={"encoder": network.state_dict()})
    for name, array in load_checkpoint(path).tensors["encoder"].items():
        np.testing.assert_array_equal(array, network.state_dict()[name])


@pytest.mark.parametrize("part", VARIANT.parts)
def test_a_network_of_a_checkpoint_is_the_one_saved(path, networks, part):
    shape = [300 if isinstance(size, str) else size for size in VARIANT.parts[part].input.shape]
    value = torch.rand(shape)
    network = load_checkpoint(path).network(part)
    assert not network.training
    torch.testing.assert_close(network(value), networks[part](value), rtol=0, atol=0)


def test_the_header_is_that_of_the_contract(path):
    with safe_open(path, framework="numpy") as file:
        metadata = file.metadata()
    assert (metadata["voxtoon.system"], metadata["voxtoon.variant"]) == ("speech2face", NAME)
    assert json.loads(metadata["voxtoon.front_end"]) == VARIANT.front_end.to_json()
    assert json.loads(metadata["voxtoon.model_card"]) == CARD


def test_the_same_contents_are_the_same_bytes(path, tensors):
    first = path.read_bytes()
    statistics = {"mean_landmarks": np.ones((68, 2)), "mean_feature": np.arange(128.0)}
    save_checkpoint(path, variant=VARIANT, tensors=tensors, statistics=statistics, model_card=CARD)
    assert path.read_bytes() == first


def test_the_front_end_is_the_one_of_the_training(path, tensors):
    trained = replace(VARIANT, front_end=replace(VARIANT.front_end, mel_low_hz=60.0))
    save_checkpoint(path, variant=trained, tensors=tensors)
    assert load_checkpoint(path).variant.front_end.mel_low_hz == 60.0


def test_a_part_may_be_absent(path, tensors):
    save_checkpoint(path, variant=VARIANT, tensors={"encoder": tensors["encoder"]})
    checkpoint = load_checkpoint(path)
    assert list(checkpoint.tensors) == ["encoder"]
    with pytest.raises(InputError, match="no such part: got decoder, expected encoder"):
        checkpoint.network("decoder")


# What torch saves


@pytest.mark.parametrize("nest", [None, "model_state_dict", "state_dict", "model_state"])
@pytest.mark.parametrize("prefix", ["", "module."])
@pytest.mark.parametrize("ending", [".pt", ".pth"])
def test_weights_are_found_where_training_scripts_keep_them(tmp_path, tensors, nest, prefix, ending):
    state = {prefix + name: value for name, value in flat(tensors).items()}
    path = tmp_path / f"model{ending}"
    torch.save({nest: state, "epoch": 3, "optimizer_state_dict": {"state": {}}} if nest else state, path)
    checkpoint = load_checkpoint(path)
    assert checkpoint.variant == VARIANT  # told by the shapes
    np.testing.assert_array_equal(
        checkpoint.tensors["encoder"]["conv1.weight"], tensors["encoder"]["conv1.weight"]
    )


def test_the_older_form_of_torch_is_read(tmp_path, tensors):
    torch.save(flat(tensors), tmp_path / "model.pt", _use_new_zipfile_serialization=False)
    assert load_checkpoint(tmp_path / "model.pt").variant == VARIANT


def test_half_precision_weights_are_widened(tmp_path, tensors):
    state = {name: value.bfloat16() for name, value in flat(tensors).items()}
    torch.save(state, tmp_path / "model.pt")
    assert load_checkpoint(tmp_path / "model.pt").tensors["encoder"]["fc1.bias"].dtype == np.float32


class Hostile:
    """Makes a file when it is unpickled."""

    def __init__(self, path):
        self.path = path

    def __reduce__(self):
        return os.mkdir, (str(self.path),)


@pytest.mark.parametrize("save", [torch.save, lambda value, path: path.write_bytes(pickle.dumps(value))])
def test_a_pickle_with_code_is_refused_and_not_run(tmp_path, tensors, save):
    path, trace = tmp_path / "model.pt", tmp_path / "was_here"
    save({"state_dict": flat(tensors), "history": Hostile(trace)}, path)
    with pytest.raises(InputError, match=r"asks to run code.*; where you trust it") as error:
        load_checkpoint(path)
    assert not trace.exists()
    assert "\n" not in str(error.value)
    torch.load(path, weights_only=False) if save is torch.save else pickle.loads(path.read_bytes())
    assert trace.exists(), "the file was harmless, and the test shows nothing"


# What does not fit


def test_missing_tensors_are_named(path):
    rewritten(path, lambda tensors: [tensors.pop(f"encoder.fc1.{name}") for name in ("weight", "bias")])
    with pytest.raises(InputError, match=r"2 missing \(encoder.fc1.weight, encoder.fc1.bias\)"):
        load_checkpoint(path)


def test_extra_tensors_are_named(path):
    rewritten(path, lambda tensors: tensors.update({"encoder.fc3.bias": np.zeros(3, np.float32)}))
    with pytest.raises(
        InputError, match=r"does not fit speech2face-mel-w8: got 1 too many \(encoder.fc3.bias\)"
    ):
        load_checkpoint(path)


def test_shapes_are_told_as_found_and_as_expected(path):
    rewritten(path, lambda tensors: tensors.update({"encoder.fc1.bias": np.zeros(3, np.float32)}))
    with pytest.raises(InputError, match=r"1 of another shape \(encoder.fc1.bias \[3\] and not \[256\]\)"):
        load_checkpoint(path)


def test_only_a_few_names_are_listed(path):
    rewritten(path, lambda tensors: [tensors.pop(name) for name in list(tensors) if ".bn" in name])
    with pytest.raises(InputError, match=r"52 missing \(([^,]*, ){3}\.\.\.\)"):
        load_checkpoint(path)


@pytest.mark.parametrize(("value", "found"), [(np.nan, "NaN"), (np.inf, "infinity")])
def test_weights_that_are_no_numbers_are_refused(path, value, found):
    rewritten(path, lambda tensors: tensors["encoder.conv2.weight"].__setitem__((0, 0, 0, 0), value))
    with pytest.raises(InputError, match=rf"encoder\.conv2\.weight: got .*{found}"):
        load_checkpoint(path)


def test_integers_are_refused(path):
    rewritten(path, lambda tensors: tensors.update({"encoder.fc1.bias": np.zeros(256, np.int8)}))
    with pytest.raises(InputError, match=r"encoder\.fc1\.bias: got int8, expected floating point"):
        load_checkpoint(path)


@pytest.mark.parametrize(
    ("statistics", "message"),
    [
        (
            {"mean_feature": np.zeros(5)},
            r"shape of the statistics mean_feature: got \(5,\), expected \(128,\)",
        ),
        ({"mood": np.zeros(5)}, "unknown statistics of a checkpoint: got mood"),
        ({"feature_std": np.full(128, np.nan)}, "feature_std: got NaN"),
    ],
)
def test_statistics_that_do_not_fit_are_not_written(tmp_path, tensors, statistics, message):
    with pytest.raises(InputError, match=message):
        save_checkpoint(tmp_path / "a.safetensors", variant=VARIANT, tensors=tensors, statistics=statistics)
    assert not list(tmp_path.iterdir())


def test_tensors_that_do_not_fit_are_not_written(tmp_path, tensors):
    with pytest.raises(InputError, match="does not fit speech2face-mel-w4"):
        save_checkpoint(tmp_path / "a.safetensors", variant=variant("speech2face-mel-w4"), tensors=tensors)
    assert not list(tmp_path.iterdir())


def test_a_write_that_fails_leaves_nothing_behind(tmp_path, tensors):
    place = tmp_path / "a.safetensors"
    place.mkdir()
    with pytest.raises(InputError, match="cannot write the checkpoint"):
        save_checkpoint(place, variant=VARIANT, tensors=tensors)
    assert list(tmp_path.iterdir()) == [place]


def test_another_variant_or_system_than_asked_for_is_refused(path):
    with pytest.raises(
        InputError, match="of another variant: got speech2face-mel-w8, expected speech2face-w8"
    ):
        load_checkpoint(path, variant="speech2face-w8")
    with pytest.raises(InputError, match="of another system: got speech2face, expected wav2pix"):
        load_checkpoint(path, system="wav2pix")


def test_shapes_that_several_variants_have_need_a_name(tmp_path, tensors):
    path = tmp_path / "decoder.pt"
    torch.save({f"decoder.{name}": value for name, value in tensors["decoder"].items()}, path)
    with pytest.raises(
        InputError, match=r"does not tell its variant: got shapes of speech2face-w8 or .*; name"
    ):
        load_checkpoint(path)
    assert load_checkpoint(path, variant=NAME).variant == VARIANT


def test_a_variant_of_ones_own_is_taken_as_declared(tmp_path):
    own = sized("own", replace(VARIANTS[NAME], hidden=32, feature=16))
    tensors = {name: build(part).state_dict() for name, part in own.parts.items()}
    save_checkpoint(tmp_path / "own.safetensors", variant=own, tensors=tensors)
    assert load_checkpoint(tmp_path / "own.safetensors", variant=own).variant == own
    with pytest.raises(InputError, match="unknown variant: got own"):
        load_checkpoint(tmp_path / "own.safetensors")


# What is no checkpoint


@pytest.mark.parametrize("ending", [".safetensors", ".pt", ".pth", ".h5"])
@pytest.mark.parametrize("contents", [b"", b"\0", b"not a checkpoint at all", b"PK\x03\x04cut", b"\x80\x02."])
def test_damaged_files_are_refused_in_one_line(tmp_path, ending, contents):
    path = tmp_path / f"model{ending}"
    path.write_bytes(contents)
    with pytest.raises(InputError, match=rf"model\{ending}") as error:
        load_checkpoint(path)
    assert "\n" not in str(error.value)


@pytest.mark.parametrize("share", [0.001, 0.5, 0.999])
def test_a_file_that_is_cut_off_is_refused(path, tmp_path, tensors, share):
    torch.save(flat(tensors), tmp_path / "model.pt")
    for whole in (path, tmp_path / "model.pt"):
        contents = whole.read_bytes()
        whole.write_bytes(contents[: int(share * len(contents))])
        with pytest.raises(InputError, match=whole.name):
            load_checkpoint(whole)


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("missing.safetensors", "nothing there"),
        ("folder.pt", "got a folder"),
        ("model.onnx", "unknown kind of checkpoint: got model.onnx, expected .safetensors or .pt"),
    ],
)
def test_what_is_not_a_checkpoint_file_is_refused(tmp_path, name, message):
    (tmp_path / "folder.pt").mkdir()
    with pytest.raises(InputError, match=message):
        load_checkpoint(tmp_path / name)


@pytest.mark.parametrize("contents", [{}, {"a": 1}, [1.0], {"state_dict": {"lr": 0.1}}])
def test_torch_files_without_weights_are_refused(tmp_path, contents):
    torch.save(contents, tmp_path / "model.pt")
    with pytest.raises(InputError, match=r"no weights|of no known layout"):
        load_checkpoint(tmp_path / "model.pt")


def test_a_header_that_is_no_json_is_refused(path):
    tensors = load_file(path)
    save_file(tensors, path, {"voxtoon.variant": NAME, "voxtoon.model_card": "{"})
    with pytest.raises(InputError, match=r"model_card in the header of the checkpoint: got .* JSON"):
        load_checkpoint(path)


def test_a_front_end_that_does_not_feed_the_encoder_is_refused(path):
    front_end = json.dumps(variant("speech2face-w8").front_end.to_json())
    save_file(load_file(path), path, {"voxtoon.variant": NAME, "voxtoon.front_end": front_end})
    with pytest.raises(InputError, match="got complex_power, expected log_mel"):
        load_checkpoint(path)
