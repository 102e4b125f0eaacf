import "influxdata/influxdb/monitor"
import "influxdata/influxdb/v1"
data = from(bucket: "b") |> range(start: -1h) |> filter(fn: (r) => r._measurement == "cpu") |> aggregateWindow(every: 1m, fn: mean, createEmpty: false)
option task = {name: "t", every: 1m, offset: 0s}
check = {_check_id: "0", _check_name: "c", _type: "threshold", tags: {env: "prod"}}
crit = (r) => r["usage"] > 90.0
warn = (r) => r["usage"] > 80.0 and r["usage"] < 90.0
messageFn = (r) => "Check: ${ r._check_name } is: ${ r._level }"
data |> v1["fieldsAsCols"]() |> monitor["check"](data: check, messageFn: messageFn, crit: crit, warn: warn)
