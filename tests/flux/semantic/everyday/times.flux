import "date"
import "experimental"
start = date.truncate(t: now(), unit: 1d)
day = date.sub(d: 1d, from: start)
from(bucket: "b") |> range(start: day, stop: start) |> filter(fn: (r) => date.hour(t: r._time) >= 8)
    |> map(fn: (r) => ({r with age: int(v: now()) - int(v: r._time), at: string(v: r._time)}))
from(bucket: "b") |> range(start: 0) |> filter(fn: (r) => r._time > experimental.subDuration(d: 1h, from: now()))
from(bucket: "b") |> range(start: -duration(v: "1h"), stop: time(v: "2030-01-01T00:00:00Z"))
