import "experimental"
experimental.join(left: from(bucket: "b") |> range(start: -1h), right: from(bucket: "b") |> range(start: -1h), fn: (left, right) => ({left with sum: left._value + right._value}))
