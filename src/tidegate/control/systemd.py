"""Telling the service manager how the process is doing: sd_notify(3)."""

import os
import socket
import time


def notify(state: str) -> None:
    """Send `state` (`READY=1`, `STOPPING=1`, …) to the service manager, if one listens."""
    address = os.environ.get("NOTIFY_SOCKET")
    if not address:
        return
    if address.startswith("@"):  # an abstract socket
        address = "\0" + address[1:]
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC) as sender:
        try:
            sender.sendto(state.encode(), address)
        except OSError:
            return  # a manager that does not listen is no reason to stop serving


def notify_reloading() -> None:
    """Say that a reload begins; `Type=notify-reload` asks for the time of it."""
    notify(f"RELOADING=1\nMONOTONIC_USEC={time.monotonic_ns() // 1000}")
