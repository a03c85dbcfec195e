"""What tells a file from the one that was there before.

A file that is written in place, replaced by rename, or swapped by a link further up (Kubernetes' ConfigMaps)
is another one than before alike.
"""

import os
from collections.abc import Mapping
from pathlib import Path

Stamp = tuple[str, int, int, int, int] | None
"""Where its links lead, its device, inode, size and time of change; None where there is no file."""
Stamps = Mapping[Path, Stamp]


def stamp_of(file: Path) -> Stamp:
    """The stamp of a file as it is now. Taken before the file is read, it shows every change after that."""
    try:
        status = file.stat()
        return (os.path.realpath(file), status.st_dev, status.st_ino, status.st_size, status.st_mtime_ns)
    except OSError:
        return None
