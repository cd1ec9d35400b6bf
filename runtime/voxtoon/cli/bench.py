"""``voxtoon bench``: what a bundle costs on a device, and records of that side by side."""

from __future__ import annotations

import argparse
from collections.abc import Callable, Iterator
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from voxtoon.errors import CheckError, InputError

if TYPE_CHECKING:
    from voxtoon.bench.record import Peer, Record
    from voxtoon.cli.console import Tell


def add_parser(subparsers: Any) -> None:
    """Declare the command."""
    parser = subparsers.add_parser(
        "bench",
        help="measure a bundle here or on a device, and compare records",
        description="Measure a bundle on this machine, over ssh or over adb: cold start, latency of every "
        "stage, memory, heat, and whether the numbers are right there. Ctrl-C keeps what was measured.",
    )
    parser.add_argument(
        "bundle", type=Path, nargs="?", metavar="BUNDLE", help="default: the one that comes with the package"
    )
    parser.add_argument(
        "--on",
        default="local",
        metavar="WHERE",
        help="local, ssh://[user@]host[:port] or adb:SERIAL (default: %(default)s)",
    )
    parser.add_argument("--engine", default="auto", help="auto, onnx or litert (default: %(default)s)")
    parser.add_argument("--precision", default="auto", help="auto, fp32, fp16 or int8 (default: %(default)s)")
    parser.add_argument(
        "--threads", type=_count, metavar="N", help="threads of the engine (default: its own)"
    )
    parser.add_argument("--cpus", type=_cpus, metavar="0,1", help="run on these cores only")
    parser.add_argument("--runs", type=_count, default=100, metavar="N", help="rounds (default: %(default)s)")
    parser.add_argument(
        "--warmup-runs", type=_count, default=10, metavar="N", help="uncounted before (default: %(default)s)"
    )
    parser.add_argument(
        "--cold-runs", type=_count, default=5, metavar="N", help="new processes (default: %(default)s)"
    )
    parser.add_argument(
        "--sustained-s", type=_positive, default=0.0, metavar="S", help="then so long without a pause"
    )
    parser.add_argument("--json", type=Path, metavar="FILE", help="write the record")
    parser.add_argument("--html", type=Path, metavar="FILE", help="write a page about it, for people")
    parser.add_argument(
        "--compare", nargs="+", metavar="RECORD", help="compare the first of these records with the others"
    )
    parser.add_argument(
        "--across",
        nargs="+",
        default=[],
        metavar="WHAT",
        help="what is meant to differ in a comparison: device, software, artefacts, threads, governor",
    )
    parser.add_argument(
        "--tune", action="store_true", help="find the best artefact, engine and threads for the device"
    )
    parser.add_argument("--max-ms", type=_positive, metavar="MS", help="with --tune: time of all parts once")
    parser.add_argument("--max-mb", type=_positive, metavar="MB", help="with --tune: size of their artefacts")
    parser.add_argument(
        "--peers", action="store_true", help="then on this machine torch and other engines too, by turns"
    )
    parser.add_argument("--checkpoint", type=Path, metavar="C", help="with --peers: what torch runs")
    parser.add_argument("--python", default="python3", metavar="P", help="Python on the device")
    parser.add_argument("--ssh-config", type=Path, metavar="FILE", help="configuration of ssh")


def run(arguments: argparse.Namespace) -> int:
    """Measure, compare or tune, and print; returns the exit code."""
    for path in (arguments.json, arguments.html):
        if path is not None and not path.parent.is_dir():
            raise InputError(f"cannot write {path}", got="no such folder", hint="make the folder first")
    if arguments.compare is not None:
        return _compare(arguments)
    if arguments.tune:
        return _tune(arguments)
    return _measure(arguments)


def _measure(arguments: argparse.Namespace) -> int:
    from voxtoon.bench.host import run as run_there
    from voxtoon.bench.text import record_text
    from voxtoon.cli.console import progress

    peers = _peers_of(arguments) if arguments.peers else None
    with progress() as tell:
        done = run_there(
            _bundle(arguments),
            on=arguments.on,
            settings=_settings(arguments),
            protocol=_protocol(arguments),
            options=_options(arguments),
            progress=tell,
        )
        record = done.record
        if peers is not None and done.error is None:
            record = _with_peers(record, peers, tell)
    if record.device is not None:  # nothing is kept of a run that never began
        _write(arguments, [record])
        print(record_text(record))
    if done.error is not None:
        raise done.error
    if record.problem is not None:
        raise KeyboardInterrupt
    if not record.accurate:
        missed = [check for check in record.accuracy or () if check.problem is not None]
        raise CheckError(
            f"the results on {arguments.on} are wrong",
            got=f"{missed[0].part}, {missed[0].output}: {missed[0].problem}",
            hint="its times mean nothing",
        )
    return 0


def _compare(arguments: argparse.Namespace) -> int:
    from voxtoon.bench.compare import compare
    from voxtoon.bench.record import read_record
    from voxtoon.bench.text import comparison_text

    names = arguments.compare
    if len(names) < 2:
        raise InputError("--compare", got=f"{len(names)} record", expected="two or more")
    first, *others = (read_record(name) for name in names)
    for name, other in zip(names[1:], others, strict=True):
        print(comparison_text(names[0], name, compare(first, other, across=arguments.across)))
    if arguments.html is not None:
        _write(arguments, [first, *others])
    return 0


def _tune(arguments: argparse.Namespace) -> int:
    from voxtoon.bench import host, tune
    from voxtoon.bench.text import tuning_text
    from voxtoon.bundle import open_bundle
    from voxtoon.cli.console import progress

    bundle = _bundle(arguments)
    with progress() as tell:
        device_key, found = host.candidates(
            bundle,
            on=arguments.on,
            protocol=_protocol(arguments),
            options=_options(arguments),
            progress=tell,
        )
    print(tuning_text(found, {}))
    chosen = tune.choose(found, tune.Limits(arguments.max_ms, arguments.max_mb))
    with open_bundle(bundle) as opened:
        path = tune.write(bundle, opened.manifest, device_key, chosen)
    print(f"\n{tuning_text(found, chosen)}\nwrote {path}, for {device_key}")
    return 0


def _peers_of(arguments: argparse.Namespace) -> Callable[[], Iterator[Peer]]:
    """Return what measures the peers; refuses what cannot be measured before anything is."""
    if arguments.on != "local":
        raise InputError("--peers", got=f"--on {arguments.on}", expected="this machine, with --on local")
    try:
        from voxtoon_export.checkpoint import load_checkpoint
        from voxtoon_export.peers import measure_bundle
    except ImportError as error:
        hint = "install it with: pip install 'voxtoon[export,bench,peers]'"
        raise InputError("measuring peers is not installed", got=error, hint=hint) from error
    return partial(
        measure_bundle,
        _bundle(arguments),
        _settings(arguments),
        checkpoint=None if arguments.checkpoint is None else load_checkpoint(arguments.checkpoint),
        warmup_runs=arguments.warmup_runs,
        runs=arguments.runs,
    )


def _with_peers(record: Record, peers: Callable[[], Iterator[Peer]], tell: Tell) -> Record:
    """Add what others take to a record; after Ctrl-C, as many as were measured."""
    found: list[Peer] = []
    tell("measuring peers")
    try:
        for peer in peers():
            found.append(peer)
            tell(f"measuring peers on the {peer.part}")
    except KeyboardInterrupt:
        return replace(record, peers=tuple(found), problem="interrupted")
    return replace(record, peers=tuple(found))


def _write(arguments: argparse.Namespace, records: list[Record]) -> None:
    if arguments.json is not None and len(records) == 1:
        records[0].save(arguments.json)
    if arguments.html is not None:
        from voxtoon.atomic_file import write_atomically
        from voxtoon.bench.report import page

        write_atomically({arguments.html: page(records, bundle=_bundle(arguments)).encode("utf-8")})


def _bundle(arguments: argparse.Namespace) -> Path:
    from voxtoon.bundle import DEFAULT_BUNDLE, open_bundle

    bundle: Path = arguments.bundle or DEFAULT_BUNDLE
    open_bundle(bundle).close()  # what is no bundle is refused before anything is carried
    return bundle.resolve()


def _settings(arguments: argparse.Namespace) -> Any:
    from voxtoon.bench.record import Settings

    return Settings(arguments.engine, arguments.precision, arguments.threads, arguments.cpus)


def _protocol(arguments: argparse.Namespace) -> Any:
    from voxtoon.bench.record import Protocol

    return Protocol(arguments.warmup_runs, arguments.runs, arguments.cold_runs, arguments.sustained_s)


def _options(arguments: argparse.Namespace) -> Any:
    from voxtoon.bench.transports import Options

    return Options(arguments.python, arguments.ssh_config)


def _count(text: str) -> int:
    if not text.isdecimal() or int(text) < 1:
        raise argparse.ArgumentTypeError(f"got {text!r}, expected a whole number, 1 or more")
    return int(text)


def _positive(text: str) -> float:
    try:
        value = float(text)
    except ValueError:
        value = 0.0
    if not 0 < value < 1e9:
        raise argparse.ArgumentTypeError(f"got {text!r}, expected a number, more than 0")
    return value


def _cpus(text: str) -> tuple[int, ...]:
    try:
        return tuple(sorted({int(word) for word in text.split(",")}))
    except ValueError as error:
        raise argparse.ArgumentTypeError(f"got {text!r}, expected numbers of cores like 0,1") from error
