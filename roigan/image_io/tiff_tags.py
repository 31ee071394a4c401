"""What the tags of a TIFF say of depth and colour: known to be read rightly, or refused.

Pillow and OpenCV decode more kinds than they decode rightly; what they make of each was compared with files
made by hand (`tests/test_tiff.py`). Kinds that Pillow does not open at all are not mentioned here.
"""

from __future__ import annotations

from typing import Any

from PIL import ExifTags, TiffImagePlugin

from roigan.image_io.contents import Unusable

Tag = ExifTags.Base
WHITE_IS_ZERO, BLACK_IS_ZERO, RGB, PALETTE, CMYK, YCBCR = 0, 1, 2, 3, 5, 6
UNSIGNED, SIGNED, FLOAT = 1, 2, 3
APART = 2  # PlanarConfiguration: all of red, then all of green, ...
CMYK_INKS = 1
INK_SET, DOT_RANGE = 332, 336


def depth(image: TiffImagePlugin.TiffImageFile) -> int:
    """Bits of a channel, the largest one."""
    return max(_numbers(image, Tag.BitsPerSample, 1))


def extra_channels(image: TiffImagePlugin.TiffImageFile) -> tuple[int, ...]:
    """What the channels beyond grey or colour are: 0 anything, 1 premultiplied alpha, 2 alpha."""
    return _numbers(image, Tag.ExtraSamples)


def white_is_zero(image: TiffImagePlugin.TiffImageFile) -> bool:
    """Whether the numbers are those of a negative."""
    return image.tag_v2.get(Tag.PhotometricInterpretation) == WHITE_IS_ZERO


def unsigned(image: TiffImagePlugin.TiffImageFile) -> bool:
    """Whether the numbers have no sign."""
    return max(_numbers(image, Tag.SampleFormat, UNSIGNED)) == UNSIGNED


def shallow_palette(image: TiffImagePlugin.TiffImageFile) -> bytes | None:
    """The palette where it was written with 8 bits, not with the 16 that it should have; else None."""
    levels = _numbers(image, Tag.ColorMap)
    return bytes(levels) if max(levels) < 256 else None


def refuse_unknown(image: TiffImagePlugin.TiffImageFile, exact: bool) -> None:
    """Raise Unusable for a kind that would come out wrong or, where it must be exact, with less depth."""
    if reason := _fault(image, exact):
        raise Unusable(f"a kind of TIFF that would come out wrong: {reason}; save it as PNG first")


def _fault(image: TiffImagePlugin.TiffImageFile, exact: bool) -> str | None:
    tags = image.tag_v2
    colours, order = tags.get(Tag.PhotometricInterpretation), tags.prefix
    bits, numbers = depth(image), max(_numbers(image, Tag.SampleFormat, UNSIGNED))
    samples = tags.get(Tag.SamplesPerPixel, 1)
    packing = image.info.get("compression", "raw")
    jpeg = packing in ("jpeg", "tiff_jpeg")
    apart = tags.get(Tag.PlanarConfiguration, 1) == APART
    raw_apart = apart and packing == "raw"

    if not jpeg and colours not in (WHITE_IS_ZERO, BLACK_IS_ZERO, RGB, PALETTE, CMYK, YCBCR):
        return "its colours are " + ("not named" if colours is None else f"of kind {colours}")
    if colours == YCBCR and not jpeg:
        return "YCbCr that is no JPEG"
    if colours == CMYK and tags.get(INK_SET, CMYK_INKS) != CMYK_INKS:
        return "inks other than CMYK"
    if colours == CMYK and _numbers(image, DOT_RANGE)[:2] not in ((), (0, 2**bits - 1)):
        return "an unusual range of ink"
    if colours == CMYK and bits > 8 and exact:
        return f"CMYK with {bits} bits, of which 8 would be kept"
    if numbers == SIGNED and bits < 16:
        return "signed numbers of 8 bits"
    if colours == WHITE_IS_ZERO and numbers == FLOAT:
        return "floating-point numbers with white at 0"
    if packing != "raw" and order == TiffImagePlugin.MM and (bits > 16 or numbers == SIGNED):
        return "compressed big-endian numbers"
    if apart and samples > 1 and (bits != 8 or colours not in (RGB, CMYK) or 1 in extra_channels(image)):
        return f"{bits}-bit channels that lie apart"
    if raw_apart and samples == 1 and (bits not in (1, 8) or colours != BLACK_IS_ZERO):
        return "a channel that lies apart"
    if raw_apart and tags.get(Tag.FillOrder, 1) != 1:
        return "channels that lie apart, with their bits reversed"
    if bits > 8 and colours == RGB and len(extra_channels(image)) > 1:
        return "16-bit colour with several further channels"
    return None


def _numbers(image: TiffImagePlugin.TiffImageFile, tag: int, default: int | None = None) -> tuple[int, ...]:
    """A tag's numbers; what is written as one number is a tuple as well."""
    found: Any = image.tag_v2.get(tag, () if default is None else (default,))
    return tuple(found) if isinstance(found, tuple) else (found,)
