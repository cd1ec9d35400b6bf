"""Peers run the same parts on the same inputs; one that cannot is told with its reason."""

import pytest

from voxtoon.bench.record import OURS, Settings, read_record
from voxtoon.bench.stages import Opened
from voxtoon.bundle import open_bundle
from voxtoon.cli import main
from voxtoon.golden import Golden
from voxtoon_export import peers

FIRST_OF_TORCH = "it starts from torch: name the checkpoint with --checkpoint"


@pytest.fixture(scope="module")
def results():
    """What is told of the embedded bundle, whose checkpoint is not named."""
    with open_bundle() as bundle:
        opened = Opened(bundle, Settings(threads=1), Golden(bundle))
        return list(peers.measure(opened, checkpoint=None, warmup_runs=1, runs=3))


def test_ours_is_what_others_are_measured_by(results):
    ours = [result for result in results if result.peer == OURS]
    assert [result.part for result in ours] == ["encoder", "decoder", "front_end"]
    assert all(result.latency.summary_s.n == 3 for result in ours)


def test_every_peer_is_told_of_with_a_time_or_a_reason(results):
    assert all((result.latency is None) == (result.problem is not None) for result in results)
    eager = next(result for result in results if result.peer == "torch eager")
    assert eager.problem == FIRST_OF_TORCH
    ours_in_fp32 = next(result for result in results if result.peer == "onnxruntime, our fp32")
    assert ours_in_fp32.problem == "the bundle holds no onnx fp32 of it"


def test_librosa_makes_frames_in_the_same_run(results):
    librosa = next(result for result in results if result.peer.startswith("librosa"))
    assert (librosa.part, librosa.problem) == ("front_end", None)


def test_the_command_puts_them_into_the_record_and_the_page(tmp_path, capsys):
    path, page = tmp_path / "here.json", tmp_path / "here.html"
    short = ["--runs", "1", "--warmup-runs", "1", "--cold-runs", "1"]
    assert main(["bench", "--peers", *short, "--json", str(path), "--html", str(page)]) == 0
    assert FIRST_OF_TORCH in capsys.readouterr().out
    assert any(peer.peer.startswith("librosa") for peer in read_record(path).peers)
    assert "Beside others" in page.read_text()


def test_peers_are_of_this_machine(capsys):
    assert main(["bench", "--peers", "--on", "ssh://somewhere"]) == 2
    assert "--peers: got --on ssh://somewhere, expected this machine" in capsys.readouterr().err
