// Package xmpp is the XMPP gateway: an external component (XEP-0114) that
// hosts the session rooms itself, <session id>@rooms.example.org.
//
// Because we are the room (XEP-0045), nobody enters it without a grant, every
// byte of presence that others see is ours, and the room's history is the
// session's transcript.
//
// What comes in: stream.go reads stanzas, dispatch.go gives each to the worker
// of its room, and one small file for each feature answers it (join.go,
// message.go, disco.go …). What is said is posted to bridge and nothing more:
// what goes out is brought by the XMPP lane of the session's log (deliver.go),
// also the reflection to its sender, which thereby is the acknowledgement of a
// message that is stored.
//
// What is particular here:
//   - Components have no stream management. A ping to our own name, sent after a
//     batch, stands in for it: servers handle a component's stanzas in order, so
//     its return says that all before it was read (barrier.go).
//   - A room is loaded while somebody is inside or something happens to it, and
//     locked while a client enters or records are sent, so that what one is
//     shown as history and what comes live meet without gap or overlap.
//   - One person is one occupant: one nick and one occupant-id, however many
//     clients are inside. Everybody who has joined is one for as long as they are
//     a member, whether or not a client of theirs is inside. A blind copy is one
//     to nobody else before it speaks.
//   - Each client has its own picture of the room (picture.go, scene.go). That a
//     member is here (with a client inside, or on the page) or types is in it only
//     if the member's own setting shows it to that viewer. In all other pictures
//     the member is away (xa) all the time, and nothing changes there when a client
//     comes or goes: so no nick changes then either, and the real JID, where one is
//     shown, is the bare one. What was told is kept, and only differences are sent;
//     over a new link everything is told anew.
//   - Settings, signals and the end of a grant have no record in the log. A room
//     that somebody is inside of listens for the session's hints (attend.go), and
//     so brings pictures up to date and takes out whom it has no place for any
//     more, without waiting for its lane.
//   - Clients that are gone bounce, and a bounce is a leave. Those that are inside
//     are stored, so that rooms go on when the bridge or the server starts again.
//   - Who has no grant meets one answer, whatever is asked of whichever address.
//     Members are told nothing of each other by questions: an occupant answers
//     none but its own ping.
//   - Off the record the room says so, and asks servers and clients to keep
//     nothing (offrecord.go); what is erased is retracted (retract.go).
//
// The wire code is our own, on encoding/xml: strangers may send anything, and
// an unknown element, nick or depth must never end the stream of everybody.
package xmpp
