package xmpp

import "mailroom/bridge"

// delivery collects what is sent for one record, and of these what one call of
// Deliver sends.
type delivery struct {
	out      []*element
	size     int              // of all together, in bytes of the stream
	largest  int              // size of the largest stanza
	inviting []bridge.Address // who is invited by it
	taken    int              // how many records are in it
	refused  error            // why the record after those never will be
}

func (d *delivery) send(stanzas ...*element) {
	for _, s := range stanzas {
		d.add(s, s.length())
	}
}

// sendEach sends one copy of a stanza, which is addressed to nobody yet, to each
// receiver. It is measured once: the text may be long and the receivers many.
func (d *delivery) sendEach(s *element, receivers []string) {
	length := s.length()
	for _, to := range receivers {
		d.add(s.sentTo(to), length+escapedLength(to))
	}
}

func (d *delivery) add(s *element, length int) {
	d.out = append(d.out, s)
	d.size += length
	d.largest = max(d.largest, length)
}

// take adds what one more record brings about.
func (d *delivery) take(one delivery) {
	d.out = append(d.out, one.out...)
	d.size += one.size
	d.taken++
}
