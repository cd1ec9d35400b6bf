"""Our own: ``<part>.<layer>.<tensor>``, as declared."""

from .layout import Layout

LAYOUT = Layout(
    name="voxtoon",
    title="voxtoon's own",
    parts=("encoder", "decoder", "face_encoder"),
)
