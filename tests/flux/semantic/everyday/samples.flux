import "sampledata"
sampledata.float(includeNull: true) |> fill(value: 0.0) |> filter(fn: (r) => r.tag == "t1")
sampledata.int() |> range(start: sampledata.start, stop: sampledata.stop) |> aggregateWindow(every: 30s, fn: sum)
