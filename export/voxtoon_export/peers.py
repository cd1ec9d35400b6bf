"""What a user would have otherwise: the same parts by torch and other engines, in one process, by turns.

A peer that is not installed, or cannot take a part, is told with its reason; none is left out in silence.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from importlib import metadata
from operator import attrgetter
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, Protocol

import numpy as np

from voxtoon import __version__
from voxtoon.agreement import compare
from voxtoon.bench.protocol import rounds, run_on
from voxtoon.bench.record import OURS, Peer, Settings
from voxtoon.bench.samples import Latency
from voxtoon.bench.stages import Opened, Stage
from voxtoon.errors import InputError

from . import peer_engines
from .converter_noise import silenced
from .peer_engines import Arrays, Run

if TYPE_CHECKING:
    from .checkpoint import Checkpoint

PARTS: Final = ("encoder", "decoder")


@dataclass(frozen=True)
class _Part:
    """A part that peers are to run: what they may start from."""

    opened: Opened
    name: str
    inputs: Arrays
    checkpoint: Checkpoint | None
    threads: int

    @property
    def network(self) -> Any:
        """The part in torch."""
        if self.checkpoint is None:
            raise InputError("it starts from torch: name the checkpoint with --checkpoint")
        return self.checkpoint.network(self.name)

    @cached_property
    def plain_onnx(self) -> bytes:
        """The part as torch exports it."""
        return peer_engines.plain_export(self.network, self.inputs)

    @property
    def our_onnx(self) -> bytes:
        """The part as the bundle holds it in float32."""
        bundle = self.opened.bundle
        for artefact in bundle.manifest.artefacts_of(self.name):
            if (artefact.format, artefact.precision) == ("onnx", "fp32"):
                return bundle.read(artefact.file)
        raise InputError("the bundle holds no onnx fp32 of it")


class _Ready(Protocol):
    """Makes what a peer starts from ready to be run."""

    def __call__(self, source: Any, inputs: Arrays, /, *, threads: int) -> Run:
        """Load, compile or convert it."""


@dataclass(frozen=True)
class _Peer:
    """A peer: its name, the package that its version is of, what it starts from and what makes that ready."""

    name: str
    package: str
    source: Callable[[_Part], Any]
    ready: _Ready


_PEERS: Final = (
    _Peer("torch eager", "torch", attrgetter("network"), peer_engines.torch_eager),
    _Peer("torch.compile", "torch", attrgetter("network"), peer_engines.torch_compile),
    _Peer("onnxruntime, plain export", "onnxruntime", attrgetter("plain_onnx"), peer_engines.onnxruntime),
    _Peer("onnxruntime, our fp32", "onnxruntime", attrgetter("our_onnx"), peer_engines.onnxruntime),
    _Peer("OpenVINO, plain export", "openvino", attrgetter("plain_onnx"), peer_engines.openvino),
    _Peer("ncnn through pnnx", "ncnn", attrgetter("network"), peer_engines.ncnn),
)


def measure(opened: Opened, *, checkpoint: Checkpoint | None, warmup_runs: int, runs: int) -> Iterator[Peer]:
    """Run every peer on encoder, decoder and front end, and voxtoon beside them.

    Parameters
    ----------
    opened
        The bundle; its settings are voxtoon's, and its number of threads is everybody's.
    checkpoint
        What the bundle was made of; without it the peers that start from torch are told as missing.
    warmup_runs, runs
        As in `Protocol`.
    """
    inputs: Arrays = {"frames": opened.golden.frames}
    for name in PARTS:
        part = _Part(opened, name, inputs, checkpoint, opened.settings.threads or 1)
        expected = opened.session(name).run(inputs)
        yield from _measured(part, expected, warmup_runs, runs)
        inputs = {"feature": expected["feature"]} if "feature" in expected else inputs
    yield from _front_ends(opened, warmup_runs, runs)


def measure_bundle(
    path: Path, settings: Settings, *, checkpoint: Checkpoint | None, warmup_runs: int, runs: int
) -> Iterator[Peer]:
    """Open a bundle and `measure`, on the cores of the settings; raises as opening does."""
    from voxtoon.bundle import open_bundle
    from voxtoon.golden import Golden

    run_on(settings.cpus)
    with open_bundle(path) as bundle:
        opened = Opened(bundle, settings, Golden(bundle))
        yield from measure(opened, checkpoint=checkpoint, warmup_runs=warmup_runs, runs=runs)


def _measured(part: _Part, expected: Arrays, warmup_runs: int, runs: int) -> Iterator[Peer]:
    session = part.opened.session(part.name)
    ways: dict[str, Stage] = {OURS: lambda: session.run(part.inputs)}
    differences: dict[str, float] = {}
    problems: dict[str, str] = {}
    for peer in _PEERS:
        try:
            with silenced():
                way = peer.ready(peer.source(part), part.inputs, threads=part.threads)
                differences[peer.name] = _difference(expected, way())
            ways[peer.name] = way
        except Exception as error:  # whatever it is that a peer cannot do
            problems[peer.name] = _reason(error)
    found = _by_turns(ways, warmup_runs, runs)
    yield Peer(part.name, OURS, _version(OURS), found[OURS], None)
    for peer in _PEERS:
        version, problem = _version(peer.package), problems.get(peer.name)
        yield Peer(part.name, peer.name, version, found.get(peer.name), differences.get(peer.name), problem)


def _front_ends(opened: Opened, warmup_runs: int, runs: int) -> Iterator[Peer]:
    """Compare the time of a clip's frames; librosa's are alike and not the same, so no difference is told."""
    from voxtoon.front_end import clip_front_end, tile_clip

    spec = opened.bundle.manifest.front_end
    clip = tile_clip(opened.golden.audio, clip_samples=spec.clip_samples)
    ways: dict[str, Stage] = {OURS: lambda: clip_front_end(spec).frames(clip)}
    bands = opened.golden.frames.shape[2]
    packages = {OURS: OURS}
    try:
        from librosa import stft
        from librosa.feature import melspectrogram

        if opened.golden.frames.shape[-1] == 1:
            packages["librosa melspectrogram"] = "librosa"
            ways["librosa melspectrogram"] = lambda: np.log(
                melspectrogram(y=clip, sr=16_000, n_mels=bands, n_fft=512, win_length=400, hop_length=160)
                + 1e-6
            )
        else:
            packages["librosa stft"] = "librosa"
            ways["librosa stft"] = lambda: stft(clip, n_fft=512, win_length=400, hop_length=160)
    except ImportError as error:
        yield Peer("front_end", "librosa", None, None, None, _reason(error))
    for name, latency in _by_turns(ways, warmup_runs, runs).items():
        yield Peer("front_end", name, _version(packages[name]), latency, None)


def _by_turns(ways: Mapping[str, Stage], warmup_runs: int, runs: int) -> dict[str, Latency]:
    times = rounds(ways, warmup_runs=warmup_runs, runs=runs, between=lambda: None)
    return {name: Latency.of(found) for name, found in times.items()}


def _difference(expected: Arrays, found: list[Any]) -> float:
    """The largest difference, each output compared with the one of its shape."""
    worst = 0.0
    for name, reference in expected.items():
        same = [np.asarray(array) for array in found if np.asarray(array).shape == reference.shape]
        if len(same) != 1:
            raise InputError("outputs", got=[np.asarray(array).shape for array in found], expected=name)
        worst = max(worst, compare(reference, same[0], what=name).max_abs_relative)
    return worst


def _version(package: str) -> str | None:
    if package == OURS:
        return __version__
    try:
        return metadata.version(package)
    except metadata.PackageNotFoundError:
        return None


def _reason(error: Exception) -> str:
    lines = str(error).strip().splitlines() or [type(error).__name__]
    return lines[0][:100]
