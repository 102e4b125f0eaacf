import "influxdata/influxdb/monitor"
import "influxdata/influxdb/secrets"
import "slack"
import "experimental"
option task = {name: "t", every: 1m, offset: 0s}
slack_endpoint = slack["endpoint"](url: "https://example.com", token: secrets["get"](key: "slack"))
notification = {_notification_rule_id: "0", _notification_rule_name: "r", _notification_endpoint_id: "1", _notification_endpoint_name: "e"}
statuses = monitor["from"](start: -2m, fn: (r) => r["host"] == "a")
crit = statuses |> filter(fn: (r) => r["_level"] == "crit")
changed = statuses |> monitor["stateChanges"](fromLevel: "any", toLevel: "crit")
all_statuses = union(tables: [crit, changed]) |> filter(fn: (r) => r["_time"] >= experimental["subDuration"](from: now(), d: 1h))
all_statuses |> monitor["notify"](
    data: notification,
    endpoint: slack_endpoint(mapFn: (r) => ({
        channel: "",
        text: "Rule: ${ r._notification_rule_name } at ${ r._source_timestamp }",
        color: if r["_level"] == "crit" then "danger" else "good",
    })))
