option task = {name: "t", every: 1m, offset: 0s}

from(bucket: "b") |> range(start: -1h) |> set(key: "_measurement", value: "m") |> to(bucket: "c", org: "o", tagColumns: ["host"])
from(bucket: "b") |> range(start: -1h) |> to(bucket: "c", fieldFn: (r) => ({"value": r._value, "other": r.other}))
