from(bucket: "b") |> range(start: -1h) |> rename(columns: {_value: "v", host: "h"}) |> drop(columns: ["x"])
from(bucket: "b") |> range(start: -1h) |> rename(fn: (column) => "${column}_new") |> keep(fn: (column) => column =~ /_new$/)
