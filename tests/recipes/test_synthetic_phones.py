import numpy as np
import pytest

from recipes.synthetic_phones import smooth, utterance


@pytest.mark.parametrize("syllables_per_s", [3.2, 6.0])
def test_every_track_of_an_utterance_is_as_long_as_asked_for(syllables_per_s):
    tracks, stress = utterance(np.random.default_rng(0), syllables_per_s=syllables_per_s, rows=1201)
    assert {track.shape for track in tracks.values()} == {(1201,)} == {stress.shape}


def test_an_utterance_has_voiced_and_voiceless_stretches_and_pauses():
    tracks, _ = utterance(np.random.default_rng(1), syllables_per_s=4.0, rows=2000)
    silent = (tracks["voice"] < 0.05) & (tracks["noise"] < 0.05)
    assert 0.4 < np.mean(tracks["voice"] > 0.5) < 0.9
    assert np.mean((tracks["voice"] < 0.2) & (tracks["noise"] > 0.1)) > 0.02
    assert 0.05 < np.mean(silent) < 0.4


def test_formants_move_and_do_not_jump():
    tracks, _ = utterance(np.random.default_rng(2), syllables_per_s=6.0, rows=2000)
    assert np.ptp(tracks["f2"]) > 800.0
    assert np.abs(np.diff(tracks["f2"])).max() < 150.0  # Hz in 5 ms


def test_smoothing_keeps_a_constant_and_the_area():
    step = np.repeat([0.0, 1.0, 0.0], 100)
    assert np.allclose(smooth(np.full(50, 3.0), width_ms=60.0), 3.0)
    assert smooth(step, width_ms=60.0).sum() == pytest.approx(step.sum())
