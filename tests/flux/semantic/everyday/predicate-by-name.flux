only = (r) => r._measurement == "cpu"
from(bucket: "b") |> range(start: -1h) |> filter(fn: only) |> mean()
