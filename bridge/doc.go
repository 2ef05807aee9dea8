// Package bridge is the core of Mailroom: persons, sessions, members, grants
// and the log of each session; who may do what, and what goes where.
//
// A session is a log. Everything that anybody says or does in it is a Record
// with the next sequence number. Every way out (a browser, a mailbox, a Matrix
// room, a MUC) is a reader of that log with its own position, a Lane. History,
// resume after a cut, retry and mirroring are all the same thing: a reader that
// has not reached the end yet.
//
// Gateways authenticate, bridge authorises: each act of each gateway becomes a
// call of a Service method, which asks the one gate (gate.go) inside the
// transaction that writes. A method that returns without error has committed;
// only then may a gateway acknowledge to its peer.
//
// The package imports nothing of ours. Storage, translation and the gateways
// are interfaces, declared in ports.go where they are used.
package bridge
