"""A small bundle that keeps every rule: what the attacks start from."""

import copy
import hashlib
import json
import stat
import zipfile
from pathlib import Path

FILES = {
    "encoder.fp32.onnx": b"an encoder" * 100,
    "encoder.fp16.onnx": b"a smaller encoder" * 30,
    "decoder.fp32.onnx": b"a decoder" * 100,
    "face_encoder.fp32.onnx": b"a face encoder",
    "voice_activity.fp32.onnx": b"a detector",
    "encoder_step.fp32.onnx": b"a step",
    "head.fp32.onnx": b"a head",
    "golden/audio.npy": b"samples",
    "golden/feature.npy": b"a feature",
    "model_card.md": b"# The model card\n\nTrained on nothing.\n",
}

FRONT_END = {
    "kind": "log_mel",
    "sample_rate_hz": 16000,
    "window": "hann_periodic",
    "window_samples": 400,
    "hop_samples": 160,
    "fft_samples": 512,
    "framing": "uncentred",
    "pad_side": "right",
    "clip_samples": 96000,
    "input_scale": 1.0,
    "exponent": None,
    "mel_bins": 64,
    "mel_low_hz": 125.0,
    "mel_high_hz": 7500.0,
    "mel_floor": 1e-6,
    "log_offset": 4.0,
    "log_scale": 0.25,
    "pre_emphasis": None,
    "division": None,
}
COMPLEX_FRONT_END = {
    **FRONT_END,
    "kind": "complex_power",
    "exponent": 0.3,
    **dict.fromkeys(("mel_bins", "mel_low_hz", "mel_high_hz", "mel_floor", "log_offset", "log_scale")),
}

WAVEFORM_FRONT_END = {
    **dict.fromkeys(FRONT_END),
    "kind": "waveform",
    "sample_rate_hz": 16000,
    "clip_samples": 16000,
    "input_scale": 1.0,
    "pre_emphasis": 0.95,
    "division": "py2_floor",
}


def tensor(name, *axes):
    """A tensor from (axis, length) pairs; a length may be a name."""
    return {
        "name": name,
        "shape": [length for _, length in axes],
        "dtype": "float32",
        "axes": [axis for axis, _ in axes],
    }


FRAMES = tensor("frames", ("batch", 1), ("time", "time"), ("frequency", 64), ("channel", 1))
FEATURE = tensor("feature", ("batch", 1), ("feature", 4))
TEXTURE = tensor("texture", ("batch", 1), ("y", 224), ("x", 224), ("channel", 3))
LANDMARKS = tensor("landmarks", ("batch", 1), ("point", 68), ("coordinate", 2))
IMAGE = tensor("image", ("batch", 1), ("y", 56), ("x", 56), ("channel", 3))
WINDOW = tensor("input", ("batch", 1), ("time", 576))
SPEECH = tensor("output", ("batch", 1), ("speech", 1))
CALL = tensor("frames", ("batch", 1), ("time", 64), ("frequency", 64), ("channel", 1))
STATE = tensor("state_0", ("batch", 1), ("time", 3), ("frequency", 64), ("channel", 1))
NEXT_STATE = tensor("next_state_0", ("batch", 1), ("time", 3), ("frequency", 64), ("channel", 1))
TRUNK = tensor("trunk", ("batch", 1), ("time", 1), ("frequency", 1), ("channel", 2))
VALID = tensor("valid", ("batch", 1), ("time", 1))
MEAN = tensor("mean", ("batch", 1), ("time", 1), ("frequency", 1), ("channel", 2))


def part(name, inputs, outputs, **others):
    """A part; what is not given gets a plain value."""
    return {
        "name": name,
        "inputs": inputs,
        "outputs": outputs,
        "parameters": 10,
        "licence": "Apache-2.0",
        "role": "runtime",
        "minimum_frames": None,
        "macs_per_clip": None,
        **others,
    }


def artefact(part_name, precision="fp32", **others):
    """An artefact in onnx; what is not given gets a plain value."""
    return {
        "part": part_name,
        "format": "onnx",
        "precision": precision,
        "file": f"{part_name}.{precision}.onnx",
        "minimum_runtime": {"onnxruntime": "1.20"},
        "recipe": None,
        "parity": {
            "reference": "torch",
            "max_abs": 1e-6,
            "max_abs_relative": 1e-7,
            "psnr_db": 140.0,
            "cosine": 1.0,
            "tolerance": {"max_abs_relative": 1e-5},
        },
        "quality": None,
        "states": {},
        **others,
    }


def manifest(files=FILES):
    """The manifest of a valid bundle with these files, as JSON values; a fresh one at each call."""
    found = {
        "format": "voxtoon-bundle",
        "format_version": "1.0",
        "system": "speech2face",
        "variant": "speech2face-mel-w4",
        "front_end": FRONT_END,
        "parts": [
            part("encoder", [FRAMES], [FEATURE], minimum_frames=259, macs_per_clip=1000),
            part("decoder", [FEATURE], [TEXTURE, LANDMARKS]),
            part("face_encoder", [IMAGE], [FEATURE], role="evaluation"),
            part("voice_activity", [WINDOW], [SPEECH], licence="MIT"),
            part("encoder_step", [CALL, STATE], [TRUNK, VALID, NEXT_STATE]),
            part("head", [MEAN], [FEATURE]),
        ],
        "artefacts": [
            artefact("encoder"),
            artefact("encoder", "fp16", quality={"fidelity_r2": 0.5}),
            artefact("decoder"),
            artefact("face_encoder"),
            artefact("voice_activity", parity=None),
            artefact("encoder_step"),
            artefact("head"),
        ],
        "files": {
            name: {"bytes": len(content), "sha256": hashlib.sha256(content).hexdigest()}
            for name, content in files.items()
        },
        "face": {
            "image_size_px": 224,
            "topology": "ibug68",
            "mean_landmarks": [[float(index), float(2 * index)] for index in range(68)],
            "mean_feature": [0.0, 0.5, 1.0, -1.0],
            "feature_std": [1.0, 1.0, 2.0, 1.0],
            "warp": {"order": 1, "regularisation": 0.1, "boundary_points_per_edge": 1},
            "head": None,
        },
        "domain": {
            "descriptor": "log_mel_mean_std",
            "mean": [0.0, 1.0],
            "whitener": [[1.0, 0.0], [0.5, 1.0]],
            "distance_p50": 1.0,
            "distance_p99": 3.0,
        },
        "avatar_statistics": {"mean": {"jaw_width": 0.5}, "std": {"jaw_width": 0.1}},
        "voice_activity": {
            "part": "voice_activity",
            "window_samples": 512,
            "context_samples": 64,
            "threshold": 0.5,
        },
        "streaming": {
            "step": "encoder_step",
            "head": "head",
            "frames_per_call": 64,
            "lead_frames": 61,
            "first_output_frames": 259,
            "stride_frames": 64,
        },
        "golden": {"audio": "golden/audio.npy", "feature": "golden/feature.npy"},
        "model_card": "model_card.md",
        "licence": "Apache-2.0",
        "intended_use": "Research demonstration.",
        "limits": "A cartoon, not a likeness.",
    }
    return copy.deepcopy(found)  # an attack changes it


def picture_manifest():
    """The manifest of a valid bundle whose decoder draws the picture itself; a fresh one at each call."""
    found = manifest()
    found["front_end"] = WAVEFORM_FRONT_END
    found["parts"][1]["outputs"] = [IMAGE]
    found["face"] |= {
        "image_size_px": 56,
        "topology": None,
        "mean_landmarks": None,
        "warp": None,
        "head": {"left": 0.15, "right": 0.85, "brows": 0.35, "chin": 0.95},
    }
    return found


def to_bytes(value):
    """JSON of the manifest; bytes are taken as they are."""
    return value if isinstance(value, bytes) else json.dumps(value).encode()


def write_folder(place: Path, manifest_json, files=FILES):
    """Write the bundle as a folder."""
    for name, content in {**files, "manifest.json": to_bytes(manifest_json)}.items():
        (place / name).parent.mkdir(parents=True, exist_ok=True)
        (place / name).write_bytes(content)


def zip_entry(name, *, mode=stat.S_IFREG | 0o644, compression=zipfile.ZIP_STORED):
    """A zip entry's header."""
    info = zipfile.ZipInfo(name)
    info.create_system, info.external_attr, info.compress_type = 3, mode << 16, compression
    return info


def write_zip(place: Path, manifest_json, files=FILES, *, extra=()):
    """Write the bundle as an uncompressed zip; ``extra`` are further (header, content) pairs."""
    with zipfile.ZipFile(place, "w") as archive:
        for name, content in {**files, "manifest.json": to_bytes(manifest_json)}.items():
            archive.writestr(zip_entry(name), content)
        for info, content in extra:
            archive.writestr(info, content)
