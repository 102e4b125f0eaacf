// The client of version 1, unmodified, against the port argv[2] with the token argv[3] as its password.
// Prints one JSON object of what it saw; the test beside it says what it must be.
import {FieldType, InfluxDB} from 'influx'

const [port, token] = process.argv.slice(2)
const seen = {}

async function outcome(promise) {
  try {
    return await promise
  } catch (error) {
    return {error: error.message}
  }
}

const {FLOAT, INTEGER, STRING, BOOLEAN} = FieldType
const options = {host: '127.0.0.1', port: Number(port), database: 'house', username: 'anyone'}
const influx = new InfluxDB({
  ...options,
  password: token,
  schema: [{measurement: 'flows', fields: {v: FLOAT, i: INTEGER, s: STRING, b: BOOLEAN}, tags: ['room']}],
})

seen.ping = (await influx.ping(5000)).map((found) => [found.online, found.version])
seen.databases = (await influx.getDatabaseNames()).sort()
seen.create = await outcome(influx.createDatabase('made'))
await influx.writePoints([
  {measurement: 'flows', tags: {room: 'a b'}, fields: {v: 1.5, i: 3, s: 'x "y"', b: true}, timestamp: new Date(1600000000000)},
])
await influx.writePoints([{measurement: 'flows', tags: {room: 'c'}, fields: {v: 2}, timestamp: 1600000001}], {precision: 's'})
seen.rows = await influx.query('SELECT * FROM flows')
seen.bound = await influx.query('SELECT v FROM flows WHERE room = $room', {placeholders: {room: 'a b'}})
seen.precise = await influx.query('SELECT v FROM flows', {precision: 'ms'})
seen.two = (await influx.query('SELECT v FROM flows; SELECT count(v) FROM flows')).map((rows) => rows.length)
seen.measurements = await influx.getMeasurements()
seen.series = await influx.getSeries({measurement: 'flows'})
seen.policies = await influx.showRetentionPolicies('house')
seen.badQuery = await outcome(influx.query('SELECT'))
seen.badWrite = await outcome(influx.writeMeasurement('flows', [{fields: {v: 1}}], {database: 'nowhere'}))
seen.badToken = await outcome(new InfluxDB({...options, password: 'nobody-has-this-one'}).query('SHOW DATABASES'))

process.stdout.write(JSON.stringify(seen, null, 1))
