"""Checks an AAR as a consumer's build would meet it: ``python android_bridge/check_aar.py FILE.aar``.

Looks at what is in it, its manifest (with aapt where that is installed), the level of its classes and what
they refer to, the alignment of native libraries, and its size. Prints a line for each; the exit code is 1 if
one fails.
"""

import io
import shutil
import struct
import subprocess
import sys
import tempfile
import zipfile
from collections.abc import Iterator
from pathlib import Path
from xml.etree import ElementTree

REPOSITORY = Path(__file__).resolve().parents[1]
TEMPLATE = REPOSITORY / "runtime" / "voxtoon" / "avatar" / "template.json"
FRAMEWORK = Path("/usr/share/android-framework-res/framework-res.apk")
BUDGET_BYTES = 300 * 1024
PAGE_BYTES = 16 * 1024
JAVA_8 = 52
NEEDED = {
    "AndroidManifest.xml",
    "classes.jar",
    "R.txt",
    "proguard.txt",
    "META-INF/com/android/build/gradle/aar-metadata.properties",
}
FORBIDDEN = (
    "androidx/",
    "java/lang/reflect/",
    "java/net/",
    "javax/net/",
    "android/net/http",
    "kotlin/reflect/full/",
)
ANDROID = "{http://schemas.android.com/apk/res/android}"


def check(aar: Path) -> Iterator[tuple[str, bool | None, str]]:
    """Yield what was looked at, whether it is good (None: cannot be told here), and what was found."""
    with zipfile.ZipFile(aar) as archive:
        names = set(archive.namelist())
        yield "contents", names >= NEEDED, ", ".join(sorted(NEEDED - names)) or f"{len(names)} entries"
        yield from check_manifest(archive.read("AndroidManifest.xml"))
        with zipfile.ZipFile(io.BytesIO(archive.read("classes.jar"))) as classes:
            yield from check_classes(classes)
        for name in sorted(name for name in names if name.endswith(".so")):
            least = min(alignments(archive.read(name)), default=0)
            yield f"alignment of {name}", least >= PAGE_BYTES, f"{least} bytes"
        yield "native libraries", True, f"{sum(name.endswith('.so') for name in names)}"
    size = aar.stat().st_size
    yield "size", size <= BUDGET_BYTES, f"{size:,} bytes, budget {BUDGET_BYTES:,}"


def check_manifest(content: bytes) -> Iterator[tuple[str, bool | None, str]]:
    """What an application's merged manifest would gain."""
    root = ElementTree.fromstring(content)
    gained = [child.tag for child in root if child.tag != "uses-sdk"]
    yield "manifest adds nothing", not gained, ", ".join(gained) or "no permission, no component"
    lowest = root.find("uses-sdk").get(f"{ANDROID}minSdkVersion")
    yield "minSdkVersion", lowest == "24", lowest
    if not shutil.which("aapt") or not FRAMEWORK.is_file():
        yield "manifest by aapt", None, "aapt and android-framework-res are not installed"
        return
    with tempfile.TemporaryDirectory() as folder:
        manifest, made = Path(folder) / "AndroidManifest.xml", Path(folder) / "check.apk"
        manifest.write_bytes(content)
        command = ["aapt", "package", "-M", str(manifest), "-I", str(FRAMEWORK), "-F", str(made)]
        built = subprocess.run(command, capture_output=True, text=True, check=False)
        said = subprocess.run(
            ["aapt", "dump", "badging", str(made)], capture_output=True, text=True, check=False
        ).stdout
    good = built.returncode == 0 and "sdkVersion:'24'" in said and "uses-permission" not in said
    yield "manifest by aapt", good, (said.splitlines() or [built.stderr.strip()])[0]


def check_classes(archive: zipfile.ZipFile) -> Iterator[tuple[str, bool, str]]:
    """The level of the class files, what they refer to, and the template among them."""
    classes = {name: archive.read(name) for name in archive.namelist() if name.endswith(".class")}
    levels = {struct.unpack(">H", content[6:8])[0] for content in classes.values()}
    yield "class files", levels == {JAVA_8}, f"{len(classes)} of level {', '.join(map(str, sorted(levels)))}"
    found = sorted(
        {word for content in classes.values() for word in references(content) if word.startswith(FORBIDDEN)}
    )
    yield "references", not found, ", ".join(found) or "none to androidx, reflection or the network"
    same = archive.read("voxtoon/avatar/template.json") == TEMPLATE.read_bytes()
    yield "avatar template", same, "Python's own file" if same else "another file than Python's"


def references(content: bytes) -> Iterator[str]:
    """The names of classes and descriptors in the constant pool of a class file."""
    count, at = struct.unpack(">H", content[8:10])[0], 10
    sizes = {
        3: 4,
        4: 4,
        5: 8,
        6: 8,
        7: 2,
        8: 2,
        9: 4,
        10: 4,
        11: 4,
        12: 4,
        15: 3,
        16: 2,
        17: 4,
        18: 4,
        19: 2,
        20: 2,
    }
    index = 1
    while index < count:
        tag = content[at]
        if tag == 1:
            length = struct.unpack(">H", content[at + 1 : at + 3])[0]
            text = content[at + 3 : at + 3 + length].decode("utf-8", "replace")
            yield text
            yield from (word.partition("L")[2] for word in text.split(";") if "L" in word)
            at += 3 + length
        else:
            at += 1 + sizes[tag]
        index += 2 if tag in (5, 6) else 1


def alignments(library: bytes) -> Iterator[int]:
    """The alignment of every loaded segment of an ELF file."""
    wide = library[4] == 2
    start, size, count = (
        struct.unpack_from("<Q", library, 32)[0] if wide else struct.unpack_from("<I", library, 28)[0],
        *struct.unpack_from("<HH", library, 54 if wide else 42),
    )
    for index in range(count):
        at = start + index * size
        if struct.unpack_from("<I", library, at)[0] == 1:
            yield (
                struct.unpack_from("<Q", library, at + 48)[0]
                if wide
                else struct.unpack_from("<I", library, at + 28)[0]
            )


if __name__ == "__main__":
    results = list(check(Path(sys.argv[1])))
    for what, good, found in results:
        print(f"{ {True: 'ok', False: 'FAIL', None: 'skip'}[good]:4} {what}: {found}")
    sys.exit(1 if any(good is False for _, good, _ in results) else 0)
