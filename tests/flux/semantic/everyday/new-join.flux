import "join"
a = from(bucket: "b") |> range(start: -1h)
b = from(bucket: "b") |> range(start: -1h)
join.left(left: a, right: b, on: (l, r) => l.host == r.host and l._time == r._time, as: (l, r) => ({l with other: r._value}))
a |> join.time(right: b, as: (l, r) => ({l with other: r._value}), method: "full")
