any_of = (words) => (r) => contains(value: r.host, set: words)
from(bucket: "b") |> range(start: -1h) |> filter(fn: any_of(words: ["a", "b"]))
