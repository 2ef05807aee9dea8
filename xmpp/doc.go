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
// The wire code is our own, on encoding/xml: strangers may send anything, and
// an unknown element, nick or depth must never end the stream of everybody.
package xmpp
