from(bucket: "b") |> range(start: -1h) |> map(fn: (r) => ({r with _value: if exists r._value then r._value else 0.0}))
