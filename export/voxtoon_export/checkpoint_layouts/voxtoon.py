"""Our own: ``<part>.<layer>.<tensor>``, as declared."""

from .layout import Layout

LAYOUT = Layout(
    name="voxtoon",
    title="voxtoon's own",
    variant=None,
    parts=("encoder", "decoder", "face_encoder"),
)
