"""Long calls and many calls, each in a process of its own, by the benchmark that prints the same figures."""

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

ROOT = Path(__file__).resolve().parents[2]
if not Path("/proc/self/status").exists():
    pytest.skip("resident memory is read where Linux tells it", allow_module_level=True)


def figures(name, bundle, *words):
    command = [sys.executable, "-m", "benchmarks.call", "--only", name, "--bundle", str(bundle), *words]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True)
    return json.loads(done.stdout.splitlines()[-1])


def test_memory_after_ten_thousand_pushes_is_that_after_a_hundred(streaming_bundle):
    assert figures("memory", streaming_bundle)["growth, MB"] < 1.0


def test_fifty_calls_share_one_loaded_model(streaming_bundle):
    found = figures("many calls", streaming_bundle, "--calls", "50")
    assert found["each further call, MB"] < 5.0
    assert found["50 calls, MB in all"] < found["one call, MB in all"] + 50 * 5.0


def test_ten_minutes_go_through_the_command(streaming_bundle, sample_voice, tmp_path):
    """Turns and pauses: states come in their order, time and speech add up, the avatar is there."""
    from voxtoon.resample import resample

    voice = resample(sample_voice.samples, from_hz=16_000, to_hz=8_000)
    turn = np.concatenate([voice, np.zeros(4 * 8_000, np.float32)])
    call = np.tile((turn * 32_767).astype("<i2"), 60)[: 600 * 8_000]
    command = [sys.executable, "-m", "voxtoon", "stream", "--json", "--update-every", "4"]
    command += ["--avatar", "now.svg", "--bundle", str(streaming_bundle)]
    done = subprocess.run(command, input=call.tobytes(), capture_output=True, cwd=tmp_path, check=True)
    told = [json.loads(line) for line in done.stdout.splitlines()]
    states = [update["state"] for update in told]
    assert done.stderr == b""
    assert states[0] == "draft"
    assert states[-20:] == ["stable"] * 20
    assert told[-1]["final"]
    assert told[-1]["heard_s"] == pytest.approx(600, abs=0.1)
    assert told[-1]["speech_s"] == pytest.approx(350, rel=0.05)
    assert len(told) == pytest.approx(told[-1]["speech_s"] / 4, abs=8)
    assert [path.name for path in tmp_path.iterdir()] == ["now.svg"]
