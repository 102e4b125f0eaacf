"""Line protocol: bytes to PointBatch and back."""
