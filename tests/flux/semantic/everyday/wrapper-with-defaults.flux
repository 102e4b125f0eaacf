few = (tables=<-, n=5) => tables |> sort(desc: true) |> limit(n: n)
from(bucket: "b") |> range(start: -1h) |> few(n: 3)
