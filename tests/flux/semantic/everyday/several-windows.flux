cpu = from(bucket: "b") |> range(start: -1h) |> filter(fn: (r) => r._measurement == "cpu")
cpu |> aggregateWindow(every: 1m, fn: mean, createEmpty: false) |> yield(name: "mean")
cpu |> aggregateWindow(every: 1m, fn: max) |> yield(name: "max")
cpu |> aggregateWindow(every: 1m, fn: (tables=<-, column="_value") => tables |> quantile(q: 0.9)) |> yield(name: "p90")
