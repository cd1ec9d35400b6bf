"""The generators of github.com/imatge-upc/wav2pix (``gen_<epoch>.pth``), GPL-3; names and arrangement only.

Its port to Python 3 keeps the same names. Neither tells on which of the two front ends it was trained, so
that the variant is to be named. The names of the generator's layers depend on its size: one layout for each.
"""

from ..layers import Conv2d, ConvTranspose2d
from .layout import Layout

_ENCODER = {
    **{f"encoder.conv{number + 1}": f"audio_embedding.disc.{number}.conv" for number in range(6)},
    **{f"encoder.bn{number + 1}": f"audio_embedding.disc.{number}.bn" for number in range(6)},
    **{f"encoder.fc{number + 1}": f"audio_embedding.fc.{2 * number}" for number in range(3)},
}
_GENERATOR = {64: ("0", "3.0", "3.3", "3.6", "3.9"), 128: ("0", "3", "6.0", "6.3", "6.6", "6.9")}

LAYOUTS = tuple(
    Layout(
        name=f"imatge-upc-{pixels}",
        title=f"imatge-upc/wav2pix generator of {pixels} pixels (torch)",
        system="wav2pix",
        parts=("encoder", "decoder"),
        layers={
            **_ENCODER,
            **{f"decoder.up{number}": f"netG.{place}.module" for number, place in enumerate(places, start=1)},
        },
        axes={Conv2d: (0, 1, 2, None)},
        spectral_norm=(ConvTranspose2d,),
        reversed_channels=(f"decoder.up{len(places)}",),  # it was trained on pictures in the order BGR
        ignored=("aux_classifier.",),
    )
    for pixels, places in _GENERATOR.items()
)
