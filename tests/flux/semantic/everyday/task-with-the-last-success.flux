import "influxdata/influxdb/tasks"
option task = {name: "t", every: 1m, offset: 0s}
from(bucket: "b") |> range(start: tasks.lastSuccess(orTime: -task.every)) |> to(bucket: "c")
