hosts = from(bucket: "b") |> range(start: -1h) |> distinct(column: "host") |> findColumn(fn: (key) => true, column: "_value")
from(bucket: "b") |> range(start: -1h) |> filter(fn: (r) => contains(value: r.host, set: hosts))
