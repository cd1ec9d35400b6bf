"""Heat, clock, throttling and energy, read from a system's files and tools as they print."""

from voxtoon.bench.conditions import (
    CoreTimes,
    EnergyCounter,
    Watch,
    android_throttling,
    busy_cores,
    core_times,
    frequency_hz,
    raspberry_pi_throttling,
    temperature_c,
)


def test_the_hottest_zone_counts_in_whatever_unit(tmp_path):
    for number, text in enumerate(["48312\n", "51\n", "not ready\n"]):
        zone = tmp_path / f"thermal_zone{number}"
        zone.mkdir()
        (zone / "temp").write_text(text)
    assert temperature_c(tmp_path) == 51.0


def test_the_slowest_core_counts(tmp_path):
    for core, text in (("cpu0", "1800000\n"), ("cpu1", "600000\n")):
        (tmp_path / core / "cpufreq").mkdir(parents=True)
        (tmp_path / core / "cpufreq" / "scaling_cur_freq").write_text(text)
    assert frequency_hz(tmp_path) == 600e6


def test_cores_are_busy_that_are_neither_idle_nor_waiting_for_disks(tmp_path, monkeypatch):
    stat = tmp_path / "stat"
    stat.write_text("cpu  100 10 40 800 50 3 7 5 99 0\ncpu0 1 1 1 1\n")
    before = core_times(stat)
    assert before == CoreTimes(busy=165, total=1015)
    monkeypatch.setattr("os.cpu_count", lambda: 4)
    assert busy_cores(before, CoreTimes(busy=165 + 25, total=1015 + 100)) == 1.0
    assert busy_cores(before, before) is None
    assert busy_cores(before, core_times(tmp_path / "none")) is None


def test_what_is_not_told_is_none(tmp_path):
    assert temperature_c(tmp_path) is None
    assert frequency_hz(tmp_path) is None
    assert EnergyCounter(tmp_path).energy(rounds=10) is None


def test_a_raspberry_pi_tells_why_it_is_throttled_now():
    assert raspberry_pi_throttling("throttled=0x50005") == ("under-voltage", "throttled")
    assert raspberry_pi_throttling("throttled=0x50000") == ()  # it was, since it started; it is not now
    assert raspberry_pi_throttling("VCHI initialization failed") is None


def test_android_tells_how_hot_it_is():
    assert android_throttling("IsStatusOverride: false\nThermal Status: 3\n") == ("severe",)
    assert android_throttling("Thermal Status: 0\n") == ()
    assert android_throttling("Can't find service: thermalservice") is None


def test_energy_is_what_was_counted_even_where_the_counter_began_again(tmp_path):
    for name, before in (("intel-rapl:0", 100), ("intel-rapl:1", 900)):
        (tmp_path / name).mkdir()
        (tmp_path / name / "name").write_text(f"package-{name[-1]}\n")
        (tmp_path / name / "energy_uj").write_text(str(before))
        (tmp_path / name / "max_energy_range_uj").write_text("1000")
    counter = EnergyCounter(tmp_path)
    (tmp_path / "intel-rapl:0" / "energy_uj").write_text("600")
    (tmp_path / "intel-rapl:1" / "energy_uj").write_text("400")
    found = counter.energy(rounds=10)
    assert found is not None
    assert found.source == "powercap: package-0, package-1"
    assert found.joules == 1000e-6
    assert found.joules_per_round == 100e-6


def test_a_watch_looks_at_most_once_a_second_unless_told_to():
    watch = Watch()
    for _ in range(3):
        watch.look()
    assert len(watch.seen) == 1
    watch.look(at_once=True)
    assert len(watch.seen) == 2
