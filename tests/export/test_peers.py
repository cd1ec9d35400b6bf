"""Peers run the same parts on the same inputs; one that cannot is told with its reason."""

import pytest

from voxtoon.bench.record import Settings
from voxtoon.bench.stages import Opened
from voxtoon.bundle import open_bundle
from voxtoon.golden import Golden
from voxtoon_export import peers


@pytest.fixture(scope="module")
def results():
    """What is told of the embedded bundle, whose checkpoint is not named."""
    with open_bundle() as bundle:
        opened = Opened(bundle, Settings(threads=1), Golden(bundle))
        return list(peers.measure(opened, checkpoint=None, warmup_runs=1, runs=3))


def test_ours_is_what_others_are_measured_by(results):
    ours = [result for result in results if result.peer == peers.OURS]
    assert [result.part for result in ours] == ["encoder", "decoder", "front_end"]
    assert {result.ratio for result in ours} == {1.0}


def test_every_peer_is_told_of_with_a_time_or_a_reason(results):
    assert all((result.p50_s is None) == (result.problem is not None) for result in results)
    eager = next(result for result in results if result.peer == "torch eager")
    assert eager.problem == "it starts from torch: name the checkpoint with --checkpoint"


def test_librosa_makes_frames_in_the_same_run(results):
    librosa = next(result for result in results if result.peer.startswith("librosa"))
    assert librosa.part == "front_end"
    assert librosa.p50_s > 0
