"""What is read of a system's own descriptions, of texts as devices print them."""

from voxtoon.bench.device import describe_device, describe_software, device_key, os_name, processor
from voxtoon.bench.device import memory_bytes as memory

PI_5 = (
    "".join(
        f"processor\t: {core}\nBogoMIPS\t: 108.00\nFeatures\t: fp asimd evtstrm aes crc32 atomics asimddp\n"
        "CPU implementer\t: 0x41\nCPU architecture: 8\nCPU part\t: 0xd0b\nCPU revision\t: 1\n\n"
        for core in range(4)
    )
    + "Revision\t: c04170\nModel\t\t: Raspberry Pi 5 Model B Rev 1.0\n"
)
PHONE = "".join(
    f"processor\t: {core}\nCPU implementer\t: 0x41\nCPU part\t: {part}\n\n"
    for core, part in enumerate(["0xd05", "0xd05", "0xd0d", "0xfff"])
)
X86 = "processor\t: 0\nmodel name\t: A processor @ 2.00GHz\nflags\t\t: fpu avx2 avx512_vnni\n"


def test_a_raspberry_pi_5():
    found = processor(PI_5, architecture="aarch64", cores=4)
    assert found.parts == ("Cortex-A76",)
    assert "asimddp" in found.features
    assert found.cores == 4


def test_a_phone_has_several_kinds_of_cores_and_an_unknown_one_keeps_its_number():
    assert processor(PHONE, architecture="aarch64", cores=4).parts == (
        "Cortex-A55",
        "Cortex-A77",
        "0x41:0xfff",
    )


def test_an_x86_processor_has_a_model_name():
    found = processor(X86, architecture="x86_64", cores=1)
    assert (found.model, found.parts) == ("A processor @ 2.00GHz", ())
    assert found.features == ("fpu", "avx2", "avx512_vnni")


def test_nothing_told_is_nothing_known():
    found = processor("", architecture="riscv64", cores=1)
    assert (found.model, found.parts, found.features) == (None, (), ())
    assert (memory(""), os_name("")) == (None, None)


def test_system_and_memory():
    assert os_name('NAME="Debian"\nPRETTY_NAME="Debian 13 (trixie)"\n') == "Debian 13 (trixie)"
    assert memory("MemTotal:        8245768 kB\nMemFree: 1 kB\n") == 8245768 * 1024


def test_this_machine_is_described_and_told_from_others():
    here = describe_device()
    assert here.processor.cores >= 1
    assert not here.emulated
    assert device_key(here).endswith(f"x {here.processor.cores}")
    assert {"voxtoon", "numpy", "onnxruntime"} <= describe_software().packages.keys()
