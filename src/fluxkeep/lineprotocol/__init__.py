"""Line protocol: bytes to a PointBatch and back."""

from fluxkeep.lineprotocol.encoder import encode
from fluxkeep.lineprotocol.errors import LineError
from fluxkeep.lineprotocol.parser import Parsed, ParseLimits, SeriesMemory, parse

__all__ = ["LineError", "ParseLimits", "Parsed", "SeriesMemory", "encode", "parse"]
