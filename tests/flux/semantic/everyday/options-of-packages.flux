import "timezone"
import "profiler"
option location = timezone.location(name: "Europe/Paris")
option profiler.enabledProfilers = ["query", "operator"]
option now = () => 2021-01-01T00:00:00Z
from(bucket: "b") |> range(start: today()) |> aggregateWindow(every: 1d, fn: sum, location: timezone.fixed(offset: 1h))
