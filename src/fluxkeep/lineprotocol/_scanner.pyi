"""The native module; see native/scanner.hpp for how it works."""

from typing import Any

import numpy as np
import numpy.typing as npt

from fluxkeep.datamodel.series import Series

Column = tuple[str, int, Any, npt.NDArray[np.bool_] | None]
Part = tuple[
    str,
    tuple[Series, ...],
    npt.NDArray[np.uint32],
    npt.NDArray[np.uint32],
    npt.NDArray[np.int64],
    npt.NDArray[np.uint32],
    tuple[Column, ...],
]
Error = tuple[int, bytes, bool, bytes]

class SeriesMemory:
    def __init__(self, series_type: type[Series], series_max: int, bytes_max: int) -> None: ...
    def __len__(self) -> int: ...

def scan(
    body: bytes,
    unit_ns: int,
    default_time_ns: int,
    line_bytes_max: int,
    errors_max: int,
    excerpt_bytes_max: int,
    memory: SeriesMemory,
) -> tuple[list[Part], list[Error], int, int]: ...
def scan_all(
    bodies: list[bytes], unit_ns: int, default_times_ns: list[int], line_bytes_max: int, memory: SeriesMemory
) -> tuple[list[Part], list[int], int]: ...
