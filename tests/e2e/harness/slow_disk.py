"""A disk that takes 100 ms longer for all that is done on it, and stands still while a test wants it to."""

import contextlib
import os
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

_SOURCE = Path(__file__).with_suffix(".c")


class SlowDisk:
    """Makes such a disk of a directory for a process; files of its own lie in another one."""

    def __init__(self, folder: Path, own: Path) -> None:
        self._folder, self._library, self._stands = folder, own / "slow_disk.so", own / "disk-stands"

    def under(self, product: list[str]) -> list[str] | None:
        """The command `product` on that disk; `None` where there is no C compiler."""
        compiler = shutil.which("cc")
        if compiler is None:
            return None
        build = [compiler, "-shared", "-fPIC", "-O1", "-o", str(self._library), str(_SOURCE), "-ldl"]
        subprocess.run(build, check=True, capture_output=True)
        variables = {"LD_PRELOAD": self._library, "SLOW_DISK": self._folder, "SLOW_DISK_STANDS": self._stands}
        return ["env", *(f"{name}={value}" for name, value in variables.items()), *product]

    @contextlib.contextmanager
    def standing(self) -> Iterator[None]:
        """Nothing that is begun on it ends."""
        self._stands.touch()
        try:
            yield
        finally:
            self._stands.unlink()

    def forget_pages(self, files: list[Path]) -> None:
        """Have the kernel read these files from disk when they are read next."""
        for path in files:
            with path.open("rb") as file:
                os.fsync(file)
                os.posix_fadvise(file.fileno(), 0, 0, os.POSIX_FADV_DONTNEED)
