"""Attacks by the zip around a bundle: what it may hold, and how it may lie about it."""

import stat
import struct
import zipfile

from attack import ENCODER, Attack, as_zip, changed, lacking, without
from valid_bundle import FILES, zip_entry


def record(content, name):
    """Where the zip's directory tells of the file ``name``."""
    return content.index(name.encode(), content.index(b"PK\x01\x02")) - 46


def in_directory(name, offset, new):
    """A patch of the zip's directory: ``new`` at ``offset`` of the record of the file ``name``."""

    def patch(content):
        start = record(content, name) + offset
        return content[:start] + new + content[start + len(new) :]

    return patch


def in_end_record(offset, new):
    """A patch of the zip's last record."""

    def patch(content):
        start = len(content) - 22 + offset
        return content[:start] + new + content[start + len(new) :]

    return patch


def in_two_files(content):
    """A second whole zip after the first: which one is read depends on the reader."""
    return content + content


def nul_in_name(content):
    """A NUL in a name: `zipfile` and many others cut the name there."""
    return content.replace(b"evil_name", b"evil\0name")


def manifest_renamed(content):
    """The manifest under another name."""
    return content.replace(b"manifest.json", b"manifest.yaml")


def flipped_byte(content):
    """One bit flipped after the zip was made."""
    place = content.index(FILES[ENCODER])
    return content[:place] + bytes([content[place] ^ 1]) + content[place + 1 :]


def overlapping(content):
    """The directory gives two names to the same bytes."""
    start, offset = (record(content, name) + 42 for name in ("encoder.fp16.onnx", ENCODER))
    return content[:start] + content[offset : offset + 4] + content[start + 4 :]


def renamed_locally(content):
    """The name before the bytes is not the one in the directory."""
    return content.replace(ENCODER.encode(), b"another_file.onnx", 1)


def padded(content):
    """Bytes between the last file and the directory's start are not the bundle's."""
    return content + b"\0" * 10


def with_comment(content):
    """A comment in which a second end record could hide."""
    return content[:-2] + struct.pack("<H", 22) + content[-22:]


def entry(name, content=b"x", **header):
    """One more file in the zip."""
    return {"extra": [(zip_entry(name, **header), content)]}


HUGE = struct.pack("<L", 0x7FFFFFFF)
ZIP_NAMES = {
    "absolute_path": "/etc/evil",
    "parent_folder": "../evil",
    "parent_folder_inside": "golden/../../evil",
    "backslash": "..\\evil",
    "drive_letter": "C:evil",
    "not_ascii": "caf\u00e9",
}
ZIP_ATTACKS = [
    Attack("good_zip", "good", "", as_zip()),
    Attack(
        "good_zip_with_folder_entry", "good", "", as_zip(**entry("golden/", b"", mode=stat.S_IFDIR | 0o755))
    ),
    Attack("good_zip_with_unlisted_file", "good", "", as_zip(**entry("notes.txt"))),
    Attack("zip_without_manifest", "input", "without manifest.json", as_zip(patch=manifest_renamed)),
    Attack("zip_missing_field", "check", "face is missing", as_zip(without("face"))),
    Attack("zip_changed_byte", "check", "has changed", as_zip(files=changed())),
    Attack("zip_byte_changed_later", "check", "damaged", as_zip(patch=flipped_byte)),
    Attack(
        "zip_shorter_file", "check", "another size", as_zip(files={**FILES, ENCODER: FILES[ENCODER][:-1]})
    ),
    Attack("zip_missing_file", "check", "missing", as_zip(files=lacking())),
    Attack(
        "zip_compressed", "check", "compressed", as_zip(**entry("more", compression=zipfile.ZIP_DEFLATED))
    ),
    Attack(
        "zip_bomb",
        "check",
        "compressed",
        as_zip(**entry("more", b"\0" * 10**6, compression=zipfile.ZIP_LZMA)),
    ),
    Attack("zip_encrypted", "check", "encrypted", as_zip(patch=in_directory(ENCODER, 8, b"\1\0"))),
    Attack("zip_one_name_twice", "check", "twice", as_zip(**entry(ENCODER))),
    Attack("zip_two_cases_of_one_name", "check", "twice", as_zip(**entry(ENCODER.upper()))),
    Attack(
        "zip_link", "check", "a link", as_zip(**entry("more", b"/etc/hostname", mode=stat.S_IFLNK | 0o777))
    ),
    Attack("zip_device", "check", "a device", as_zip(**entry("more", mode=stat.S_IFCHR | 0o666))),
    Attack("zip_folder_with_content", "check", "folder with content", as_zip(**entry("more/"))),
    Attack("zip_name_with_nul", "check", "outside", as_zip(**entry("evil_name"), patch=nul_in_name)),
    *(
        Attack(f"zip_name_{name}", "check", "outside", as_zip(**entry(path)))
        for name, path in ZIP_NAMES.items()
    ),
    Attack("zip_size_beyond_end", "check", "longer", as_zip(patch=in_directory(ENCODER, 20, HUGE + HUGE))),
    Attack("zip_sizes_differ", "check", "compressed", as_zip(patch=in_directory(ENCODER, 24, HUGE))),
    Attack("zip_overlap", "check", "overlap", as_zip(patch=overlapping)),
    Attack("zip_other_local_name", "check", "damaged", as_zip(patch=renamed_locally)),
    Attack(
        "zip_too_many_files",
        "check",
        "too many",
        as_zip(extra=[(zip_entry(f"n{i}"), b"") for i in range(1000)]),
    ),
    Attack("zip_of_another_count", "check", "zip", as_zip(patch=in_end_record(8, b"\1\0\1\0"))),
    Attack("zip_of_two_disks", "check", "plain zip", as_zip(patch=in_end_record(4, b"\1\0"))),
    Attack("zip64_directory", "check", "elsewhere", as_zip(patch=in_end_record(16, b"\xff" * 4))),
    Attack("zip_with_comment", "check", "zip", as_zip(patch=with_comment)),
    Attack("zip_with_bytes_after", "check", "zip", as_zip(patch=padded)),
    Attack("zip_after_zip", "check", "zip", as_zip(patch=in_two_files)),
    Attack("zip_cut_short", "check", "zip", as_zip(patch=lambda content: content[: len(content) // 2])),
    Attack("zip_with_bytes_before", "input", "not a bundle", as_zip(patch=lambda content: b"#!" + content)),
    Attack("not_a_zip", "input", "not a bundle", as_zip(patch=lambda content: b"RIFF" + content)),
    Attack("empty_file", "input", "not a bundle", as_zip(patch=lambda content: b"")),
]
