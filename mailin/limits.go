package mailin

import "time"

// Limits bound what strangers may cost. Zero fields take the default, which is
// given with each.
type Limits struct {
	MessageBytes  int64 // of one mail as transferred: 25 MiB
	BufferedBytes int64 // of all mails that are being received: 256 MiB
	PlaceBytes    int64 // of those from one address, loopback excepted: an eighth of BufferedBytes, but room for one mail
	LineBytes     int   // of any line, its CRLF included: 64 KiB (RFC 5321 allows 1000, real mailers exceed it)

	HeaderBytes     int // of one header block: 100 KiB
	HeaderFields    int // in one header block: 500
	HeaderLineBytes int // of a header line, and of a field that Mailroom reads after unfolding: 8 KiB
	Hops            int // Received fields, against loops: 50, as Postfix has it (RFC 5321 §6.3)

	Depth int // of the MIME tree: 20
	Parts int // of the MIME tree: 300

	Recipients        int // RCPT accepted for one mail: 20; where people sign in, as many more as a session takes
	UnknownRecipients int // RCPT of unknown addresses until the connection is closed: 5
	AuthFailures      int // AUTH attempts until the connection is closed: 3

	Connections   int // at a time, of each listener: 500
	ConnectionsIP int // at a time from one address, loopback excepted: 50

	ReadTimeout time.Duration // for a command, and for a whole DATA: 10 min (RFC 5321 §4.5.3.2 asks for 5)
	StallTime   time.Duration // without a byte, while a mail is being received: 2 min (a sender may wait 3, §4.5.3.2.5)
	ParseTime   time.Duration // for the MIME tree of one mail: 2 s
	DNSTime     time.Duration // for all look-ups about one mail: 20 s
	WorkTime    time.Duration // from the final dot to our answer: 60 s
}

func (l Limits) withDefaults() Limits {
	setDefault(&l.MessageBytes, 25<<20)
	setDefault(&l.BufferedBytes, 256<<20)
	setDefault(&l.PlaceBytes, max(l.BufferedBytes/8, l.MessageBytes+chunk))
	setDefault(&l.LineBytes, 64<<10)
	setDefault(&l.HeaderBytes, 100<<10)
	setDefault(&l.HeaderFields, 500)
	setDefault(&l.HeaderLineBytes, 8<<10)
	setDefault(&l.Hops, 50)
	setDefault(&l.Depth, 20)
	setDefault(&l.Parts, 300)
	setDefault(&l.Recipients, 20)
	setDefault(&l.UnknownRecipients, 5)
	setDefault(&l.AuthFailures, 3)
	setDefault(&l.Connections, 500)
	setDefault(&l.ConnectionsIP, 50)
	setDefault(&l.ReadTimeout, 10*time.Minute)
	setDefault(&l.StallTime, 2*time.Minute)
	setDefault(&l.ParseTime, 2*time.Second)
	setDefault(&l.DNSTime, 20*time.Second)
	setDefault(&l.WorkTime, time.Minute)
	return l
}

func setDefault[T comparable](field *T, value T) {
	var zero T
	if *field == zero {
		*field = value
	}
}
