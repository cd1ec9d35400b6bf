"""Calibration audio: clips of a folder, one by one, speakers spread evenly, some as over a telephone.

Nothing is drawn by chance: the same folder gives the same clips in the same order, whatever its files' dates
and however the file system lists them.
"""

from __future__ import annotations

import csv
import hashlib
import os
from collections import defaultdict
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from itertools import chain, zip_longest
from pathlib import Path
from typing import Final

import numpy as np
from numpy.typing import NDArray

from voxtoon.errors import InputError
from voxtoon.resample import MODEL_RATE_HZ, resample

from .audio_files import SUFFIXES, read_any

Samples = NDArray[np.float32]

MAXIMUM_S: Final = 30.0
SILENT_PEAK: Final = 0.001  # -60 dB of full scale: below it there is noise at best
TELEPHONE_HZ: Final = 8_000
MU: Final = 255.0  # of the companding of G.711


@dataclass(frozen=True)
class CalibrationClip:
    """One clip: float32 samples at 16 kHz, and whether they went through a telephone."""

    path: Path
    speaker: str
    samples: Samples
    telephone: bool = False

    @property
    def name(self) -> str:
        """The file's name."""
        return self.path.name


@dataclass(frozen=True)
class Skipped:
    """A file that gave no clip, and why."""

    path: Path
    reason: str


@dataclass
class CalibrationAudio:
    """The clips of a folder, read as they are asked for; at most one is in memory.

    Parameters
    ----------
    folder
        Searched with its sub-folders. An ``index.csv`` with the columns ``clip`` (file name without its
        ending) and ``speaker`` says who speaks; without one, every file is a speaker of its own.
    clips
        How many recordings to use, at most.
    telephone_share
        Share of the recordings that are given a second time, as over a telephone.
    use_speaker
        Whether a speaker may be used: those that quality is judged on may not.

    Attributes
    ----------
    used, skipped, digest
        What the last iteration came to: how many recordings, the files that gave none, and a SHA-256 of all
        samples given.

    Raises
    ------
    InputError
        There is no such folder, or no sound file in it; on iteration, when not one of them could be used.
    """

    folder: Path
    clips: int = 64
    telephone_share: float = 0.25
    use_speaker: Callable[[str], bool] = lambda speaker: True
    used: int = field(default=0, init=False)
    skipped: list[Skipped] = field(default_factory=list, init=False)
    digest: str = field(default="", init=False)

    def __post_init__(self) -> None:
        if self.clips < 1:
            raise InputError("clips to calibrate on", got=self.clips, expected="1 or more")
        if not 0.0 <= self.telephone_share <= 1.0:
            raise InputError("share of telephone copies", got=self.telephone_share, expected="0 to 1")
        self._files = _spread(_found(self.folder, self.use_speaker))

    def __iter__(self) -> Iterator[CalibrationClip]:
        digest = hashlib.sha256()
        for clip in self._clips():
            digest.update(clip.samples.tobytes())
            self.digest = digest.hexdigest()
            yield clip

    def _clips(self) -> Iterator[CalibrationClip]:
        self.used, self.skipped = 0, []
        for path, speaker in self._files:
            if self.used == self.clips:
                return
            try:
                samples = _voice(path)
            except InputError as error:
                self.skipped.append(Skipped(path, str(error)))
                continue
            self.used += 1
            yield CalibrationClip(path, speaker, samples)
            # Exactly the share in any run of clips, and not by chance.
            if int(self.used * self.telephone_share) > int((self.used - 1) * self.telephone_share):
                yield CalibrationClip(path, speaker, over_telephone(samples), telephone=True)
        if self.used == 0:
            raise InputError(
                f"no usable recording among the {len(self.skipped)} of {self.folder}",
                got=f"for instance {self.skipped[0].reason}",
                expected="recordings of voices",
            )


def over_telephone(samples: Samples) -> Samples:
    """Return a signal of 16 kHz as a telephone passes it on: 8 kHz, 8 bits of mu-law, back at 16 kHz."""
    narrow = np.clip(resample(samples, from_hz=MODEL_RATE_HZ, to_hz=TELEPHONE_HZ), -1.0, 1.0)
    companded = np.sign(narrow) * np.log1p(MU * np.abs(narrow)) / np.log1p(MU)
    coded = np.round(companded * 127.0) / 127.0
    expanded = np.sign(coded) * np.expm1(np.abs(coded) * np.log1p(MU)) / MU
    return resample(expanded.astype(np.float32), from_hz=TELEPHONE_HZ)[: len(samples)]


def _voice(path: Path) -> Samples:
    audio = read_any(path, max_seconds_s=MAXIMUM_S)
    samples = resample(audio.samples, from_hz=audio.sample_rate_hz)
    peak = float(np.max(np.abs(samples), initial=0.0))
    if peak < SILENT_PEAK:
        raise InputError(f"{path}: silent", got=f"a peak of {peak:.2g}", expected=f"{SILENT_PEAK:g} or more")
    return samples


def _found(folder: Path, use_speaker: Callable[[str], bool]) -> dict[str, list[Path]]:
    """Sound files by speaker."""
    needed = f"a folder of voices ({' '.join(SUFFIXES)})"
    try:
        if not folder.is_dir():
            raise InputError("no calibration audio", got=f"no folder {folder}", expected=needed)
        readable = os.access(folder, os.R_OK | os.X_OK)
    except PermissionError:  # it is in a folder that cannot be read
        readable = False
    if not readable:
        raise InputError("the calibration folder cannot be read", got=folder, expected=needed)
    files = [path for path in folder.rglob("*") if path.suffix.lower() in SUFFIXES and path.is_file()]
    if not files:
        raise InputError("no calibration audio", got=f"no sound file in {folder}", expected=needed)
    speakers = _speakers(folder / "index.csv")
    found: dict[str, list[Path]] = defaultdict(list)
    for path in files:
        speaker = speakers.get(path.stem, path.relative_to(folder).as_posix())
        if use_speaker(speaker):
            found[speaker].append(path)
    if not found:
        raise InputError(
            "no calibration audio",
            got=f"all {len(files)} recordings in {folder} are of speakers kept for something else",
            expected="some more speakers",
        )
    return found


def _speakers(index: Path) -> dict[str, str]:
    """File names (without ending) to speakers; nothing where there is no index."""
    if not index.is_file():
        return {}
    try:
        with index.open(encoding="utf-8", newline="") as lines:
            return {row["clip"]: row["speaker"] for row in csv.DictReader(lines)}
    except (UnicodeDecodeError, csv.Error, KeyError) as error:
        raise InputError(
            "unreadable index", got=f"{index} ({error})", expected="UTF-8 CSV with clip and speaker"
        ) from error


def _spread(found: dict[str, list[Path]]) -> list[tuple[Path, str]]:
    """Take one file of each speaker, then a second of those who have one, and so on."""
    rows = [
        [(path, speaker) for path in sorted(found[speaker], key=lambda path: _shuffled(path.name))]
        for speaker in sorted(found, key=_shuffled)
    ]
    turns = chain.from_iterable(zip_longest(*rows))
    return [turn for turn in turns if turn is not None]


def _shuffled(name: str) -> bytes:
    """A key that puts names into an order that means nothing and never changes."""
    return hashlib.sha256(name.encode("utf-8", "surrogateescape")).digest()
