rec = from(bucket: "b") |> range(start: -1h) |> last() |> findRecord(fn: (key) => key._field == "x", idx: 0)
from(bucket: "b") |> range(start: -1h) |> map(fn: (r) => ({r with share: r._value / rec._value}))
