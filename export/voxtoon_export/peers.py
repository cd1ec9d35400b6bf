"""What a user would have otherwise: the same parts by torch and other engines, in one process, by turns.

A peer that is not installed, or cannot take a part, is told with its reason; none is left out in silence.
"""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from voxtoon.agreement import compare
from voxtoon.bench.protocol import rounds
from voxtoon.bench.record import Settings
from voxtoon.bench.samples import Summary
from voxtoon.bench.stages import Opened, Stage
from voxtoon.errors import InputError

from .converter_noise import silenced

if TYPE_CHECKING:
    from voxtoon.bundle import Bundle

    from .checkpoint import Checkpoint

Arrays = Mapping[str, Any]
Run = Callable[[], list[Any]]

OURS: Final = "voxtoon"
PARTS: Final = ("encoder", "decoder")


@dataclass(frozen=True)
class PeerResult:
    """One peer on one part.

    Parameters
    ----------
    part, peer
        What was run, and by whom.
    p50_s, ratio
        Median, and that over voxtoon's: above 1 the peer is slower. None where it could not be run.
    max_abs_relative
        Largest difference from voxtoon's own output, in shares of its scale.
    problem
        Why it could not be run.
    """

    part: str
    peer: str
    p50_s: float | None
    ratio: float | None
    max_abs_relative: float | None
    problem: str | None = None


def measure(
    opened: Opened, *, checkpoint: Checkpoint | None, warmup_runs: int, runs: int
) -> Iterator[PeerResult]:
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
    threads = opened.settings.threads or 1
    inputs: Arrays = {"frames": opened.golden.frames}
    for part in PARTS:
        session = opened.session(part)
        expected = session.run(inputs)
        ways: dict[str, Run] = {OURS: lambda s=session, i=inputs: list(s.run(i).values())}  # type: ignore[misc]
        yield from _measured(
            part, ways, _peers(opened.bundle, part, inputs, checkpoint, threads), expected, warmup_runs, runs
        )
        inputs = {"feature": expected["feature"]} if "feature" in expected else inputs
    yield from _front_ends(opened, warmup_runs, runs)


def _measured(
    part: str,
    ways: dict[str, Run],
    peers: Mapping[str, Callable[[], Run]],
    expected: Arrays,
    warmup_runs: int,
    runs: int,
) -> Iterator[PeerResult]:
    differences: dict[str, float] = {OURS: 0.0}
    for name, make in peers.items():
        try:
            with silenced():
                way = make()
                differences[name] = _difference(expected, way())
            ways[name] = way
        except Exception as error:  # whatever it is that a peer cannot do
            lines = str(error).strip().splitlines() or [type(error).__name__]
            yield PeerResult(part, name, None, None, None, lines[0][:100])
    stages: dict[str, Stage] = dict(ways)
    times = rounds(stages, warmup_runs=warmup_runs, runs=runs, between=lambda: None)
    medians = {name: Summary.of([time / 1e9 for time in found]).p50 for name, found in times.items()}
    for name, median in medians.items():
        yield PeerResult(part, name, median, median / medians[OURS], differences[name])


def _difference(expected: Arrays, found: list[Any]) -> float:
    """The largest difference, each output compared with the one of its shape."""
    worst = 0.0
    for name, reference in expected.items():
        same = [np.asarray(array) for array in found if np.asarray(array).shape == reference.shape]
        if len(same) != 1:
            raise InputError("outputs", got=[np.asarray(array).shape for array in found], expected=name)
        worst = max(worst, compare(reference, same[0], what=name).max_abs_relative)
    return worst


def _peers(
    bundle: Bundle, part: str, inputs: Arrays, checkpoint: Checkpoint | None, threads: int
) -> dict[str, Callable[[], Run]]:
    """Return what makes each peer ready."""
    onnx_fp32 = next(
        (a for a in bundle.manifest.artefacts_of(part) if (a.format, a.precision) == ("onnx", "fp32")), None
    )

    def content() -> bytes:
        if onnx_fp32 is None:
            raise InputError("the bundle holds no onnx fp32 of it")
        return bundle.read(onnx_fp32.file)

    def network() -> Any:
        if checkpoint is None:
            raise InputError("it starts from torch: name the checkpoint with --checkpoint")
        import torch

        torch.set_num_threads(threads)
        return checkpoint.network(part)

    return {
        "torch eager": lambda: _torch(network(), inputs, compiled=False),
        "torch.compile": lambda: _torch(network(), inputs, compiled=True),
        "onnxruntime, plain export": lambda: _onnxruntime(_plain_export(network(), inputs), inputs, threads),
        "onnxruntime, our fp32": lambda: _onnxruntime(content(), inputs, threads),
        "OpenVINO, our fp32": lambda: _openvino(content(), inputs, threads),
    }


def _torch(network: Any, inputs: Arrays, *, compiled: bool) -> Run:
    import torch

    (value,) = (torch.from_numpy(np.ascontiguousarray(array)) for array in inputs.values())
    module = torch.compile(network) if compiled else network

    def run() -> list[Any]:
        with torch.inference_mode():
            found = module(value)
        if isinstance(found, dict):
            found = tuple(found.values())
        tensors = found if isinstance(found, tuple) else (found,)
        return [tensor.numpy() for tensor in tensors]

    run()
    return run


def _plain_export(network: Any, inputs: Arrays) -> bytes:
    """What ``torch.onnx.export`` gives when asked for nothing."""
    import torch

    (value,) = (torch.from_numpy(np.ascontiguousarray(array)) for array in inputs.values())
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "plain.onnx")
        torch.onnx.export(network, (value,), str(path), external_data=False, verbose=False)
        return path.read_bytes()


def _onnxruntime(content: bytes, inputs: Arrays, threads: int) -> Run:
    """Run it as its documentation does, with all of its own defaults but the threads."""
    import onnxruntime  # type: ignore[import-untyped]

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    session = onnxruntime.InferenceSession(content, options, providers=["CPUExecutionProvider"])
    feeds = dict(zip((item.name for item in session.get_inputs()), inputs.values(), strict=True))
    return lambda: list(session.run(None, feeds))


def _openvino(content: bytes, inputs: Arrays, threads: int) -> Run:
    openvino = import_module("openvino")

    core = openvino.Core()
    (value,) = inputs.values()
    model = core.read_model(content, b"")
    model.reshape(list(value.shape))
    compiled = core.compile_model(model, "CPU", {"INFERENCE_NUM_THREADS": threads})
    return lambda: list(compiled([value]).values())


def _front_ends(opened: Opened, warmup_runs: int, runs: int) -> Iterator[PeerResult]:
    """Compare the time of a clip's frames; librosa's are alike and not the same, so no difference is told."""
    from voxtoon.front_end import clip_front_end, tile_clip

    spec = opened.bundle.manifest.front_end
    clip = tile_clip(opened.golden.audio, clip_samples=spec.clip_samples)
    ways: dict[str, Stage] = {OURS: lambda: clip_front_end(spec).frames(clip)}
    bands = opened.golden.frames.shape[2]
    try:
        from librosa import stft
        from librosa.feature import melspectrogram

        if opened.golden.frames.shape[-1] == 1:
            ways["librosa melspectrogram"] = lambda: np.log(
                melspectrogram(y=clip, sr=16_000, n_mels=bands, n_fft=512, win_length=400, hop_length=160)
                + 1e-6
            )
        else:
            ways["librosa stft"] = lambda: stft(clip, n_fft=512, win_length=400, hop_length=160)
    except ImportError as error:
        yield PeerResult("front_end", "librosa", None, None, None, str(error))
    times = rounds(ways, warmup_runs=warmup_runs, runs=runs, between=lambda: None)
    medians = {name: Summary.of([time / 1e9 for time in found]).p50 for name, found in times.items()}
    for name, median in medians.items():
        yield PeerResult("front_end", name, median, median / medians[OURS], None)


def measure_bundle(
    path: Path, settings: Settings, *, checkpoint: Path | None, warmup_runs: int, runs: int
) -> list[PeerResult]:
    """Open everything and `measure`; raises as opening does."""
    from voxtoon.bundle import open_bundle
    from voxtoon.golden import Golden

    from .checkpoint import load_checkpoint

    loaded = None if checkpoint is None else load_checkpoint(checkpoint)
    with open_bundle(path) as bundle:
        opened = Opened(bundle, settings, Golden(bundle))
        return list(measure(opened, checkpoint=loaded, warmup_runs=warmup_runs, runs=runs))
