// The official JavaScript client, unmodified, against the server at argv[2].
// Prints one JSON object of what it saw; the test beside it says what it must be.
import {HttpError, InfluxDB, Point, flux, fluxDuration} from '@influxdata/influxdb-client'
import {
  AuthorizationsAPI, BucketsAPI, DashboardsAPI, DbrpsAPI, DeleteAPI, HealthAPI, LabelsAPI, MeAPI, OrgsAPI, PingAPI,
  QueryAPI, ReadyAPI, SetupAPI, SigninAPI, SignoutAPI, TelegrafsAPI, UsersAPI, VariablesAPI,
} from '@influxdata/influxdb-client-apis'

const url = process.argv[2]
const seen = {}

async function refusal(promise) {
  try {
    await promise
    return null
  } catch (error) {
    if (!(error instanceof HttpError)) return {other: String(error)}
    return {status: error.statusCode, code: error.code, message: error.json?.message}
  }
}

const stranger = new InfluxDB({url})
seen.setupAllowed = (await new SetupAPI(stranger).getSetup()).allowed
const made = await new SetupAPI(stranger).postSetup({
  body: {username: 'house', password: 'house-password', org: 'house', bucket: 'house', token: 'js-operator-token-of-32-characters'},
})
seen.setup = {user: made.user.name, org: made.org.name, bucket: made.bucket.name, token: made.auth.token}
seen.setupAgain = await refusal(new SetupAPI(stranger).postSetup({body: {username: 'x', org: 'x', bucket: 'x'}}))
seen.ping = await new PingAPI(stranger).getPing().then(() => true)
seen.health = (await new HealthAPI(stranger).getHealth()).status
seen.ready = (await new ReadyAPI(stranger).getReady()).status

const influx = new InfluxDB({url, token: made.auth.token})

// Writing: default tags, batches, gzip above a threshold, every precision.
const packed = []
const writer = influx.getWriteApi('house', 'house', 'ns', {
  batchSize: 100, gzipThreshold: 200, maxRetries: 0, defaultTags: {site: 'home'},
  writeSuccess: (lines) => packed.push(lines.length),
})
for (let i = 0; i < 250; i++) {
  writer.writePoint(
    new Point('climate').tag('room', `r ${i % 3}`).floatField('celsius', i / 2).intField('count', i).uintField('u', i)
      .booleanField('on', i % 2 === 0).stringField('text', `a "quoted", ${i}\n`).timestamp(`${1600000000000000000n + BigInt(i)}`),
  )
}
await writer.close()
seen.batches = packed
for (const [precision, time] of [['s', 1600000001], ['ms', 1600000002000], ['us', 1600000003000000], ['ns', '1600000004000000000']]) {
  const api = influx.getWriteApi('house', 'house', precision)
  api.writePoint(new Point('precise').stringField('p', precision).timestamp(time))
  await api.close()
}
const spoilt = influx.getWriteApi('house', 'house', 'ns', {maxRetries: 0})
spoilt.writeRecord('this is not = a line')
spoilt.writeRecord('fine v=1 1600000000000000000')
const original = console.error
console.error = () => {}
seen.badLine = await refusal(spoilt.close())
seen.badBucket = await (async () => {
  const api = influx.getWriteApi('house', 'nowhere', 'ns', {maxRetries: 0})
  api.writeRecord('m v=1')
  return refusal(api.close())
})()
console.error = original

// Querying.
const query = influx.getQueryApi('house')
const since = flux`from(bucket: ${'house'}) |> range(start: ${new Date(1600000000000)}, stop: ${new Date(1600000100000)})`
const climate = `${since} |> filter(fn: (r) => r._measurement == "climate")`
const rows = await query.collectRows(`${climate} |> pivot(rowKey: ["_time"], columnKey: ["_field"], valueColumn: "_value") |> group() |> sort(columns: ["_time"])`)
seen.rows = {length: rows.length, last: rows.at(-1)}
seen.iterated = []
for await (const {values, tableMeta} of query.iterateRows(`${climate} |> filter(fn: (r) => r._field == "count") |> sum()`)) {
  seen.iterated.push(tableMeta.toObject(values))
}
seen.lines = await query.collectLines(`${since} |> filter(fn: (r) => r._measurement == "precise") |> group() |> sort(columns: ["_time"]) |> keep(columns: ["_time", "_value"])`)
seen.raw = await query.queryRaw('import "array" array.from(rows: [{a: 1, b: "x"}])')
seen.consumed = await new Promise((resolve, reject) => {
  let number = 0
  query.queryRows(climate, {next: () => { number++ }, error: reject, complete: () => resolve(number)})
})
seen.cancelled = await new Promise((resolve, reject) => {
  query.queryRows('import "generate" generate.from(count: 2000000, start: 2020-01-01T00:00:00Z, stop: 2021-01-01T00:00:00Z, fn: (n) => n)', {
    useCancellable(c) { setTimeout(() => { c.cancel() }, 20) },
    next() {}, error: reject, complete: () => resolve(true),
  })
})
seen.duration = await query.collectRows(flux`import "array" array.from(rows: [{v: string(v: ${fluxDuration('1h30m')})}])`)
seen.badFlux = await refusal(query.collectRows('from(bucket: "house") |> nothing()'))
seen.badToken = await refusal(new InfluxDB({url, token: 'wrong'}).getQueryApi('house').collectRows('buckets()'))
const analysis = await new QueryAPI(influx).postQueryAnalyze({body: {query: 'from(bucket: '}})
seen.analyze = analysis.errors.length
seen.ast = (await new QueryAPI(influx).postQueryAst({body: {query: 'a = 1'}})).ast.type
seen.suggestions = (await new QueryAPI(influx).getQuerySuggestions()).funcs.length > 100

// Deleting.
await new DeleteAPI(influx).postDelete({
  org: 'house', bucket: 'house', body: {start: '2020-09-13T00:00:00Z', stop: '2020-09-14T00:00:00Z', predicate: '_measurement="precise"'},
})
seen.afterDelete = await query.collectRows(`${since} |> filter(fn: (r) => r._measurement == "precise")`)

// Resources.
const {orgs} = await new OrgsAPI(influx).getOrgs({org: 'house'})
const orgID = orgs[0].id
const buckets = new BucketsAPI(influx)
const bucket = await buckets.postBuckets({body: {orgID, name: 'js', retentionRules: [{type: 'expire', everySeconds: 86400}]}})
seen.bucket = {name: bucket.name, rules: bucket.retentionRules, type: bucket.type}
seen.patched = (await buckets.patchBucketsID({bucketID: bucket.id, body: {description: 'from js'}})).description
seen.again = await refusal(buckets.postBuckets({body: {orgID, name: 'js', retentionRules: []}}))
const authorizations = new AuthorizationsAPI(influx)
const token = await authorizations.postAuthorizations({
  body: {orgID, description: 'js', permissions: [{action: 'read', resource: {type: 'buckets', id: bucket.id, orgID}}]},
})
seen.tokenWorks = await new InfluxDB({url, token: token.token}).getQueryApi('house').collectRows('from(bucket: "js") |> range(start: -1h)')
const weak = new InfluxDB({url, token: token.token}).getWriteApi('house', 'js', 'ns', {maxRetries: 0})
weak.writeRecord('m v=1')
console.error = () => {}
seen.weakWrite = await refusal(weak.close())
console.error = original
seen.inactive = (await authorizations.patchAuthorizationsID({authID: token.id, body: {status: 'inactive'}})).status
await authorizations.deleteAuthorizationsID({authID: token.id})
seen.gone = await refusal(authorizations.getAuthorizationsID({authID: token.id}))
const label = await new LabelsAPI(influx).postLabels({body: {orgID, name: 'js', properties: {color: 'ffb3b3'}}})
seen.label = label.label.properties
await buckets.postBucketsIDLabels({bucketID: bucket.id, body: {labelID: label.label.id}})
seen.labels = (await buckets.getBucketsIDLabels({bucketID: bucket.id})).labels.map((found) => found.name)
const mappings = new DbrpsAPI(influx)
const mapping = await mappings.postDBRP({
  body: {orgID, bucketID: bucket.id, database: 'old', retention_policy: 'weekly', default: true},
})
await mappings.patchDBRPID({dbrpID: mapping.id, orgID, body: {retention_policy: 'daily'}})
seen.mappings = (await mappings.getDBRPs({orgID, db: 'old'})).content.map((found) => found.retention_policy)
await mappings.deleteDBRPID({dbrpID: mapping.id, orgID})
seen.mappingGone = await refusal(mappings.getDBRPsID({dbrpID: mapping.id, orgID}))
await buckets.deleteBucketsID({bucketID: bucket.id})

const variables = new VariablesAPI(influx)
const variable = await variables.postVariables({
  body: {orgID, name: 'room', arguments: {type: 'constant', values: ['a', 'b']}},
})
await variables.patchVariablesID({variableID: variable.id, body: {...variable, name: 'rooms'}})
seen.variables = (await variables.getVariables({orgID})).variables.map((found) => [found.name, found.arguments.values])
const telegrafs = new TelegrafsAPI(influx)
const config = '[[outputs.influxdb_v2]]\n  bucket = "house"\n'
const telegraf = await telegrafs.postTelegrafs({body: {orgID, name: 'host', config}})
seen.telegraf = [telegraf.metadata.buckets, String(await telegrafs.getTelegrafsID({telegrafID: telegraf.id})) === config]
const dashboards = new DashboardsAPI(influx)
const dashboard = await dashboards.postDashboards({body: {orgID, name: 'board'}})
const cell = await dashboards.postDashboardsIDCells({dashboardID: dashboard.id, body: {x: 0, y: 0, w: 4, h: 4}})
await dashboards.patchDashboardsIDCellsIDView({
  dashboardID: dashboard.id, cellID: cell.id,
  body: {name: 'note', properties: {shape: 'chronograf-v2', type: 'markdown', note: 'hello'}},
})
seen.dashboard = (await dashboards.getDashboardsID({dashboardID: dashboard.id, include: 'properties'})).cells.map(
  (found) => [found.name, found.w, found.properties.note],
)
const secrets = new OrgsAPI(influx)
await secrets.patchOrgsIDSecrets({orgID, body: {one: 'hidden', two: 'hidden'}})
await secrets.postOrgsIDSecrets({orgID, body: {secrets: ['one']}})
seen.secrets = (await secrets.getOrgsIDSecrets({orgID})).secrets
seen.names = (await buckets.getBuckets({orgID, limit: 100})).buckets.map((found) => found.name).sort()
const users = new UsersAPI(influx)
const user = await users.postUsers({body: {name: 'guest'}})
await users.postUsersIDPassword({userID: user.id, body: {password: 'guest-password'}})
const session = []
await new SigninAPI(stranger).postSignin(
  {auth: {user: 'house', password: 'house-password'}},
  {responseStarted: (headers) => session.push(headers['set-cookie'] ?? '')},
)
const cookie = String(session[0]).split(';')[0]
seen.me = (await new MeAPI(stranger).getMe(undefined, {headers: {cookie}})).name
await new SignoutAPI(stranger).postSignout(undefined, {headers: {cookie}})
seen.signedOut = await refusal(new MeAPI(stranger).getMe(undefined, {headers: {cookie}}))
seen.wrongPassword = await refusal(new SigninAPI(stranger).postSignin({auth: {user: 'house', password: 'wrong-password'}}))

process.stdout.write(JSON.stringify(seen, null, 1))
