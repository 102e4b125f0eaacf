import "array"
import "experimental"
x = experimental.catch(fn: () => die(msg: "no"))
array.from(rows: [{msg: x.msg, code: x.code}])
