// Package mailin is the way in by email: SMTP for other mail servers, LMTP for a
// front MTA on the same machine, and submission for people with an account.
//
// A mail goes through these stages, one file each; the first that refuses it
// answers the peer with a code and a sentence that says what to do:
//
//	recipient.go  RCPT: is this one of our addresses, is its token alive?
//	prescan.go    the bounds of size, lines, header and MIME tree, in one linear pass
//	verify.go     who really sent it: AUTH, a trusted front, or DMARC by us
//	classify.go   a person, a machine, a list, or a delivery report?
//	parse.go      text and files out of the MIME tree, within a time budget
//	trim.go       of an answer only the new text
//	start.go, answer.go, bounce.go   what bridge is asked to do
//	blind.go, offrecord.go           what of a start nobody is shown, and nobody keeps
//
// 250 is answered only after bridge has committed, or for a class of mail that
// is dropped on purpose, which the log tells. The gateway authenticates; who may
// do what is decided by bridge alone.
package mailin
