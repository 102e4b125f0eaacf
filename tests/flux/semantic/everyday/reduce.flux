from(bucket: "b") |> range(start: -1h) |> reduce(
    identity: {sum: 0.0, count: 0.0, max: 0.0},
    fn: (r, accumulator) => ({
        sum: accumulator.sum + r._value,
        count: accumulator.count + 1.0,
        max: if r._value > accumulator.max then r._value else accumulator.max,
    }))
