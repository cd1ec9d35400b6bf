"""From samples to a face: resample, listen, encode, decode."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import ArrayLike, NDArray

from .audio import MINIMUM_S, check_samples
from .confidence import CONFIDENCE_FLOOR, DESCRIPTOR, Confidence, DomainStatistics, confidence
from .errors import InputError
from .face import Face, decoded_face
from .front_end import ClipFrontEnd, FrontEnd, FrontEndSpec, clip_front_end
from .listener import Heard, Listener
from .resample import MODEL_RATE_HZ, Resampler
from .speech import SpeechDetector
from .speech_gate import RUN_STRETCHES, SpeechGate
from .streaming_encoder import StreamingEncoder, StreamingSpec
from .talk_listener import TalkListener

if TYPE_CHECKING:
    from .avatar import AvatarStatistics
    from .bundle import Bundle
    from .engines import Session
    from .manifest import Manifest
    from .stream import CallStream

_BLOCK_SAMPLES = 65_536


class Pipeline:
    """A bundle's way from a voice to a face, on one engine and precision, for any number of threads.

    Parameters
    ----------
    bundle
        Open; it stays the caller's to close.
    engine, precision, threads
        As in `Bundle.session`; the part that finds speech runs in the precision that it has.

    Raises
    ------
    InputError
        When the bundle's front end, warp or domain is of a kind this version does not know, or it has no part
        that finds speech.
    """

    def __init__(
        self, bundle: Bundle, *, engine: str = "auto", precision: str = "auto", threads: int | None = None
    ) -> None:
        manifest = bundle.manifest
        self._shape = shape = manifest.face
        if shape.warp is not None and shape.warp.order != 1:
            raise InputError("order of the bundle's warp", got=shape.warp.order, expected=1)
        self._open: Callable[[str], Session] = partial(
            bundle.session, engine=engine, precision=precision, threads=threads
        )
        self._open_any: Callable[[str], Session] = partial(bundle.session, engine=engine, threads=threads)
        self._manifest = manifest
        self._front_end = _front_end_spec(manifest)
        self._speech_part, self._speech_threshold = _voice_activity(manifest)
        self._domain = _domain(manifest)
        self._avatar_statistics = _avatar_statistics(manifest)
        self._mean_feature = None if shape.mean_feature is None else np.array(shape.mean_feature, np.float32)

    def feature(self, samples: ArrayLike, *, sample_rate: int) -> NDArray[np.float32]:
        """The feature of a voice, [D].

        Parameters
        ----------
        samples, sample_rate
            As in `reconstruct`.

        Raises
        ------
        InputError
            As `reconstruct`.
        """
        return self._hear(_blocks(samples, sample_rate), sample_rate).feature

    def decode(self, feature: ArrayLike, *, exaggeration: float = 0.0) -> Face:
        """The face of a feature, taken at its word: confidence 1.

        Parameters
        ----------
        feature
            [D].
        exaggeration
            ``e`` of ``feature + e (feature - mean feature)``: 0 decodes the feature as it is.

        Raises
        ------
        InputError
            When the feature is not a finite vector, or an exaggeration is asked for and the bundle stores no
            mean feature.
        """
        vector = self._exaggerated(_checked_feature(feature), exaggeration)
        decoded = self._open("decoder").run({"feature": vector[np.newaxis]})
        face = decoded_face(vector, decoded, self._shape)
        return replace(face, avatar_statistics=self._avatar_statistics)

    def reconstruct(self, samples: ArrayLike, *, sample_rate: int, exaggeration: float = 0.0) -> Face:
        """The face that fits a voice.

        Parameters
        ----------
        samples
            Mono, at least 25 ms; floating-point with full scale [-1, 1], or int16.
        sample_rate
            Samples per second, in hertz.
        exaggeration
            As in `decode`.

        Returns
        -------
        Face
            Of no confidence where there is too little speech, or none: see ``confidence`` and ``reason``.

        Raises
        ------
        InputError
            When the samples are not mono, too few, not finite or far beyond full scale, or as `decode`.
        """
        blocks = _blocks(samples, sample_rate)
        return self.reconstruct_blocks(blocks, sample_rate=sample_rate, exaggeration=exaggeration)

    def reconstruct_blocks(
        self, blocks: Iterable[ArrayLike], *, sample_rate: int, exaggeration: float = 0.0
    ) -> Face:
        """The face that fits a voice of any length, in bounded memory: see `reconstruct`.

        Parameters
        ----------
        blocks
            Mono floating-point samples, piece by piece; how they are cut makes no difference.
        """
        return self.face_of(self._hear(blocks, sample_rate), exaggeration=exaggeration)

    def stream(
        self,
        *,
        sample_rate: int,
        encoding: str | None = None,
        channels: int = 1,
        channel: int = 0,
        update_every_speech_s: float = 0.5,
        first_update_speech_s: float = 1.0,
        exaggeration: float = 0.0,
    ) -> CallStream:
        """Hear a call as it goes on; the arguments are those of `CallStream`.

        Any number of calls may go on at once, from any threads: they share the loaded model.
        """
        from .stream import CallStream

        self._open("decoder")  # loaded now, and not when the first face is due
        return CallStream(
            self,
            sample_rate=sample_rate,
            encoding=encoding,
            channels=channels,
            channel=channel,
            update_every_speech_s=update_every_speech_s,
            first_update_speech_s=first_update_speech_s,
            exaggeration=exaggeration,
        )

    def listener(self) -> Listener:
        """A new listener for a recording."""
        return self._listener_with(self._speech_gate(run_stretches=1))

    def call_listener(self) -> TalkListener | Listener:
        """A new listener for a call: one that computes each frame once, where the bundle has the parts."""
        gate = self._speech_gate(run_stretches=RUN_STRETCHES)
        encoder = self._streaming_encoder()
        if encoder is None:
            return self._listener_with(gate)
        return TalkListener(gate=gate, front_end=FrontEnd(self._front_end), encoder=encoder)

    def _streaming_encoder(self) -> StreamingEncoder | None:
        """A stream of step and head; None where the bundle has none for this engine and precision."""
        spec, parts = StreamingSpec.from_manifest(self._manifest), self._manifest.streaming
        if spec is None or parts is None:
            return None
        try:
            return StreamingEncoder(self._open(parts.step), self._open(parts.head), spec)
        except InputError:
            return None

    def _listener_with(self, gate: SpeechGate) -> Listener:
        return Listener(
            gate=gate,
            encode=partial(self._encode, clip_front_end(self._front_end)),
            clip_samples=self._front_end.clip_samples,
        )

    def _speech_gate(self, *, run_stretches: int) -> SpeechGate:
        detector = SpeechDetector(self._open_any(self._speech_part).run)
        return SpeechGate(detector, threshold=self._speech_threshold, run_stretches=run_stretches)

    def face_of(self, heard: Heard, *, exaggeration: float = 0.0) -> Face:
        """The face of what was heard, with its confidence."""
        trust = self._confidence(heard)
        return replace(
            self.decode(heard.feature, exaggeration=exaggeration),
            confidence=trust.value,
            confidence_floor=CONFIDENCE_FLOOR,
            reason=trust.reason,
            speech_s=heard.speech_s,
            narrowband=heard.narrowband,
        )

    def _hear(self, blocks: Iterable[ArrayLike], sample_rate: int) -> Heard:
        resampler = Resampler(from_hz=sample_rate)
        listener = self.listener()
        for block in blocks:
            listener.push(resampler.push(block))
        listener.push(resampler.flush())
        if listener.samples < MINIMUM_S * MODEL_RATE_HZ:
            raise InputError(
                "the recording is too short",
                got=f"{1000 * listener.samples / MODEL_RATE_HZ:.3g} ms",
                expected=f"at least {1000 * MINIMUM_S:g} ms",
            )
        return listener.heard()

    def _encode(self, front_end: ClipFrontEnd, clip: NDArray[np.float32]) -> NDArray[np.float32]:
        frames = front_end.frames(clip)
        feature: NDArray[np.float32] = self._open("encoder").run({"frames": frames[np.newaxis]})["feature"][0]
        return feature

    def _exaggerated(self, feature: NDArray[np.float32], exaggeration: float) -> NDArray[np.float32]:
        if not np.isfinite(exaggeration):
            raise InputError("exaggeration", got=exaggeration, expected="a finite number")
        if exaggeration == 0:
            return feature
        if self._mean_feature is None:
            raise InputError(
                "this bundle stores no mean feature to exaggerate about", hint="use exaggeration 0"
            )
        if feature.shape != self._mean_feature.shape:
            raise InputError("feature", got=f"shape {feature.shape}", expected=self._mean_feature.shape)
        return feature + np.float32(exaggeration) * (feature - self._mean_feature)

    def _confidence(self, heard: Heard) -> Confidence:
        if self._domain is None:
            return confidence(speech_s=heard.speech_s, sound_s=heard.sound_s)
        return confidence(
            speech_s=heard.speech_s,
            sound_s=heard.sound_s,
            distance=self._domain.distance(heard.descriptor),
            distance_p99=self._domain.distance_p99,
        )


def _blocks(samples: ArrayLike, sample_rate: int) -> Iterator[NDArray[np.float32]]:
    checked = check_samples(samples, sample_rate_hz=sample_rate)
    return (checked[start : start + _BLOCK_SAMPLES] for start in range(0, len(checked), _BLOCK_SAMPLES))


def _checked_feature(feature: ArrayLike) -> NDArray[np.float32]:
    vector = np.asarray(feature, np.float32)
    if vector.ndim != 1 or not np.isfinite(vector).all():
        raise InputError("feature", got=f"shape {vector.shape}", expected="one dimension, finite numbers")
    return vector


def _front_end_spec(manifest: Manifest) -> FrontEndSpec:
    spec = manifest.front_end
    if spec.sample_rate_hz != MODEL_RATE_HZ:
        raise InputError(
            "sample rate of the bundle's front end", got=spec.sample_rate_hz, expected=MODEL_RATE_HZ
        )
    return spec


def _voice_activity(manifest: Manifest) -> tuple[str, float]:
    if manifest.voice_activity is None:
        raise InputError(
            "the bundle has no part that finds speech", hint="export it again with this version of voxtoon"
        )
    return manifest.voice_activity.part, manifest.voice_activity.threshold


def _domain(manifest: Manifest) -> DomainStatistics | None:
    domain = manifest.domain
    if domain is None:
        return None
    if domain.descriptor != DESCRIPTOR:
        raise InputError("descriptor of the bundle's domain", got=domain.descriptor, expected=DESCRIPTOR)
    return DomainStatistics(
        np.array(domain.mean), np.array(domain.whitener), domain.distance_p50, domain.distance_p99
    )


def _avatar_statistics(manifest: Manifest) -> AvatarStatistics | None:
    from .avatar import AvatarStatistics

    stored = manifest.avatar_statistics
    return None if stored is None else AvatarStatistics(mean=stored.mean, std=stored.std)
