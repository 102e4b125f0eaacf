from(bucket: "b") |> range(start: -1h) |> map(fn: (r) => ({r with level: if r._value > 90.0 then "crit" else if r._value > 80.0 then "warn" else "ok"}))
