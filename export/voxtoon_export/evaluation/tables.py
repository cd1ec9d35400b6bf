"""The paper's tables, each from the measured arrays; every one has a row that knows nothing of the voice."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike

from voxtoon_export.evaluation import craniofacial
from voxtoon_export.evaluation.consistency import consistency
from voxtoon_export.evaluation.fidelity import PrincipalComponents, component_correlations
from voxtoon_export.evaluation.figures import angles_deg, r2, shuffled_orders
from voxtoon_export.evaluation.measure import LENGTHS_S, FaceSide, Measured
from voxtoon_export.evaluation.retrieval import METRICS, chance, ranks_at, recall

SHUFFLES = 20  # averaged, so that the row of chance is not itself a matter of chance
LONGEST_S = LENGTHS_S[-1]


@dataclass(frozen=True)
class Table:
    """A table of figures: `rows` maps a row's name to one figure per column, None where there is none."""

    key: str
    title: str
    columns: tuple[str, ...]
    rows: Mapping[str, tuple[float | None, ...]]
    decimals: int


def all_tables(measured: Measured, training: PrincipalComponents) -> list[Table]:
    """Every table that the bundle's parts allow."""
    tables = [fidelity(measured, training), components(measured, training)]
    if measured.faces is not None:
        tables += [
            feature_angle(measured, measured.faces),
            retrieval(measured, measured.faces),
            craniofacial_correlations(measured, measured.faces),
        ]
    return [*tables, avatar_consistency(measured)]


def fidelity(measured: Measured, training: PrincipalComponents) -> Table:
    """R2 of the drawn faces, with the mean face of the training speakers as 0 and the published one as 1."""
    published = measured.published.reshape(len(measured.speakers), -1)
    drawn = measured.drawn.reshape(published.shape)
    shuffled = [r2(drawn[order], published, training.mean) for order in _orders(measured)]
    rows = {
        "voice": (r2(drawn, published, training.mean),),
        "mean face": (r2(training.mean, published, training.mean),),
        "shuffled voices": (float(np.mean(shuffled)),),
    }
    return Table("fidelity", "Fidelity to the published faces, 56 x 56", ("R2",), rows, 3)


def components(measured: Measured, training: PrincipalComponents) -> Table:
    """Correlation along the directions in which the training speakers' faces differ most."""
    drawn, published = measured.drawn, measured.published
    shuffled = [component_correlations(training, drawn[order], published) for order in _orders(measured)]
    rows = {
        "share of the variance": _row(training.shares),
        "voice": _row(component_correlations(training, drawn, published)),
        "shuffled voices, mean |r|": _row(np.mean(np.abs(shuffled), axis=0)),
    }
    columns = tuple(f"PC {number}" for number in range(1, len(training.shares) + 1))
    return Table("components", "Correlation of the principal components (r)", columns, rows, 2)


def feature_angle(measured: Measured, faces: FaceSide) -> Table:
    """Angle between the voice's feature and the published face's, as it is and about the mean feature."""
    wanted, centre = faces.feature_s2f, measured.mean_feature

    def row(features: ArrayLike, wanted: ArrayLike) -> tuple[float | None, ...]:
        plain = angles_deg(features, wanted)
        centred = angles_deg(np.subtract(features, centre), np.subtract(wanted, centre))
        return _row([plain.mean(), plain.std(), centred.mean(), centred.std()])

    longest = measured.features[LONGEST_S]
    orders = np.concatenate(_orders(measured))
    rows = {f"voice, {length_s:.0f} s": row(found, wanted) for length_s, found in measured.features.items()}
    rows["mean face"] = row(np.broadcast_to(centre, wanted.shape), wanted)
    rows["shuffled voices"] = row(longest[orders], np.tile(wanted, (SHUFFLES, 1)))
    columns = ("angle", "sd", "about the mean", "sd about the mean")
    return Table("feature_angle", "Angle to the published face's feature (degrees)", columns, rows, 1)


def retrieval(measured: Measured, faces: FaceSide) -> Table:
    """Recall (%) of each clip's face_f2f among those of all clips; the cosine is about the mean feature."""
    centre = measured.mean_feature.astype(np.float64)
    gallery = faces.feature_f2f - centre
    ranks = ranks_at(len(gallery))

    def row(queries: ArrayLike, metric: str) -> tuple[float | None, ...]:
        distances = METRICS[metric](np.asarray(queries) - centre, gallery)
        return tuple(100.0 * recall(distances, rank) for rank in ranks.values())

    longest = measured.features[LONGEST_S]
    rows = {}
    for metric in METRICS:
        for length_s, found in measured.features.items():
            rows[f"voice, {length_s:.0f} s, {metric}"] = row(found, metric)
        rows[f"mean face, {metric}"] = row(np.broadcast_to(measured.mean_feature, gallery.shape), metric)
        shuffled = [row(longest[order], metric) for order in _orders(measured)]
        rows[f"shuffled voices, {metric}"] = _row(np.mean(np.array(shuffled, dtype=np.float64), axis=0))
    rows["chance"] = tuple(100.0 * chance(rank, len(gallery)) for rank in ranks.values())
    title = f"Retrieval of face_f2f by voice, gallery of {len(gallery)} (recall, %)"
    return Table("retrieval", title, tuple(ranks), rows, 1)


def craniofacial_correlations(measured: Measured, faces: FaceSide) -> Table:
    """Pearson's r of each measure between two decodings: of the voice, and of a published face."""
    published = (faces.landmarks_s2f, faces.landmarks_f2f)
    found = [craniofacial.correlations(measured.landmarks, other) for other in published]
    rows = {name: _row([column[name] for column in found]) for name in craniofacial.MEASURES}
    shuffled = [
        [list(craniofacial.correlations(measured.landmarks[order], other).values()) for other in published]
        for order in _orders(measured)
    ]
    rows["random, mean |r|"] = _row(np.mean(np.abs(shuffled), axis=(0, 2)))
    title = "Craniofacial measures, decoded voice against decoded published face (r)"
    return Table("craniofacial", title, ("face_s2f", "face_f2f"), rows, 2)


def avatar_consistency(measured: Measured) -> Table:
    """Distance between clips of one speaker over that between speakers, for those with several clips."""
    vectors = {
        "avatar parameters": measured.avatars,
        "drawn face": measured.drawn.reshape(len(measured.speakers), -1),
        "published face": measured.published.reshape(len(measured.speakers), -1),
    }
    rows = {}
    pairs = 0
    for name, values in vectors.items():
        if values is not None:
            found = consistency(values, measured.speakers)
            rows[name] = _row([found.same, found.different, found.ratio])
            pairs = found.same_pairs
    title = f"Same speaker against different speakers, {pairs} same-speaker pairs (distance)"
    return Table("avatar_consistency", title, ("same", "different", "ratio"), rows, 2)


def _orders(measured: Measured) -> list[np.ndarray]:
    return shuffled_orders(measured.speakers, count=SHUFFLES, seed=0)


def _row(values: ArrayLike) -> tuple[float | None, ...]:
    """Plain numbers, with None for what is not a number."""
    return tuple(
        float(value) if np.isfinite(value) else None for value in np.asarray(values, dtype=np.float64)
    )
