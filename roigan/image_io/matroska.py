"""A comment in a Matroska file that is there: an element Tags behind its last one.

RFC 9559 (Matroska) on RFC 8794 (EBML): an element is its id, its size, its content; a size of n bytes begins
with n - 1 zero bits and a one. All of a film lies in one element, Segment, which grows.
"""

from __future__ import annotations

from pathlib import Path

HEADER, SEGMENT = bytes.fromhex("1A45DFA3"), bytes.fromhex("18538067")
TAGS, TAG, TARGETS = bytes.fromhex("1254C367"), bytes.fromhex("7373"), bytes.fromhex("63C0")
SIMPLE, NAME, STRING = bytes.fromhex("67C8"), bytes.fromhex("45A3"), bytes.fromhex("4487")


def add_comment(path: Path, text: str) -> None:
    """Append the tag COMMENT. ValueError for a file that is not as FFmpeg writes it: one Segment to its end,
    with a size of eight bytes."""
    simple = _element(SIMPLE, _element(NAME, b"COMMENT") + _element(STRING, text.encode()))
    tags = _element(TAGS, _element(TAG, _element(TARGETS, b"") + simple))
    with path.open("r+b") as file:
        start = file.read(64)
        at = 5 + (start[4] & 0x7F)  # behind the header, whose size has one byte
        length = int.from_bytes(start[at + 5 : at + 12])
        end = file.seek(0, 2)
        known = start.startswith(HEADER) and start[at : at + 5] == SEGMENT + b"\x01"
        if not known or at + 12 + length != end:
            raise ValueError(f"{path} is not one Segment with a size of eight bytes")
        file.write(tags)
        file.seek(at + 4)
        file.write(_size(length + len(tags)))


def _element(id: bytes, content: bytes) -> bytes:
    return id + _size(len(content)) + content


def _size(length: int) -> bytes:
    return (length | 1 << 56).to_bytes(8)
