import "dict"
names = ["a": "Alpha", "b": "Beta"]
from(bucket: "b") |> range(start: -1h) |> map(fn: (r) => ({r with name: dict.get(dict: names, key: r.host, default: "?")}))
x = dict.fromList(pairs: [{key: 1, value: 2.0}]) |> ((d=<-) => dict.insert(dict: d, key: 2, value: 3.0))()
