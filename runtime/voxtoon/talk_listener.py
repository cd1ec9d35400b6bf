"""What is heard of a call that goes on: each frame is computed once, and only where somebody speaks."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from .confidence import DESCRIPTOR_SIZE, domain_descriptor, is_sound
from .front_end import FrontEnd, tile_clip
from .listener import Heard, seconds
from .speech import WINDOW_SAMPLES, is_narrowband
from .speech_gate import RUN_STRETCHES, SpeechGate
from .streaming_encoder import StreamingEncoder
from .voice_change import VoiceChange

MARGIN_STRETCHES = 8
"""What is heard before the first and after the last speech of a talk: 256 ms, the rise and fall of a word."""

WEIGHT_POWER = 2
"""Of the share of speech in what an output sees: chosen on strangers' voices, cut up with pauses between
(`python -m benchmarks.anytime`)."""

Samples = NDArray[np.float32]


class TalkListener:
    """Hears a 16 kHz signal as talks, and each of them as the encoder hears a recording.

    A talk begins `MARGIN_STRETCHES` before its first speech and ends when no output of the encoder can see
    speech any more (2.6 s for Speech2Face). Its frames begin with its first sample and none is left out:
    speech detection gates the encoder's outputs, which weigh ``(speech in what it sees / what it sees)^2``,
    and never cuts samples out of the encoder's grid. The feature is the head of the weighted mean over all
    outputs of all talks. Between talks nothing is computed but the detector.

    Until the talks that ended hold as much as half a clip, a talk shorter than a clip is heard as the paper
    hears a short recording, repeated up to a clip, with its margins and without the silence after them.

    However the signal is cut into calls, what was heard is the same. Memory does not grow.

    Parameters
    ----------
    gate
        Finds the speech.
    front_end
        This listener's own.
    encoder
        At the beginning of a stream, this listener's own.

    Attributes
    ----------
    weight_power
        The 2 above; another one is for measuring.
    """

    def __init__(self, *, gate: SpeechGate, front_end: FrontEnd, encoder: StreamingEncoder) -> None:
        self.weight_power: float = WEIGHT_POWER
        self._gate = gate
        self._front_end = front_end
        self._encoder = encoder
        spec = front_end.spec
        assert spec.window_samples is not None
        assert spec.hop_samples is not None
        seen_samples = (encoder.spec.first_output_frames - 1) * spec.hop_samples + spec.window_samples
        self._seen_stretches = -(-seen_samples // WINDOW_SAMPLES)
        # Of an encoder that sees less than the margin: a talk does not end before its first speech.
        self._ending_stretches = max(self._seen_stretches, MARGIN_STRETCHES + RUN_STRETCHES)
        clip_outputs = encoder.spec.output_count(spec.frame_count(spec.clip_samples))
        self._enough_weight = clip_outputs / 2
        self._clip = np.empty(spec.clip_samples, np.float32)
        self._no_outputs = WeightedMean(np.zeros(encoder.spec.output_shape), 0.0)
        self.reset()

    def reset(self) -> None:
        """Forget what was heard."""
        self._gate.reset()
        self.samples = 0
        self._pending = np.empty(0, np.float32)
        self._margin: deque[Samples] = deque(maxlen=MARGIN_STRETCHES + RUN_STRETCHES)
        self._speech_stretches = self._sound_stretches = 0
        self._ended = self._no_outputs
        self._line = _Line()
        self._voices = VoiceChange()
        self._talk: _Talk | None = None

    @property
    def speech_s(self) -> float:
        """Seconds of speech in all that was heard."""
        return seconds(self._speech_stretches)

    @property
    def other_voices(self) -> int:
        """How often somebody else began to speak, see `VoiceChange`."""
        return self._voices.count

    def push(self, samples: Samples) -> None:
        """Hear some more samples, any number of them, at 16 kHz."""
        pending = np.concatenate([self._pending, samples])
        self.samples += len(samples)
        counts = self._gate.push(samples)
        for start, count in zip(range(0, len(pending), WINDOW_SAMPLES), counts, strict=False):
            self._hear(pending[start : start + WINDOW_SAMPLES], int(count))
        self._pending = pending[len(counts) * WINDOW_SAMPLES :].copy()

    def heard(self) -> Heard:
        """What was heard so far; where nobody spoke, silence."""
        talk, outputs, line = self._talk, self._ended, self._line
        if talk is not None and self._is_draft(talk):
            recording = self._recording(talk)
            weight = talk.share_of(len(recording)) ** self.weight_power
            outputs = outputs + self._encoder_mean(recording).times(weight)
            line = line if line.speech else line.with_clip(recording, talk.clip_speech)
        elif talk is not None:
            outputs = outputs + talk.outputs
        if not outputs.weight:
            silence = np.zeros(len(self._clip), np.float32)
            outputs, line = self._encoder_mean(silence), _Line().with_clip(silence, 1)
        return Heard(
            feature=self._encoder.feature_of(outputs.mean),
            descriptor=line.descriptor / line.speech,
            speech_s=self.speech_s,
            sound_s=seconds(self._sound_stretches),
            narrowband=2 * line.narrowband > line.speech,
        )

    def _hear(self, stretch: Samples, count: int) -> None:
        """One stretch of 32 ms, which makes so many of them speech."""
        self._speech_stretches += count
        self._sound_stretches += is_sound(stretch)
        if self._talk is not None:
            self._hear_talk(self._talk, stretch, count)
            return
        self._margin.append(stretch.copy())
        if count:
            self._talk = _Talk(deque(maxlen=self._seen_stretches), self._no_outputs)
            self._front_end.reset()
            self._encoder.reset()
            for earlier in list(self._margin)[:-1]:
                self._hear_talk(self._talk, earlier, 0)
            self._margin.clear()
            self._hear_talk(self._talk, stretch, count)

    def _hear_talk(self, talk: _Talk, stretch: Samples, count: int) -> None:
        self._keep(talk, stretch)
        talk.clip_speech += count
        talk.recent.append(count)
        talk.silent = 0 if count else talk.silent + 1
        talk.waiting.append(stretch.copy())  # of a chunk that may be an hour long
        # One long push is cheaper than many short ones, and no output can come before.
        if self._front_end.spec.frame_count(talk.samples) >= self._encoder.due_frames:
            made = self._encoder.push(self._front_end.push(np.concatenate(talk.waiting)))
            talk.waiting.clear()
            share = min(1.0, sum(talk.recent) / self._seen_stretches)
            heard = WeightedMean(made.sum(axis=0, dtype=np.float64), len(made))
            talk.outputs = talk.outputs + heard.times(share**self.weight_power)
            for output in made:
                self._voices.add(output, speech_share=share)
        if talk.silent >= self._ending_stretches:
            self._close_clip(talk)
            self._ended = self._ended + talk.outputs
            self._talk = None

    def _keep(self, talk: _Talk, stretch: Samples) -> None:
        """Remember the clip that the talk is in: to repeat it, and to look at the line."""
        talk.samples += len(stretch)
        while len(stretch):
            taken = stretch[: len(self._clip) - talk.clip_samples]
            stretch = stretch[len(taken) :]
            self._clip[talk.clip_samples : talk.clip_samples + len(taken)] = taken
            talk.clip_samples += len(taken)
            if talk.clip_samples == len(self._clip):
                self._close_clip(talk)

    def _close_clip(self, talk: _Talk) -> None:
        if talk.clip_speech:
            self._line = self._line.with_clip(self._clip[: talk.clip_samples], talk.clip_speech)
        talk.clip_samples = talk.clip_speech = 0

    def _is_draft(self, talk: _Talk) -> bool:
        return self._ended.weight < self._enough_weight and talk.samples < len(self._clip)

    def _recording(self, talk: _Talk) -> Samples:
        """A talk shorter than a clip, with samples that wait for their stretch, without a long silence."""
        end = talk.samples - max(0, talk.silent - MARGIN_STRETCHES) * WINDOW_SAMPLES
        waiting = self._pending if talk.silent <= MARGIN_STRETCHES else self._pending[:0]
        return np.concatenate([self._clip[:end], waiting])[: len(self._clip)]

    def _encoder_mean(self, recording: Samples) -> WeightedMean:
        """What the encoder makes of a recording, repeated up to a clip, before its head.

        What the stream has computed of it is not computed again.
        """
        spec = self._front_end.spec
        frames = FrontEnd(spec).frames(tile_clip(recording, clip_samples=len(self._clip)))
        encoder = self._encoder.clone()
        if encoder.state.frames > spec.frame_count(len(recording)):  # it is in the silence after the talk
            encoder.reset()
        encoder.push(frames[encoder.state.frames :])
        return WeightedMean(encoder.state.total, encoder.state.count)


@dataclass(frozen=True)
class WeightedMean:
    """A sum of outputs of the encoder, float64, and the sum of their weights."""

    total: NDArray[np.float64]
    weight: float

    @property
    def mean(self) -> NDArray[np.float64]:
        """The mean; of no outputs, not a number."""
        return self.total / self.weight

    def __add__(self, other: WeightedMean) -> WeightedMean:
        return WeightedMean(self.total + other.total, self.weight + other.weight)

    def times(self, factor: float) -> WeightedMean:
        """The same mean with another weight."""
        return WeightedMean(factor * self.total, factor * self.weight)


@dataclass
class _Talk:
    """The talk that is going on.

    Attributes
    ----------
    recent
        Speech in each of the last stretches that an output sees.
    outputs
        Those so far.
    waiting
        Stretches that the front end has not seen, which complete no output.
    samples, silent
        Samples of it, and stretches since the last speech.
    clip_samples, clip_speech
        Of the clip it is in: samples, and stretches of speech.
    """

    recent: deque[int]
    outputs: WeightedMean
    waiting: list[Samples] = field(default_factory=list)
    samples: int = 0
    silent: int = 0
    clip_samples: int = 0
    clip_speech: int = 0

    def share_of(self, samples: int) -> float:
        """Share of speech in a recording of so many samples, which holds all speech of the clip."""
        return min(1.0, self.clip_speech * WINDOW_SAMPLES / samples)


@dataclass(frozen=True)
class _Line:
    """Sums over the clips of a call, weighted by their speech: what tells of the line and of the domain."""

    descriptor: NDArray[np.float64] = field(default_factory=lambda: np.zeros(DESCRIPTOR_SIZE))
    narrowband: int = 0
    speech: int = 0

    def with_clip(self, samples: Samples, speech: int) -> _Line:
        """The sums with one more clip."""
        return _Line(
            self.descriptor + speech * domain_descriptor(samples),
            self.narrowband + speech * is_narrowband(samples),
            self.speech + speech,
        )
