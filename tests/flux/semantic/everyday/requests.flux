import "http"
import "http/requests"
import "json"
x = http.post(url: "https://example.com", headers: {Authorization: "x"}, data: json.encode(v: {a: 1, b: [1, 2]}))
y = requests.get(url: "https://example.com", headers: ["Accept": "x"], params: ["q": ["a", "b"]])
z = y.statusCode + x
