"""Line protocol: bytes to a PointBatch and back."""

from fluxkeep.lineprotocol.encoder import encode
from fluxkeep.lineprotocol.errors import LineError
from fluxkeep.lineprotocol.parser import Parsed, ParsedTogether, ParseLimits, SeriesMemory, parse, parse_together

__all__ = ["LineError", "ParseLimits", "Parsed", "ParsedTogether", "SeriesMemory", "encode", "parse", "parse_together"]
