// Package servers starts real PostgreSQL, Redis and PgBouncer servers, to be thrown away, from the programs that the
// system has: for tests, and for people who want to try.
//
// Each server has a temporary directory and a port of its own, and listens on 127.0.0.1 only. Whoever starts one
// stops it; Stop leaves nothing behind. The servers are in process groups of their own, so that Ctrl-C reaches
// the program that started them, which then stops them in order. On Linux they also end when that program ends in any
// other way, and what they left in the temporary directory goes when the next server is started.
//
// A [Server] can be killed, frozen and started again, with its port and its data. A [Proxy] stands between a
// client and a server, and plays a network that fails.
//
// As root, PostgreSQL and PgBouncer run as the user postgres, because they refuse to be root. Systems other than Unix
// are not supported: there, every start is an error.
package servers
