// Package mailout renders mails and hands them to the smarthost.
//
// What is due, when, and to whom is decided elsewhere: a bridge.Letter comes in, and the answer of the smarthost to the mail's
// final dot goes back. A letter becomes a mail in steps, one file each: view.go finds what there is to say, the templates say
// it, message.go and header.go put it into the form of RFC 5322 and MIME, dkim.go signs it. smarthost.go opens connections,
// pool.go keeps them through a burst, delivery.go speaks one transaction and tells what its outcome means.
//
// A mail goes to one person, since it carries tokens of theirs. It has no pixel, no rewritten link and no picture of
// their own: nothing tells us if it was read.
package mailout
