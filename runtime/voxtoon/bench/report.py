"""A page about some records: one HTML file that needs nothing else, for a phone, a screen and paper."""

from __future__ import annotations

import base64
from collections.abc import Iterator, Sequence
from html import escape
from pathlib import Path
from typing import TYPE_CHECKING, Final

import numpy as np

from voxtoon.bench.charts import Line, Point, curves, distribution, scatter
from voxtoon.bench.record import Record
from voxtoon.bench.stages import WHOLE
from voxtoon.bench.text import PEER_HEADER, busy_before, figures, latency_rows, name_of, peer_rows
from voxtoon.errors import VoxtoonError

if TYPE_CHECKING:
    from voxtoon.bundle import Bundle

_AVATAR_PX: Final = 192
_FULL_FIDELITY_DB: Final = 100.0
_STYLE: Final = Path(__file__).with_name("report.css")


def page(records: Sequence[Record], *, bundle: Path) -> str:
    """Write the page.

    Parameters
    ----------
    records
        One or more, whole or not.
    bundle
        The one they are of: its faces and avatars are drawn here, by the engines of this machine.
    """
    title = f"voxtoon bench: {records[0].model.variant if records[0].model else bundle.name}"
    sections = [
        *_warnings(records),
        *_section("What was measured", _overview(records)),
        *_section("Latency, warm", _latencies(records)),
        *_section("Beside others", _peers(records)),
        *_section("Distribution of the whole way", _distributions(records)),
        *_section("Without a pause", _sustained(records)),
        *_section("Size, speed, fidelity", _trade(records)),
        *_section("Faces and avatars", _faces(bundle)),
    ]
    style = _STYLE.read_text(encoding="utf-8")
    return (
        '<!doctype html>\n<html lang="en"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        f"<title>{escape(title)}</title><style>{style}</style></head>\n"
        f"<body><h1>{escape(title)}</h1>\n{''.join(sections)}</body></html>\n"
    )


def _section(title: str, content: str) -> Iterator[str]:
    if content:
        yield f"<section><h2>{escape(title)}</h2>{content}</section>\n"


def _warnings(records: Sequence[Record]) -> Iterator[str]:
    for record in records:
        if record.device is not None and record.device.emulated:
            yield _warning(
                record, "emulated: it shows whether the numbers are right, and nothing about speed"
            )
        busy = busy_before(record)
        if busy is not None:
            yield _warning(record, busy)
        if record.problem is not None:
            yield _warning(record, f"not whole: {record.problem}")
        if record.accurate is False:
            yield _warning(record, "some outputs miss their golden values: the times mean nothing")


def _warning(record: Record, text: str) -> str:
    return f'<p class="warning"><strong>{escape(name_of(record))}</strong>: {escape(text)}.</p>\n'


def _overview(records: Sequence[Record]) -> str:
    found = [figures(record) for record in records]
    labels = list(dict.fromkeys(label for one in found for label in one))
    rows = [[label, *(one.get(label, "-") for one in found)] for label in labels]
    return _table(["", *map(name_of, records)], rows, text_cells=len(records) == 1)


def _latencies(records: Sequence[Record]) -> str:
    tables = []
    for record in records:
        rows = [[stage.replace("_", " "), *cells] for stage, *cells in latency_rows(record)]
        if rows:
            header = [f"{name_of(record)}, ms", "p50", "p90", "p95", "p99", "max", "n"]
            tables.append(_table(header, rows))
    return "".join(tables)


def _peers(records: Sequence[Record]) -> str:
    tables = []
    for record in records:
        rows = [
            [f"{part.replace('_', ' ')}: {who}" + (f" ({problem})" if problem else ""), *cells]
            for part, who, *cells, problem in peer_rows(record)
        ]
        if rows:
            tables.append(_table([name_of(record), *PEER_HEADER[2:-1]], rows))
    note = "The ratio is the time of the other over that of voxtoon: above 1 the other is slower."
    return "".join(tables) + _note(note) if tables else ""


def _distributions(records: Sequence[Record]) -> str:
    """Of several records the whole way; of one its stages as well."""
    lines = []
    for record in records:
        for stage, latency in record.latency.items():
            if stage == WHOLE or (len(records) == 1 and stage in ("encoder", "decoder", "drawing")):
                name = stage if len(records) == 1 else name_of(record)
                lines.append(distribution(name, latency.samples.seconds()))
    return curves(lines, x="milliseconds", y="% of the runs took at most") if lines else ""


def _sustained(records: Sequence[Record]) -> str:
    lines, notes = [], []
    for record in records:
        if record.sustained is None:
            continue
        seconds = record.sustained.samples.seconds()
        width = max(1, len(seconds) // 200)
        whole = len(seconds) // width * width
        times = np.cumsum(seconds)[:whole].reshape(-1, width)[:, -1]
        lines.append(
            Line(name_of(record), times, np.median(seconds[:whole].reshape(-1, width), axis=1) * 1000)
        )
        notes.append(
            f"{name_of(record)}: the last {record.sustained.window_s:.0f} s take "
            f"{record.sustained.slowdown:.2f} times as long as the first."
        )
        heat = [(c.at_s, c.temperature_c) for c in record.conditions if c.temperature_c is not None]
        if heat:
            notes.append(f"From {heat[0][1]:.0f} to {max(t for _, t in heat):.0f} °C.")
    if not lines:
        return ""
    return curves(lines, x="seconds", y="ms for the whole way", from_zero=True) + _note(" ".join(notes))


def _trade(records: Sequence[Record]) -> str:
    """Each part of each record: its bytes, its median, and how near it comes to its golden values."""
    points, rows = [], []
    for record in records:
        fidelity = _fidelities(record)
        for used in record.artefacts:
            stage = "speech" if used.part not in record.latency else used.part
            if stage not in record.latency or used.part not in fidelity:
                continue
            milliseconds = 1000 * record.latency[stage].summary_s.p50
            decibels = fidelity[used.part]
            name = f"{used.part} {used.format} {used.precision}"
            name += f", {name_of(record)}" if len(records) > 1 else ""
            weight = min(1.0, decibels / _FULL_FIDELITY_DB)
            points.append(Point(name, used.bytes / 1e6, milliseconds, weight))
            rows.append([name, f"{used.bytes / 1e6:.2f}", f"{milliseconds:.2f}", f"{decibels:.0f}"])
    if not points:
        return ""
    table = _table(["", "MB", "p50 ms", "PSNR dB"], rows)
    note = _note(
        f"The larger a point, the nearer to its golden values; full size from {_FULL_FIDELITY_DB:g} dB."
    )
    return scatter(points, x="megabytes", y="p50, ms") + note + table


def _fidelities(record: Record) -> dict[str, float]:
    """The worst output of each part, in decibels."""
    found: dict[str, float] = {}
    for check in record.accuracy or ():
        if check.psnr_db is not None:
            found[check.part] = min(check.psnr_db, found.get(check.part, check.psnr_db))
    return found


def _faces(path: Path) -> str:
    """The golden voice's face and avatar, by every encoder and decoder that can be run here."""
    from voxtoon.bundle import open_bundle

    drawn = []
    with open_bundle(path) as bundle:
        for engine, precision in _ways(bundle):
            try:
                face, avatar = _face_and_avatar(bundle, engine, precision)
            except VoxtoonError as error:
                drawn.append(
                    f"<figure><figcaption>{escape(f'{engine} {precision}: {error}')}</figcaption></figure>"
                )
                continue
            for what, png in (("face", face), ("avatar", avatar)):
                if png is not None:
                    drawn.append(_figure(png, f"{engine} {precision}: {what}"))
    note = _note("Of the bundle's golden voice, drawn where this page was made. A cartoon, not a likeness.")
    return f'<div class="faces">{"".join(drawn)}</div>{note}' if drawn else ""


def _ways(bundle: Bundle) -> list[tuple[str, str]]:
    from voxtoon.engines import ENGINES

    held = {(a.part, a.format, a.precision) for a in bundle.manifest.artefacts}
    streaming = bundle.manifest.streaming
    encoders = {"encoder"} if streaming is None else {"encoder", streaming.step}
    ways = [
        (spec.name, precision)
        for spec in ENGINES.values()
        if spec.automatic and spec.is_available()
        for part, kind, precision in sorted(held)
        if part in encoders and kind == spec.format and ("decoder", kind, precision) in held
    ]
    return list(dict.fromkeys(ways))


def _face_and_avatar(bundle: Bundle, engine: str, precision: str) -> tuple[bytes, bytes | None]:
    from dataclasses import replace

    from voxtoon.avatar import AvatarStatistics, draw_avatar
    from voxtoon.face import decoded_face
    from voxtoon.golden import Golden
    from voxtoon.image_file import encode_png
    from voxtoon.verification import run_part

    encoder, decoder = (
        bundle.session(part, engine=engine, precision=precision) for part in ("encoder", "decoder")
    )
    feature = run_part(encoder, {"frames": Golden(bundle).frames})
    face = decoded_face(feature["feature"][0], run_part(decoder, feature), bundle.manifest.face)
    stored = bundle.manifest.avatar_statistics
    if stored is None:
        return encode_png(face.image), None
    statistics = AvatarStatistics(mean=stored.mean, std=stored.std)
    avatar = draw_avatar(replace(face, avatar_statistics=statistics))
    return encode_png(face.image), avatar.png(size_px=_AVATAR_PX)


def _figure(png: bytes, caption: str) -> str:
    data = base64.b64encode(png).decode("ascii")
    return (
        f'<figure><img src="data:image/png;base64,{data}" alt="{escape(caption)}">'
        f"<figcaption>{escape(caption)}</figcaption></figure>"
    )


def _table(header: Sequence[str], rows: Sequence[Sequence[str]], *, text_cells: bool = False) -> str:
    kind = ' class="text"' if text_cells else ""
    head = "".join(f"<th{kind}>{escape(cell)}</th>" for cell in header)
    body = "".join(
        f"<tr><td>{escape(row[0])}</td>{''.join(f'<td{kind}>{escape(cell)}</td>' for cell in row[1:])}</tr>"
        for row in rows
    )
    return f'<div class="wide"><table><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table></div>'


def _note(text: str) -> str:
    return f'<p class="note">{escape(text)}</p>'
