"""A system that takes no filter for packets of QUIC, as some sandboxes do."""

import shutil
import subprocess
from pathlib import Path

import pytest

from .gateway import command

SETSOCKOPT = r"""
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <sys/socket.h>

int setsockopt(int socket, int level, int option, const void *value, socklen_t length) {
    if (level == SOL_SOCKET && option == SO_ATTACH_REUSEPORT_CBPF) {
        errno = EPERM;
        return -1;
    }
    int (*next)(int, int, int, const void *, socklen_t) = dlsym(RTLD_NEXT, "setsockopt");
    return next(socket, level, option, value, length);
}
"""


def product(directory: Path) -> list[str]:
    """The command of a gateway that cannot set the filter; skips where there is no C compiler."""
    compiler, usual = shutil.which("cc"), command()
    if compiler is None:
        pytest.skip("no C compiler, which builds the library that refuses the filter")
    assert usual is not None
    source, library = directory / "no_filter.c", directory / "no_filter.so"
    source.write_text(SETSOCKOPT)
    subprocess.run([compiler, "-shared", "-fPIC", "-o", library, source], check=True)
    return ["env", f"LD_PRELOAD={library}", *usual]
