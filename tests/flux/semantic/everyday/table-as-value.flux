t = from(bucket: "b") |> range(start: -1h) |> tableFind(fn: (key) => true)
x = (t |> getRecord(idx: 0))._value
y = t |> getColumn(column: "_value")
