from(bucket: "b") |> range(start: -1h) |> derivative(unit: 1s, nonNegative: true) |> increase() |> difference(nonNegative: true, columns: ["_value"])
