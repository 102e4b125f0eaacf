count_of = (m, tables=<-) => tables |> filter(fn: (r) => r._measurement == m) |> count() |> set(key: "m", value: m)
union(tables: [from(bucket: "b") |> range(start: -1h) |> count_of(m: "cpu"), from(bucket: "b") |> range(start: -1h) |> count_of(m: "mem")])
