import "experimental/aggregate"
import "experimental/prometheus"
from(bucket: "b") |> range(start: -1h) |> aggregate.rate(every: 1m, unit: 1s, groupColumns: ["host"])
from(bucket: "b") |> range(start: -1h) |> prometheus.histogramQuantile(quantile: 0.9)
