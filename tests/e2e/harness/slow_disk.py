"""A disk that takes 100 ms longer for all that is done on it."""

import os
import shutil
import subprocess
from pathlib import Path

_SOURCE = Path(__file__).with_suffix(".c")


def slowed(product: list[str], folder: Path, build: Path) -> list[str] | None:
    """The command `product`, for which `folder` is such a disk; `None` where there is no C compiler."""
    compiler = shutil.which("cc")
    if compiler is None:
        return None
    library = build / "slow_disk.so"
    command = [compiler, "-shared", "-fPIC", "-O1", "-o", str(library), str(_SOURCE), "-ldl"]
    subprocess.run(command, check=True, capture_output=True)
    return ["env", f"LD_PRELOAD={library}", f"SLOW_DISK={folder}", *product]


def forget_pages(files: list[Path]) -> None:
    """Have the kernel read these files from disk when they are read next."""
    for path in files:
        with path.open("rb") as file:
            os.fsync(file)
            os.posix_fadvise(file.fileno(), 0, 0, os.POSIX_FADV_DONTNEED)
