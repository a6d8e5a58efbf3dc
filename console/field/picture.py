"""Whether bytes are a picture that is kept. Decides by what they begin with, never by what the sender calls them. Draws nothing."""

from typing import Final, Literal

MediaType = Literal["image/jpeg", "image/png", "image/webp"]

LARGEST: Final = 3_000_000
"""Bytes. A phone makes them far smaller: 1600 px at most."""
MOST: Final = 60
"""Pictures of one order."""

_JPEG: Final = b"\xff\xd8\xff"
_PNG: Final = b"\x89PNG\r\n\x1a\n"


def media_type(picture: bytes) -> MediaType | None:
    """The kind of picture, or None where it is none of those that are kept."""
    if picture.startswith(_JPEG):
        return "image/jpeg"
    if picture.startswith(_PNG):
        return "image/png"
    if picture[:4] == b"RIFF" and picture[8:12] == b"WEBP":
        return "image/webp"
    return None


def without_camera_data(picture: bytes) -> bytes:
    """A JPEG without its APP1 segments (EXIF, XMP): the camera's serial number and the place belong to the record, not into the file.

    The technician's page draws every photo anew and writes none; whoever else sends one is not relied upon. What is not a well-formed
    JPEG comes back as it is.
    """
    if not picture.startswith(_JPEG):
        return picture
    kept, at = bytearray(picture[:2]), 2
    while at + 4 <= len(picture) and picture[at] == 0xFF:
        marker, length = picture[at + 1], int.from_bytes(picture[at + 2 : at + 4], "big")
        if marker == 0xDA or length < 2:
            break
        if marker != 0xE1:
            kept += picture[at : at + 2 + length]
        at += 2 + length
    return bytes(kept + picture[at:])
