"""The native module; see native/csv_rows.cpp for how it works."""

from typing import Any

import numpy as np
import numpy.typing as npt

# Whether its values are one a table, its kind, its values (of texts: offsets and bytes), which are there.
Column = tuple[bool, int, Any, npt.NDArray[np.uint8] | None]

def encode(
    columns: list[Column],
    tables: npt.NDArray[np.int32],
    numbers: npt.NDArray[np.int64],
    lead: bytes,
    delimiter: str,
    first: int,
    last: int,
    cuts: npt.NDArray[np.int64],
) -> tuple[bytes, list[int]]: ...
