from(bucket: "b") |> range(start: -1h)
    |> pivot(rowKey: ["_time"], columnKey: ["_field"], valueColumn: "_value")
    |> map(fn: (r) => ({_time: r._time, _value: float(v: r.used) / float(v: r.total) * 100.0}))
