from(bucket: "b") |> range(start: -1h) |> stateDuration(fn: (r) => r._value > 1.0, unit: 1s) |> stateCount(fn: (r) => r._value =~ /x/)
