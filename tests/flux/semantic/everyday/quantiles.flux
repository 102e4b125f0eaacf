from(bucket: "b") |> range(start: -1h) |> quantile(q: 0.5, method: "exact_mean")
from(bucket: "b") |> range(start: -1h) |> histogram(bins: linearBins(start: 0.0, width: 1.0, count: 9))
