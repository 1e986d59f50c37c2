"""Which images of a well are its thumbnail, and how a change of them is noticed."""

import hashlib
from collections.abc import Iterable, Sequence

from openhcs_runtime.plates.base import ImageRef

__all__ = ["fingerprint", "thumbnail_images"]

_VERSION = "1"
"""Changes when thumbnails are made in another way, so that those made before are no longer used."""


def thumbnail_images(images: Iterable[ImageRef]) -> tuple[ImageRef, ...]:
    """Return the images that stand for a well: all channels of its first site, time point and middle plane.

    Args:
        images: the images of one well.

    Returns:
        One image for each channel that has one there, by channel.
    """
    known = sorted(images, key=lambda image: image.key)
    if not known:
        return ()
    site = min(image.key.site for image in known)
    time = min(image.key.timepoint for image in known if image.key.site == site)
    here = [image for image in known if image.key.site == site and image.key.timepoint == time]
    planes = sorted({image.key.z_index for image in here})
    middle = planes[len(planes) // 2]
    return tuple(image for image in here if image.key.z_index == middle)


def fingerprint(images: Sequence[ImageRef]) -> str:
    """Return a digest (BLAKE2b, 16 bytes, hexadecimal) of paths, sizes and modification times of images.

    Args:
        images: the images of a thumbnail, by channel.
    """
    digest = hashlib.blake2b(_VERSION.encode(), digest_size=16)
    for image in images:
        said = (image.key, image.path, image.size, image.mtime_ns, image.index)
        digest.update(repr(said).encode(errors="surrogateescape"))
    return digest.hexdigest()
