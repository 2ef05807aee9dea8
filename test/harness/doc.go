// Package harness runs the whole product for tests: the built program with real peers around it, and people who talk through
// it by real protocols.
//
// A Site is one installation: the stack of peers (Dendrite, Prosody, PostgreSQL), a DNS that holds the senders' keys, a
// smarthost that keeps every mail, and one or more nodes of Mailroom. The people are a Correspondent (mail), a MatrixUser, an
// XMPPUser, a WebUser (HTTP and server-sent events) and a Browser (Chromium). What a person does returns an error, so that
// tests may try it again while something is down; what a person sees is asked for with Seen.
package harness
