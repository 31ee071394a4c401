"""What picture files say beside their pixels: resolution, gamma, colour profile, EXIF; read and written."""

from __future__ import annotations

import io
import math
import struct
from collections.abc import Iterator
from typing import Any

from PIL import ExifTags, Image, PngImagePlugin

PNG = b"\x89PNG\r\n\x1a\n"
TEXT = (b"tEXt", b"zTXt", b"iTXt")
XMP = b"XML:com.adobe.xmp"
Tag = ExifTags.Base
WRITTEN = ("icc_profile", "dpi", "gamma", "exif", "transparency", "compression")
"""What a picture's `info` may say to those who write it: Pillow takes up some of the rest unasked."""
LOSSLESS = ("raw", "packbits", "tiff_lzw", "tiff_deflate", "tiff_adobe_deflate")
KEPT = (
    *(Tag.ImageDescription, Tag.Make, Tag.Model, Tag.Software, Tag.DateTime, Tag.Artist, Tag.HostComputer),
    *(Tag.Copyright, Tag.Rating, Tag.XPTitle, Tag.XPComment, Tag.XPAuthor, Tag.XPKeywords, Tag.XPSubject),
)
"""Of EXIF, beside what camera and GPS say: not the size and the layout of the file that it comes from."""
MARK = "Software", "roigan"
"""What a PNG says of the program that wrote it: so an output is not taken for another input."""
NOTE = "note"
"""What a picture's `info` may have for its PNG to say in a text `Comment`; never read from a file."""
SIZES = (Tag.ExifImageWidth, Tag.ExifImageHeight)


def without_text(content: bytes) -> bytes:
    """A PNG without its texts, however long, which Pillow would unpack or refuse; of them, XMP may say how
    to turn a picture and is kept. Anything else stays as it is."""
    if not content.startswith(PNG):
        return content
    chunks = [chunk for kind, chunk in _chunks(content) if kind not in TEXT or chunk[8:].startswith(XMP)]
    return PNG + b"".join(chunks)


def essential(content: bytes) -> bytes:
    """A PNG with nothing but what its pixels need; anything else stays as it is."""
    if not content.startswith(PNG):
        return content
    needed = [chunk for kind, chunk in _chunks(content) if kind[:1].isupper() or kind == b"tRNS"]
    return PNG + b"".join(needed)


def _chunks(content: bytes) -> Iterator[tuple[bytes, bytes]]:
    """Kind and bytes of each chunk of a PNG; what is cut short comes as it is."""
    start = len(PNG)
    while start < len(content):
        end = start + 12 + int.from_bytes(content[start : start + 4])
        yield content[start + 4 : start + 8], content[start:end]
        start = end


def upright_exif(image: Image.Image) -> bytes | None:
    """EXIF that is true of a picture that has been turned upright; None where there is none."""
    try:
        old, new = image.getexif(), Image.Exif()
        new.update({tag: old[tag] for tag in KEPT if tag in old})
        for place in (ExifTags.IFD.Exif, ExifTags.IFD.GPSInfo):
            if part := {tag: value for tag, value in old.get_ifd(place).items() if tag not in SIZES}:
                new.get_ifd(place).update(part)
                new[place] = part
        return new.tobytes() if len(new) else None
    except Exception:  # Pillow raises nearly anything at a corrupt block, without which the picture is whole
        return None


def completed_earlier(start: bytes) -> bool:
    """Whether a file that begins so is a PNG that `options` marked as completed."""
    return start.startswith(PNG) and any(
        kind == b"tEXt" and chunk[8:].startswith("\0".join(MARK).encode()) for kind, chunk in _chunks(start)
    )


def options(info: dict[Any, Any], kind: str) -> dict[str, Any]:
    """Arguments for Pillow to write what `info` says into a PNG or TIFF; PNG alone holds a gamma."""
    given: dict[str, Any] = {"icc_profile": info.get("icc_profile")}
    if exif := info.get("exif"):
        given["exif"] = exif
    if dpi := _resolution(info.get("dpi")):
        given["dpi"] = dpi
    if kind == "TIFF":  # left to itself, Pillow writes JPEG where it has read JPEG
        packing = info.get("compression")
        given["compression"] = packing if packing in LOSSLESS else "raw"
    if kind == "PNG":
        given["pnginfo"] = chunks = PngImagePlugin.PngInfo()
        chunks.add_text(*MARK)
        if note := info.get(NOTE):
            chunks.add_text("Comment", note)
        gamma = info.get("gamma")
        if isinstance(gamma, float) and 0 < gamma * 100_000 < 2**31:
            chunks.add(b"gAMA", struct.pack(">I", round(gamma * 100_000)))
    return given


def _resolution(dpi: Any) -> tuple[float, float] | None:
    """Dots per inch, where they are two sensible numbers; 1 is what Pillow says where a TIFF says nothing."""
    try:
        x, y = (float(number) for number in dpi)
    except (TypeError, ValueError, ArithmeticError):
        return None
    return (x, y) if all(math.isfinite(number) and 1 < number < 1e6 for number in (x, y)) else None


def add_to_png(content: bytes, info: dict[Any, Any]) -> bytes:
    """A PNG that another library wrote, with the chunks that Pillow would have written for `info`."""
    example = io.BytesIO()
    Image.new("L", (1, 1)).save(example, "PNG", **options(info, "PNG"))
    added = [chunk for kind, chunk in _chunks(example.getvalue()) if kind not in (b"IHDR", b"IDAT", b"IEND")]
    (_, header), *others = _chunks(content)
    return PNG + header + b"".join(added) + b"".join(chunk for _, chunk in others)
