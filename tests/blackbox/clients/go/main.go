// The official Go client, unmodified, against the server named by the first argument.
// It prints one JSON object of what it saw; the test beside it says what it must be.
package main

import (
	"context"
	"encoding/json"
	"errors"
	"os"
	"time"

	influxdb2 "github.com/influxdata/influxdb-client-go/v2"
	"github.com/influxdata/influxdb-client-go/v2/api/http"
	"github.com/influxdata/influxdb-client-go/v2/domain"
)

var ctx = context.Background()

func must[T any](value T, err error) T {
	check(err)
	return value
}

func check(err error) {
	if err != nil {
		panic(err)
	}
}

// refusal is the server's error as the client understood it.
func refusal(err error) map[string]any {
	var refused *http.Error
	if errors.As(err, &refused) {
		return map[string]any{"status": refused.StatusCode, "code": refused.Code, "message": refused.Message}
	}
	if err != nil {
		return map[string]any{"other": err.Error()}
	}
	return nil
}

func main() {
	url := os.Args[1]
	seen := map[string]any{}

	stranger := influxdb2.NewClient(url, "")
	made := must(stranger.SetupWithToken(ctx, "house", "house-password", "house", "house", 0, "go-operator-token-of-32-characters"))
	seen["setup"] = []string{made.User.Name, made.Org.Name, made.Bucket.Name, *made.Auth.Token}
	_, err := influxdb2.NewClient(url, "").Setup(ctx, "x", "x-password", "x", "x", 0)
	seen["setupAgain"] = err != nil
	seen["ping"] = must(stranger.Ping(ctx))
	seen["health"] = must(stranger.Health(ctx)).Status
	seen["ready"] = *must(stranger.Ready(ctx)).Status

	options := influxdb2.DefaultOptions().SetUseGZip(true).SetBatchSize(100).SetPrecision(time.Millisecond).AddDefaultTag("site", "home").SetMaxRetries(0).SetLogLevel(0)
	client := influxdb2.NewClientWithOptions(url, *made.Auth.Token, options)
	defer client.Close()

	start := time.Unix(1600000000, 0).UTC()
	writer := client.WriteAPI("house", "house")
	for i := 0; i < 250; i++ {
		writer.WritePoint(influxdb2.NewPoint("climate", map[string]string{"room": "r " + string(rune('a'+i%3))},
			map[string]any{"celsius": float64(i) / 2, "count": i, "u": uint64(i), "on": i%2 == 0, "text": "a \"q\", ü"},
			start.Add(time.Duration(i)*time.Millisecond)))
	}
	writer.Flush()
	blocking := client.WriteAPIBlocking("house", "house")
	seen["badLine"] = refusal(blocking.WriteRecord(ctx, "this is not = a line"))
	seen["badBucket"] = refusal(client.WriteAPIBlocking("house", "nowhere").WriteRecord(ctx, "m v=1"))

	query := client.QueryAPI("house")
	result := must(query.Query(ctx, `from(bucket: "house") |> range(start: 2020-09-13T00:00:00Z, stop: 2020-09-14T00:00:00Z)
		|> filter(fn: (r) => r._measurement == "climate") |> pivot(rowKey: ["_time"], columnKey: ["_field"], valueColumn: "_value") |> group() |> sort(columns: ["_time"])`))
	number := 0
	var last map[string]any
	for result.Next() {
		number++
		last = result.Record().Values()
	}
	check(result.Err())
	seen["rows"], seen["last"] = number, last
	_, err = query.QueryWithParams(ctx, `from(bucket: params.bucket) |> range(start: 0)`, map[string]any{"bucket": "house"})
	seen["withParams"] = refusal(err)
	seen["raw"] = must(query.QueryRaw(ctx, `import "array" array.from(rows: [{a: 1}])`, influxdb2.DefaultDialect()))
	_, err = query.Query(ctx, `from(bucket: "house") |> nothing()`)
	seen["badFlux"] = refusal(err)
	_, err = influxdb2.NewClient(url, "wrong").QueryAPI("house").Query(ctx, "buckets()")
	seen["badToken"] = refusal(err)

	check(client.DeleteAPI().DeleteWithName(ctx, "house", "house", start, start.Add(time.Hour), `_measurement="climate"`))
	empty := must(query.Query(ctx, `from(bucket: "house") |> range(start: 0)`))
	seen["afterDelete"] = empty.Next()

	org := must(client.OrganizationsAPI().FindOrganizationByName(ctx, "house"))
	bucket := must(client.BucketsAPI().CreateBucketWithName(ctx, org, "go", domain.RetentionRule{EverySeconds: 86400}))
	seen["bucket"] = []any{bucket.Name, bucket.RetentionRules[0].EverySeconds}
	_, err = client.BucketsAPI().CreateBucketWithName(ctx, org, "go")
	seen["bucketAgain"] = refusal(err)
	action, kind := domain.PermissionActionRead, domain.ResourceTypeBuckets
	token := must(client.AuthorizationsAPI().CreateAuthorizationWithOrgID(ctx, *org.Id, []domain.Permission{
		{Action: action, Resource: domain.Resource{Type: kind, Id: bucket.Id, OrgID: org.Id}},
	}))
	weak := influxdb2.NewClientWithOptions(url, *token.Token, influxdb2.DefaultOptions().SetLogLevel(0))
	seen["weakWrite"] = refusal(weak.WriteAPIBlocking("house", "go").WriteRecord(ctx, "m v=1"))
	updated := must(client.AuthorizationsAPI().UpdateAuthorizationStatus(ctx, token, domain.AuthorizationUpdateRequestStatusInactive))
	seen["inactive"] = *updated.Status
	check(client.AuthorizationsAPI().DeleteAuthorization(ctx, token))
	check(client.BucketsAPI().DeleteBucket(ctx, bucket))
	names := []string{}
	for _, found := range *must(client.BucketsAPI().GetBuckets(ctx)) {
		names = append(names, found.Name)
	}
	seen["names"] = names
	user := must(client.UsersAPI().CreateUserWithName(ctx, "guest"))
	check(client.UsersAPI().UpdateUserPassword(ctx, user, "guest-password"))
	check(stranger.UsersAPI().SignIn(ctx, "house", "house-password"))
	seen["me"] = must(stranger.UsersAPI().Me(ctx)).Name
	check(stranger.UsersAPI().SignOut(ctx))

	check(json.NewEncoder(os.Stdout).Encode(seen))
}
