import "influxdata/influxdb/monitor"
import "experimental"
option task = {name: "t", every: 1m, offset: 0s}
data = from(bucket: "b") |> range(start: -1h)
check = {_check_id: "0", _check_name: "c", _type: "threshold", tags: {env: "prod"}}
data
    |> monitor["deadman"](t: experimental["subDuration"](from: now(), d: 90s))
    |> monitor["check"](data: check, messageFn: (r) => "${r.host} is gone", crit: (r) => r["dead"])
