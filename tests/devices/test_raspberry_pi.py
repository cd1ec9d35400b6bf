"""Emulated Raspberry Pis: what breaks on a board breaks here. Nothing here says how fast anything is.

Pi 4 and Pi 5, each with Debian bookworm and trixie: the runtime's own tests, a face, verification, and a
record that `voxtoon bench` brings over ssh. All is done once, two boards at a time, before the tests look.
"""

import json
import os
import shlex
import shutil
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from subprocess import CompletedProcess

import loopback_sshd
import pytest
import raspberry_pi
from raspberry_pi import PI_4, PI_5

from tests.runtime.conftest import mean_landmarks, tiny_bundle, with_golden_values  # noqa: F401
from voxtoon.bench.compare import check_alike
from voxtoon.bench.host import Run, run
from voxtoon.bench.record import Protocol
from voxtoon.bench.transports import Options
from voxtoon.errors import InputError

ROOT = Path(__file__).resolve().parents[2]
FOLDER = Path(os.environ.get("VOXTOON_PI_FOLDER", ROOT / "build" / "raspberry_pi"))
OWN_CODE = ("/bound/checkout/runtime", "/bound/site")
# Every file of the runtime's tests that needs nothing but the runtime, each on one of the boards.
TESTS = (
    *("warp", "talk_listener", "front_end", "avatar_template"),
    *("avatar_drawing", "bench_compare", "avatar_measurement", "streaming_encoder"),
    *("audio", "listener", "speech_gate", "power_law"),
    *("pcm", "bench_samples", "resample", "avatar_written"),
    *("agreement", "waveform", "image_file", "mel"),
    *("atomic_file", "int8_overflow", "settling", "voice_change"),
    *("front_end_spec", "work_rows", "bench_device", "bench_conditions"),
)
# Half a minute each when emulated; and one expects a machine that is not.
LEFT_OUT = "float64 or hour or this_machine"
BOARDS = [(board, release) for release in raspberry_pi.PYTHONS for board in (PI_4, PI_5)]
SHORT = Protocol(warmup_runs=1, runs=1, cold_runs=1)


@dataclass(frozen=True)
class Outcome:
    """What came of one board."""

    pi: raspberry_pi.Pi
    tests: CompletedProcess[str]
    face: CompletedProcess[str]
    verified: CompletedProcess[str]
    bench: Run


@pytest.fixture(scope="module")
def systems():
    """The Debian releases with the runtime's packages."""
    reason = raspberry_pi.missing() or (None if loopback_sshd.SSHD else loopback_sshd.REASON)
    if reason is not None:
        pytest.skip(reason)
    try:
        return raspberry_pi.build(FOLDER)
    except RuntimeError as error:
        pytest.skip(str(error))


@pytest.fixture(scope="module")
def outcomes(systems, tiny_bundle, tmp_path_factory):  # noqa: F811
    """Do everything on every board."""
    bundle = with_golden_values(tiny_bundle, tmp_path_factory.mktemp("bundles") / "golden.voxtoon")

    def use(which):
        board, release = which
        pi, folder = raspberry_pi.board(systems[release], board, FOLDER), tmp_path_factory.mktemp(board.name)
        return _use(pi, bundle, folder, tests=TESTS[BOARDS.index(which) :: len(BOARDS)])

    with ThreadPoolExecutor(2) as pool:
        return dict(zip(BOARDS, pool.map(use, BOARDS), strict=True))


@pytest.fixture(params=BOARDS, ids=lambda which: f"{which[0].name}-{which[1]}")
def outcome(request, outcomes):
    """What came of this board."""
    return outcomes[request.param]


def _use(pi, bundle, folder, *, tests):
    there = pi.root / "tmp" / "bundle.voxtoon"
    shutil.rmtree(there, ignore_errors=True)
    shutil.copytree(bundle, there)
    files = [f"tests/runtime/test_{name}.py" for name in tests]
    options = ["-q", "-p", "no:cacheprovider", "--noconftest", "--hypothesis-profile=ci"]  # no deadlines
    pytest_there = ["-m", "pytest", *options, "-k", f"not ({LEFT_OUT})", *files]
    inside = "cd /bound/checkout && exec /usr/bin/python3 " + shlex.join(pytest_there)
    voxtoon = ("-m", "voxtoon")
    drawn = ("face", "/bound/checkout/samples/voice.flac", "-o", "/tmp/avatar.png")
    with loopback_sshd.running(folder, login=pi.login(folder / "login")) as sshd:
        return Outcome(
            pi,
            tests=pi.run("/bin/bash", "-c", inside, pythonpath=(*OWN_CODE, "/bound/checkout")),
            face=pi.python(*voxtoon, *drawn, "--bundle", "/tmp/bundle.voxtoon", pythonpath=OWN_CODE),
            verified=pi.python(*voxtoon, "verify", "/tmp/bundle.voxtoon", pythonpath=OWN_CODE),
            bench=run(bundle, on=sshd.target, protocol=SHORT, options=Options(ssh_config=sshd.config)),
        )


def test_the_board_is_what_it_says(outcome):
    done = outcome.pi.run("/bin/bash", "-c", "uname -nm; cat /proc/cpuinfo")
    assert done.stdout.startswith("raspberrypi aarch64\n")
    assert outcome.pi.board.model in done.stdout


def test_the_tests_of_the_runtime_pass(outcome):
    assert outcome.tests.returncode == 0, outcome.tests.stdout[-2000:] + outcome.tests.stderr[-2000:]
    assert "." * 10 in outcome.tests.stdout, "nothing ran"


def test_a_face_is_drawn(outcome):
    assert outcome.face.returncode == 0, outcome.face.stderr
    assert "a cartoon, not a likeness" in outcome.face.stdout
    assert (outcome.pi.root / "tmp" / "avatar.png").read_bytes().startswith(b"\x89PNG")


def test_every_artefact_is_verified(outcome):
    assert outcome.verified.returncode == 0, outcome.verified.stdout + outcome.verified.stderr


def test_a_record_comes_over_ssh(outcome):
    assert outcome.bench.error is None
    record = outcome.bench.record
    assert record.accurate
    assert record.device is not None
    assert record.device.model == outcome.pi.board.model
    assert record.device.processor.architecture == "aarch64"
    assert ("asimddp" in record.device.processor.features) == (outcome.pi.board is PI_5)
    assert (record.device.governor, record.conditions[-1].temperature_c) == ("ondemand", 48.312)
    assert record.latency["whole"].summary_s.n == 1
    assert list((outcome.pi.root / "tmp").glob("voxtoon-bench-*")) == []


def test_the_record_says_emulated_and_is_compared_with_none(outcome):
    record = outcome.bench.record
    assert json.loads(json.dumps(record.to_json()))["device"]["emulated"] is True
    with pytest.raises(InputError, match="emulated device"):
        check_alike(record, record)


@pytest.fixture(scope="module")
def broken_engine(systems):
    """The onnxruntime that was built for newer processors than that of a Pi 4."""
    try:
        site = raspberry_pi.wheels("bookworm", FOLDER, "broken", ["onnxruntime==1.21.0"], alone=True)
    except RuntimeError as error:
        pytest.skip(str(error))
    for board in (PI_4, PI_5):
        pi = raspberry_pi.board(systems["bookworm"], board, FOLDER)
        (pi.root / "bound" / "broken").mkdir(exist_ok=True)
        (pi.root / "bound" / "broken.path").write_text(str(site))
    return {board: raspberry_pi.board(systems["bookworm"], board, FOLDER) for board in (PI_4, PI_5)}, (
        "/bound/checkout/runtime",
        "/bound/broken",
        "/bound/site",
    )


def test_onnxruntime_1_21_0_dies_on_a_pi_4_and_lives_on_a_pi_5(broken_engine):
    boards, path = broken_engine
    program = "import onnxruntime; print(onnxruntime.__version__)"
    died, lived = (boards[board].python("-c", program, pythonpath=path) for board in (PI_4, PI_5))
    assert died.returncode in (132, -4)
    assert (lived.returncode, lived.stdout.strip()) == (0, "1.21.0")


def test_voxtoon_refuses_it_there_in_one_line_before_it_can_die(broken_engine):
    boards, path = broken_engine
    words = ("-m", "voxtoon", "face", "/bound/checkout/samples/voice.flac", "-o", "/tmp/x.png")
    done = boards[PI_4].python(*words, pythonpath=path)
    assert done.returncode == 2
    assert "onnxruntime 1.21.0 dies of an illegal instruction on this processor" in done.stderr
    assert done.stderr.count("\n") == 1
