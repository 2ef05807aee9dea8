package bridge

import (
	"slices"

	"github.com/google/uuid"
)

// Who sees which member and which address (SPEC F5): an address is shown to
// those to whom the initiator's mail showed it, and a blind copy to nobody but
// the initiator until it speaks.

// ShowsMember says if one member is shown at all to another.
func (r *Room) ShowsMember(viewer, m Member) bool {
	return !m.Blind || m.ID == viewer.ID || viewer.Role == Initiator
}

// ShowsAddress says if one member is shown another's addresses: their own, of
// the person who invited them and of those whom they invited, and of whom the
// same invitation named. HideAddresses leaves only the first two ways. The
// initiator, who answers for the session, sees all.
func (r *Room) ShowsAddress(viewer, m Member) bool {
	switch {
	case m.ID == viewer.ID || viewer.Role == Initiator || m.Inviter == viewer.ID || viewer.Inviter == m.ID:
		return true
	case r.Session.Options.HideAddresses || !r.ShowsMember(viewer, m):
		return false
	}
	// A blind copy was shown whom the first mail was shown to.
	return m.Round == max(viewer.Round, 0)
}

// blindRound is the round of blind copies: they were shown to nobody. Speaking
// makes them known by name, and their address stays their own.
const blindRound = -1

// ShowsAllAddresses says if every member may see every other one's address.
// Once it is false it stays so.
func (r *Room) ShowsAllAddresses() bool {
	if r.Session.Options.HideAddresses {
		return false
	}
	return !slices.ContainsFunc(r.Members, func(m Member) bool { return m.Round != 0 })
}

// shownTo is the room as a member sees it: without those whom they may not see,
// and without the addresses that they were not shown. It is a copy where it
// differs.
func (r *Room) shownTo(viewer Member) *Room {
	if r.ShowsAllAddresses() {
		return r
	}
	shown := &Room{Session: r.Session}
	for _, m := range r.Members {
		if !r.ShowsMember(viewer, m) {
			continue
		}
		if !r.ShowsAddress(viewer, m) {
			m = r.withoutAddress(m)
		}
		shown.Members = append(shown.Members, m)
	}
	return shown
}

// withoutAddress is a member whose addresses are not shown: the networks stay,
// and so does the name.
func (r *Room) withoutAddress(m Member) Member {
	m.Name = m.Display()
	m.Address = Address{Network: m.Address.Network}
	endpoints := make([]Endpoint, len(m.Endpoints))
	for i, e := range m.Endpoints {
		endpoints[i] = Endpoint{Address{Network: e.Address.Network}, e.State}
	}
	m.Endpoints = endpoints
	return m
}

// Public is the room as a place that all members share sees it, such as a
// Matrix room: nobody who is blind, whoever looks.
func (r *Room) Public() *Room {
	if !slices.ContainsFunc(r.Members, func(m Member) bool { return m.Blind }) {
		return r
	}
	shown := &Room{Session: r.Session}
	for _, m := range r.Members {
		if !m.Blind {
			shown.Members = append(shown.Members, m)
		}
	}
	return shown
}

// Concerns says if a record is a member's business. Whom a mail did not reach is
// told to the initiator alone (SPEC B5), and of a blind copy nobody else is.
func (r *Room) Concerns(viewer Member, record Record) bool {
	if record.Kind == KindFailure && record.Destination.Network() == Mail {
		return viewer.Role == Initiator
	}
	for _, id := range []uuid.UUID{record.Member, record.Target} {
		if m, ok := r.Member(id); ok && !r.ShowsMember(viewer, m) {
			return false
		}
	}
	return true
}

// sight is what a record is to a member who reads the log: whole, or only the
// place that it has there.
func (r *Room) sight(viewer Member, record Record) Record {
	if r.Concerns(viewer, record) {
		return record
	}
	return Record{Session: record.Session, Seq: record.Seq, ID: record.ID, At: record.At}
}

// seen is what a member sees of records.
func (r *Room) seen(viewer Member, records []Record) []Record {
	for i, record := range records {
		records[i] = r.sight(viewer, record)
	}
	if viewer.FromSeq == 0 {
		return records
	}
	first, _ := slices.BinarySearchFunc(records, viewer.FromSeq+1, func(r Record, seq int64) int { return int(r.Seq - seq) })
	return records[first:]
}

// InviterOf is the member who invited m, the initiator if none did.
func (r *Room) InviterOf(m Member) Member {
	if m.Inviter != uuid.Nil {
		if inviter, ok := r.Member(m.Inviter); ok {
			return inviter
		}
	}
	return r.Initiator()
}
