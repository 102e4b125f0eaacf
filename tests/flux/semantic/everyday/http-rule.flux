import "influxdata/influxdb/monitor"
import "http"
import "json"
option task = {name: "t", every: 1m, offset: 0s}
headers = {"Content-Type": "application/json"}
endpoint = http["endpoint"](url: "https://example.com")
notification = {_notification_rule_id: "0", _notification_rule_name: "r", _notification_endpoint_id: "1", _notification_endpoint_name: "e"}
monitor["from"](start: -2m) |> filter(fn: (r) => r["_level"] == "crit") |> monitor["notify"](
    data: notification,
    endpoint: endpoint(mapFn: (r) => {
        body = {r with _version: 1}
        return {headers: headers, data: json["encode"](v: body)}
    }))
