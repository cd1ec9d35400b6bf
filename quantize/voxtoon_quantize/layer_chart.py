"""A picture of what each layer costs the final face: one bar per layer, the worst on top."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final
from xml.sax.saxutils import escape

from .layer_effects import LayerEffect

_ROW_PX: Final = 22
_LABEL_PX: Final = 200
_BARS_PX: Final = 360
_WIDTH_PX: Final = 820
_TOP_PX: Final = 56
_COLOURS: Final = {"encoder": "#3b6fb5", "decoder": "#c8663c"}
_OTHER: Final = "#777777"


def chart(effects: Sequence[LayerEffect]) -> str:
    """Draw layers as bars, in the order given.

    The length is the error of the final face, root mean square in levels of 0 to 255; where the model draws
    none, the angle of the feature in degrees. What else was measured stands beside the bar.
    """
    errors = [_error(effect) for effect in effects]
    longest = max(errors, default=0.0) or 1.0
    drawn = any(effect.quality.psnr_db is not None for effect in effects)
    unit = "error of the face (levels of 255)" if drawn else "angle of the feature (degrees)"
    height_px = _TOP_PX + _ROW_PX * len(effects) + 12
    rows = [
        _row(effect, error, error / longest, _TOP_PX + _ROW_PX * place)
        for place, (effect, error) in enumerate(zip(effects, errors, strict=True))
    ]
    return "\n".join(
        [
            f'<svg xmlns="http://www.w3.org/2000/svg" width="{_WIDTH_PX}" height="{height_px}" '
            f'viewBox="0 0 {_WIDTH_PX} {height_px}" font-family="sans-serif" font-size="12">',
            f'<rect width="{_WIDTH_PX}" height="{height_px}" fill="white"/>',
            '<text x="12" y="22" font-size="15">What each layer costs, quantized alone</text>',
            f'<text x="12" y="42" fill="#555">{unit}; beside it angle, PSNR and bytes saved</text>',
            *rows,
            "</svg>\n",
        ]
    )


def _error(effect: LayerEffect) -> float:
    found = effect.quality
    return found.angle_mean_deg if found.psnr_db is None else 255.0 * 10.0 ** (-found.psnr_db / 20.0)


def _row(effect: LayerEffect, error: float, share: float, top_px: int) -> str:
    found = effect.quality
    length_px = max(1.0, share * _BARS_PX)
    baseline_px = top_px + _ROW_PX - 8
    cells = [f"{error:.2f}", f"{found.angle_mean_deg:.2f}°"]
    if found.psnr_db is not None:
        cells.append(f"{found.psnr_db:.1f} dB")
    cells.append(f"{effect.saved_bytes:,} B")
    return (
        f'<text x="{_LABEL_PX - 8}" y="{baseline_px}" text-anchor="end">'
        f"{escape(f'{effect.part}.{effect.layer}')}</text>"
        f'<rect x="{_LABEL_PX}" y="{top_px + 2}" width="{length_px:.1f}" height="{_ROW_PX - 6}" '
        f'fill="{_COLOURS.get(effect.part, _OTHER)}"><title>{escape(effect.scheme)}</title></rect>'
        f'<text x="{_LABEL_PX + length_px + 8:.1f}" y="{baseline_px}" fill="#333">'
        f"{escape(' · '.join(cells))}</text>"
    )
