"""Attacks by the files of a folder, and some folders that are good in spite of their looks."""

import os

from attack import ENCODER, Attack, as_folder, changed, lacking, put
from valid_bundle import FILES, manifest, write_folder


def in_folder(action):
    """A valid folder that something was then done to."""

    def make(place):
        write_folder(place, manifest())
        action(place)

    return make


def link(name, target):
    """Put a link in the place of a file."""

    def action(place):
        (place / name).unlink()
        (place / name).symlink_to(target)

    return in_folder(action)


def link_outside(place):
    """The right bytes, but outside the bundle."""
    (place / ENCODER).rename(place.parent / "elsewhere")
    (place / ENCODER).symlink_to("../elsewhere")


def folder_outside(place):
    """A folder of the bundle that is a link to one outside, with the right bytes."""
    (place / "golden").rename(place.parent / "elsewhere")
    (place / "golden").symlink_to("../elsewhere")


def pipe(place):
    """A pipe in the place of a file: a reader that opens it waits for ever."""
    (place / ENCODER).unlink()
    os.mkfifo(place / ENCODER)


def no_manifest(place):
    """All but the manifest."""
    (place / "manifest.json").unlink()


def link_inside(place):
    """A link that stays within the bundle."""
    (place / ENCODER).rename(place / "elsewhere")
    (place / ENCODER).symlink_to("elsewhere")


def moved_into_a_folder(found):
    """The encoder as a folder of the bundle with two files in it."""
    found["files"] = {
        **{name: entry for name, entry in found["files"].items() if name != ENCODER},
        **{f"{ENCODER}/{name}": found["files"][ENCODER] for name in ("model", "more/weights")},
    }
    return found


FOLDER_FILES = {
    **{name: content for name, content in FILES.items() if name != ENCODER},
    **{f"{ENCODER}/{name}": FILES[ENCODER] for name in ("model", "more/weights")},
}


def folder_for_file(place):
    """A folder in the place of a file."""
    (place / ENCODER).unlink()
    (place / ENCODER).mkdir()


FOLDER_ATTACKS = [
    Attack("good_folder", "good", "", as_folder()),
    Attack("good_minor_version", "good", "", as_folder(put("format_version", "1.7"))),
    Attack("good_unknown_field", "good", "", as_folder(put("parts", 0, "colour", "blue"))),
    Attack("good_artefact_in_a_folder", "good", "", as_folder(moved_into_a_folder, FOLDER_FILES)),
    Attack("good_unlisted_file", "good", "", as_folder(files={**FILES, ".DS_Store": b"x"})),
    Attack("good_link_inside", "good", "", in_folder(link_inside)),
    Attack("folder_without_manifest", "input", "without manifest.json", in_folder(no_manifest)),
    Attack("changed_byte", "check", "has changed", as_folder(files=changed())),
    Attack("changed_model_card", "check", "has changed", as_folder(files=changed("model_card.md"))),
    Attack("shorter_file", "check", "another size", as_folder(files={**FILES, ENCODER: FILES[ENCODER][:-1]})),
    Attack(
        "longer_file", "check", "another size", as_folder(files={**FILES, ENCODER: FILES[ENCODER] + b"x"})
    ),
    Attack("missing_file", "check", "missing", as_folder(files=lacking())),
    Attack("folder_for_file", "check", "missing", in_folder(folder_for_file)),
    Attack("pipe_for_file", "check", "missing", in_folder(pipe)),
    Attack("link_outside", "check", "outside", in_folder(link_outside)),
    Attack("folder_link_outside", "check", "outside", in_folder(folder_outside)),
    Attack("absolute_link", "check", "outside", link(ENCODER, "/etc/hostname")),
    Attack("manifest_link_outside", "check", "outside", link("manifest.json", "/etc/hostname")),
    Attack("dangling_link", "check", "missing", link(ENCODER, "nowhere")),
    Attack("link_to_itself", "check", ENCODER, link(ENCODER, ENCODER)),
]
