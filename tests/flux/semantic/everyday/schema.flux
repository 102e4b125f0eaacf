import "influxdata/influxdb/schema"
import "influxdata/influxdb/v1"
schema.tagValues(bucket: "b", tag: "host", predicate: (r) => r._measurement == "cpu" and r._field == "u", start: -1d)
v1.measurements(bucket: "b") |> sort() |> limit(n: 10)
from(bucket: "b") |> range(start: -1h) |> schema.fieldsAsCols() |> map(fn: (r) => ({r with sum: r.a + r.b}))
