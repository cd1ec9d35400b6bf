"""Only what is alike is compared, and a ratio comes with how sure it is."""

from dataclasses import replace

import numpy as np
import pytest

from voxtoon.bench.compare import check_alike, compare, ratio_of
from voxtoon.bench.record import AccuracyCheck, Device, Model, Processor, Protocol, Record, Settings, Software
from voxtoon.bench.record import UsedArtefact as Artefact
from voxtoon.bench.samples import Latency
from voxtoon.errors import InputError

GOOD = AccuracyCheck("encoder", "feature", 150.0, 1.0, 1e-7, None)
DEVICE = Device(
    model="Raspberry Pi 5 Model B",
    soc="bcm2712",
    kernel="Linux 6.12",
    os="Debian GNU/Linux 13 (trixie)",
    processor=Processor("aarch64", None, ("Cortex-A76",), ("asimddp",), 4),
    memory_bytes=8 * 2**30,
    governor="ondemand",
    emulated=False,
)
PI_4 = replace(
    DEVICE, model="Raspberry Pi 4", processor=Processor("aarch64", None, ("Cortex-A72",), ("asimd",), 4)
)


def times(scale=1.0, *, seed=1, n=200):
    return (np.random.default_rng(seed).lognormal(np.log(5e6 * scale), 0.05, n)).astype(int).tolist()


def record(**changes):
    whole = Record(
        on="local",
        created="2026-01-01T00:00:00+00:00",
        protocol=Protocol(),
        settings=Settings(),
        device=DEVICE,
        software=Software("3.13.5", {"onnxruntime": "1.31.1"}),
        model=Model("speech2face", "tiny", "0" * 64, 6.0),
        artefacts=(Artefact("encoder", "onnx", "fp32", 1000, "1" * 64, None, "onnx", {}),),
        accuracy=(GOOD,),
        latency={"whole": Latency.of(times())},
    )
    return replace(whole, **changes)


def test_a_difference_is_found_with_its_confidence():
    (found,) = compare(record(), record(latency={"whole": Latency.of(times(1.3, seed=2))}))
    assert found.low < 1.3 < found.high
    assert found.high - found.low < 0.08
    assert found.differs


def test_two_runs_of_the_same_do_not_differ():
    (found,) = compare(record(), record(latency={"whole": Latency.of(times(seed=3))}))
    assert not found.differs


def test_the_interval_holds_the_true_ratio_about_as_often_as_it_says():
    generator = np.random.default_rng(7)
    held = 0
    for _ in range(60):
        first, second = generator.normal(5, 0.2, 150), generator.normal(6, 0.2, 150)
        found = ratio_of("whole", first, second)
        held += found.low <= 1.2 <= found.high
    assert held >= 51  # of 57 expected; fewer than this has a chance of one in a thousand


def test_neighbours_that_are_alike_widen_the_interval():
    generator = np.random.default_rng(8)
    slow = 5 + np.repeat(generator.normal(0, 0.2, 20), 10)
    mixed = generator.permutation(slow)
    wide, narrow = ratio_of("w", slow, slow), ratio_of("w", mixed, mixed)
    assert wide.high - wide.low > 1.3 * (narrow.high - narrow.low)


@pytest.mark.parametrize(
    ("other", "said"),
    [
        (record(protocol=Protocol(runs=50)), "differ in the protocol: got runs 50, expected runs 100"),
        (record(model=Model("speech2face", "other", "0" * 64, 6.0)), "differ in the model"),
        (record(model=Model("speech2face", "tiny", "0" * 64, 3.0)), "length of the audio"),
        (record(device=replace(DEVICE, emulated=True)), "second record is of an emulated device"),
        (record(problem="interrupted"), "second record is not whole: got interrupted"),
        (record(accuracy=(replace(GOOD, problem="40 dB"),)), "second record misses its golden values"),
        (
            record(device=PI_4, settings=Settings(threads=4)),
            "differ in more than one thing: got device, threads; .*--across device threads",
        ),
    ],
)
def test_what_is_not_alike_is_refused_by_name(other, said):
    with pytest.raises(InputError, match=said):
        check_alike(record(), other)


@pytest.mark.parametrize(
    "other",
    [
        record(device=PI_4),
        record(settings=Settings(threads=4)),
        record(software=Software("3.11.2", {"onnxruntime": "1.31.1"})),
        record(artefacts=(Artefact("encoder", "onnx", "int8", 300, "2" * 64, "w8", "onnx", {}),)),
        record(device=replace(DEVICE, governor="performance")),
    ],
)
def test_one_change_is_what_a_comparison_is_for(other):
    check_alike(record(), other)


def test_more_changes_are_compared_where_they_are_meant():
    other = record(device=PI_4, settings=Settings(threads=4))
    check_alike(record(), other, across=["device", "threads"])
    with pytest.raises(InputError, match="differ in more: got threads"):
        check_alike(record(), other, across=["device"])
    with pytest.raises(InputError, match="--across: got 'weather', expected device, software"):
        check_alike(record(), other, across=["weather"])
