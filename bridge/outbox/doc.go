// Package outbox drains lanes: it takes what a destination has not had yet
// from a session's log, in order, hands it to the gateway that serves the
// destination, and moves the lane's position when the gateway says that it is
// there.
//
// A lane sends the next record only after the last one was accepted. A lane
// whose peer cannot be reached is tried again with growing pauses, for ever,
// and holds up no other lane. A record that the peer refuses for good is
// skipped, and a record of that failure is appended to the log.
//
// A lane has one owner at a time. Each node holds a lease on its own name and
// takes a lane once; the lane stays its own until another node finds that the
// lease has run out. The fence, which grows with each change of owner, is
// checked in every write, so that a node that was thought dead can do no harm
// when it wakes.
//
// Truth is in the tables. Hints from the hub make it fast; a poll of the
// sessions that have changed makes it certain.
package outbox
