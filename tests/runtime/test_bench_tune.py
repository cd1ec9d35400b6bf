"""What is chosen of what was measured, where it is written, and that the runtime follows it."""

import json
import subprocess
import sys

import pytest

from voxtoon.bench.device import describe_device, device_key
from voxtoon.bench.tune import Candidate, Limits, candidates, choose, write
from voxtoon.bundle import open_bundle
from voxtoon.cli import main
from voxtoon.errors import CheckError
from voxtoon.tuning import tuning_path


def way(part, precision, threads, megabytes, milliseconds, problem=None):
    seconds = None if problem else milliseconds / 1000
    return Candidate(part, "onnx", precision, threads, int(megabytes * 1e6), seconds, problem)


ENCODER_FP32, ENCODER_INT8 = way("encoder", "fp32", 1, 4, 30), way("encoder", "int8", 1, 1, 12)
DECODER_FP32, DECODER_INT8 = way("decoder", "fp32", 1, 4, 5), way("decoder", "int8", 1, 1, 9)
FOUND = [ENCODER_FP32, ENCODER_INT8, DECODER_FP32, DECODER_INT8]


def test_int8_is_taken_where_it_is_faster_and_only_there():
    assert choose(FOUND, Limits()) == {"encoder": ENCODER_INT8, "decoder": DECODER_FP32}


def test_a_limit_of_megabytes_may_cost_time():
    assert choose(FOUND, Limits(max_mb=2.5)) == {"encoder": ENCODER_INT8, "decoder": DECODER_INT8}


@pytest.mark.parametrize(
    ("limits", "said"),
    [
        (Limits(max_mb=1.5), "no choice is small enough: got 2.00 MB, expected 1.5 MB"),
        (Limits(max_ms=16), "no choice is fast enough: got 17.0 ms for all parts once, expected 16 ms"),
    ],
)
def test_limits_that_nothing_keeps_are_told_with_how_near_one_comes(limits, said):
    with pytest.raises(CheckError, match=said):
        choose(FOUND, limits)


def test_of_times_that_are_nearly_equal_fewer_bytes_and_then_fewer_threads_win():
    one, two = way("encoder", "fp32", 1, 4, 30), way("encoder", "fp32", 2, 4, 29.5)
    smaller = way("encoder", "int8", 2, 1, 30.2)
    assert choose([one, two], Limits())["encoder"] == one
    assert choose([one, two, smaller], Limits())["encoder"] == smaller


def test_what_is_wrong_here_is_not_chosen_however_fast():
    wrong = way("encoder", "int8", 1, 1, 1, problem="PSNR 20 dB, expected 30")
    assert choose([ENCODER_FP32, wrong], Limits())["encoder"] == ENCODER_FP32
    with pytest.raises(
        CheckError, match="no artefact of the part encoder can be run there: got onnx int8: PSNR 20 dB"
    ):
        choose([wrong], Limits())


def test_what_missed_the_gate_is_not_even_tried(golden_bundle, rewrite_manifest):
    def unverified(manifest):
        twin = {**manifest["artefacts"][0], "precision": "int8-unverified"}
        manifest["artefacts"].append(twin)

    rewrite_manifest(golden_bundle, unverified)
    with open_bundle(golden_bundle) as bundle:
        found = candidates(bundle.manifest, cores=2)
    assert {c.precision for c in found} == {"fp32"}
    assert {c.threads for c in found} == {1, 2}


def test_the_command_measures_and_writes_and_the_runtime_follows(golden_bundle, capsys):
    words = ["bench", str(golden_bundle), "--tune", "--runs", "3", "--warmup-runs", "1"]
    assert main(words) == 0
    told = capsys.readouterr().out
    assert "tried" in told
    assert "chosen" in told
    written = json.loads(tuning_path(golden_bundle).read_text())
    (key,) = written["devices"]
    assert key == device_key(describe_device())
    assert set(written["devices"][key]) == {"encoder", "decoder", "voice_activity"}


def threads_of_sessions(bundle):
    program = (
        "import sys, voxtoon\nwith voxtoon.open_bundle(sys.argv[1]) as bundle:\n"
        "    session = bundle.session('encoder').inference\n"
        "    print(session.get_session_options().intra_op_num_threads)"
    )
    done = subprocess.run(
        [sys.executable, "-c", program, str(bundle)], capture_output=True, text=True, check=True
    )
    return int(done.stdout)


def test_a_choice_is_used_on_its_device_and_with_its_bundle_only(golden_bundle):
    here = device_key(describe_device())
    choice = Candidate("encoder", "onnx", "fp32", 3, 100, 0.001)
    with open_bundle(golden_bundle) as bundle:
        manifest = bundle.manifest
    assert threads_of_sessions(golden_bundle) == 1
    write(golden_bundle, manifest, "Raspberry Pi 5 / Cortex-A76 x 4", {"encoder": choice})
    assert threads_of_sessions(golden_bundle) == 1
    path = write(golden_bundle, manifest, here, {"encoder": choice})
    assert threads_of_sessions(golden_bundle) == 3
    assert len(json.loads(path.read_text())["devices"]) == 2
    path.write_text(path.read_text().replace(json.loads(path.read_text())["manifest_sha256"], "0" * 64))
    assert threads_of_sessions(golden_bundle) == 1
    path.write_text("damaged")
    assert threads_of_sessions(golden_bundle) == 1
