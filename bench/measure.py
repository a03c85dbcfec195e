"""What a process costs, and a table to show it in."""

import os
import re
from collections.abc import Sequence
from pathlib import Path

TICK = os.sysconf("SC_CLK_TCK")


def family(pid: int) -> list[int]:
    """A process and all that descend from it."""
    children = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
    return [pid, *(member for child in children for member in family(int(child)))]


def rss(pid: int) -> int:
    """Resident memory in bytes of a process and its descendants."""
    return sum(_kilobytes(f"/proc/{member}/status", "VmRSS") for member in family(pid))


def pss(pid: int) -> int:
    """Proportional memory in bytes, a page that n processes share counted 1/n, of the same processes."""
    return sum(_kilobytes(f"/proc/{member}/smaps_rollup", "Pss") for member in family(pid))


def _kilobytes(file: str, name: str) -> int:
    match = re.search(rf"^{name}:\s+(\d+) kB", Path(file).read_text(), re.MULTILINE)
    return int(match[1]) * 1024 if match else 0


def cpu_seconds(pid: int) -> float:
    """Processor time used so far, by user and system, of a process and its descendants."""
    return sum(_cpu_ticks(member) for member in family(pid)) / TICK


def _cpu_ticks(pid: int) -> int:
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return int(fields[11]) + int(fields[12])


def print_table(header: Sequence[str], rows: Sequence[Sequence[object]]) -> None:
    """Columns as wide as their widest cell; numbers to the right."""
    cells = [list(header), *([_cell(value) for value in row] for row in rows)]
    widths = [max(len(row[column]) for row in cells) for column in range(len(header))]
    for row in cells:
        print(
            "  ".join(
                text.rjust(w) if i else text.ljust(w)
                for i, (text, w) in enumerate(zip(row, widths, strict=True))
            )
        )


def _cell(value: object) -> str:
    return f"{value:,.1f}" if isinstance(value, float) else str(value)
