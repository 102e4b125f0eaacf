import "array"
import "strings"
rows = [{_time: 2021-01-01T00:00:00Z, _value: 1.0, host: "a"}, {_time: 2021-01-02T00:00:00Z, _value: 2.0, host: "b"}]
array.from(rows: rows) |> filter(fn: (r) => strings.hasPrefix(v: r.host, prefix: "a")) |> range(start: 2021-01-01)
names = ["a", "b"]
names |> array.map(fn: (x) => ({_value: x + "!"})) |> array.from()
