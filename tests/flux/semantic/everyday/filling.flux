from(bucket: "b") |> range(start: -1h) |> fill(usePrevious: true) |> fill(column: "x", value: 0.0) |> elapsed(unit: 1s) |> toFloat()
