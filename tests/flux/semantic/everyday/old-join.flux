a = from(bucket: "b") |> range(start: -1h) |> filter(fn: (r) => r._field == "a")
b = from(bucket: "b") |> range(start: -1h) |> filter(fn: (r) => r._field == "b")
join(tables: {a: a, b: b}, on: ["_time", "host"]) |> map(fn: (r) => ({r with _value: r._value_a - r._value_b}))
