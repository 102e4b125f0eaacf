from(bucket: "b") |> range(start: -1h) |> window(every: 1h) |> sum() |> duplicate(column: "_stop", as: "_time") |> window(every: inf)
