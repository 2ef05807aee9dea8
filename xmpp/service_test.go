package xmpp

import (
	"context"
	"errors"
	"slices"
	"sync"
	"time"

	"github.com/google/uuid"

	"mailroom/bridge"
)

// memory is bridge.Service as the rooms see it: sessions, their logs and the
// lane that brings them, all in memory.
type memory struct {
	mu       sync.Mutex
	sessions map[uuid.UUID]*talk
	changed  chan struct{}
	hub      *bridge.Hub
	signals  *bridge.Hub
	broken   error // what every call returns, to play a database that is down
	// What these calls alone return: Enter after it has stored the occupant.
	brokenPast, brokenEntry error
}

// talk is one session of the memory.
type talk struct {
	room      bridge.Room
	log       []bridge.Record
	occupants map[string]bridge.Occupant
	signs     map[uuid.UUID]bridge.Signs
	watch     map[[2]int]bool // viewer and target, by number
	paused    bool            // its lane stands still
	acked     int64
}

func newMemory() *memory {
	return &memory{sessions: make(map[uuid.UUID]*talk), changed: make(chan struct{}, 1), hub: bridge.NewHub(), signals: bridge.NewHub()}
}

// start makes a session; the first address is its initiator.
func (m *memory) start(subject string, addresses ...string) uuid.UUID {
	m.mu.Lock()
	defer m.mu.Unlock()
	id := uuid.New()
	t := &talk{occupants: make(map[string]bridge.Occupant), signs: make(map[uuid.UUID]bridge.Signs), watch: make(map[[2]int]bool)}
	t.room.Session = bridge.Session{ID: id, Subject: subject, State: bridge.Open, CreatedAt: time.Now()}
	for i, text := range addresses {
		t.room.Members = append(t.room.Members, newMember(i+1, text))
	}
	t.room.Members[0].Role, t.room.Members[0].State = bridge.Initiator, bridge.Joined
	m.sessions[id] = t
	m.append(t, bridge.Record{Kind: bridge.KindStarted, Member: t.room.Members[0].ID})
	for _, invited := range t.room.Members[1:] {
		m.append(t, bridge.Record{Kind: bridge.KindInvited, Member: t.room.Members[0].ID, Target: invited.ID})
	}
	return id
}

func newMember(number int, text string) bridge.Member {
	a, err := bridge.ParseAddress(text)
	if err != nil {
		panic(err)
	}
	return bridge.Member{
		ID: uuid.New(), Number: number, Address: a, Role: bridge.Participant, State: bridge.Invited,
		Endpoints: []bridge.Endpoint{{Address: a, State: bridge.EndpointMapped}},
	}
}

func (m *memory) append(t *talk, r bridge.Record) bridge.Record {
	r.Session, r.Seq, r.ID = t.room.Session.ID, int64(len(t.log))+1, uuid.Must(uuid.NewV7())
	if r.At.IsZero() {
		r.At = time.Now()
	}
	t.log = append(t.log, r)
	t.room.Session.Head = r.Seq
	t.room.Session.ACLVersion++
	m.hub.Publish(r.Session)
	select {
	case m.changed <- struct{}{}:
	default:
	}
	return r
}

// say appends a message of a member, as another gateway would.
func (m *memory) say(session uuid.UUID, number int, text string, at time.Time) bridge.Record {
	m.mu.Lock()
	defer m.mu.Unlock()
	t := m.sessions[session]
	return m.append(t, bridge.Record{Kind: bridge.KindMessage, Member: t.room.Members[number-1].ID, Body: bridge.Body{Text: text}, At: at})
}

// add appends a record as it is, by the initiator.
func (m *memory) add(session uuid.UUID, r bridge.Record) bridge.Record {
	m.mu.Lock()
	defer m.mu.Unlock()
	t := m.sessions[session]
	r.Member = t.room.Members[0].ID
	return m.append(t, r)
}

// log is what was said and done from a seq on.
func (m *memory) log(session uuid.UUID, from int64) []bridge.Record {
	m.mu.Lock()
	defer m.mu.Unlock()
	return slices.Clone(m.sessions[session].log[from-1:])
}

// set changes a member and appends the record that tells of it.
func (m *memory) set(session uuid.UUID, number int, state bridge.MemberState, kind bridge.Kind) {
	m.mu.Lock()
	defer m.mu.Unlock()
	t := m.sessions[session]
	t.room.Members = slices.Clone(t.room.Members)
	member := &t.room.Members[number-1]
	member.State, member.Grant.Revoked = state, state == bridge.Revoked || state == bridge.Declined
	r := bridge.Record{Kind: kind, Member: member.ID}
	if kind == bridge.KindRevoked {
		r.Member, r.Target = t.room.Members[0].ID, member.ID
	}
	m.append(t, r)
}

func (m *memory) close(session uuid.UUID) {
	m.mu.Lock()
	defer m.mu.Unlock()
	t := m.sessions[session]
	t.room.Session.State = bridge.Ended
	m.append(t, bridge.Record{Kind: bridge.KindClosed, Member: t.room.Members[0].ID})
}

// name gives a member a display name.
func (m *memory) name(session uuid.UUID, number int, name string) {
	m.mu.Lock()
	defer m.mu.Unlock()
	t := m.sessions[session]
	t.room.Members = slices.Clone(t.room.Members)
	t.room.Members[number-1].Name = name
	t.room.Session.ACLVersion++
}

// edit changes a session without a record, as settings and grants do.
func (m *memory) edit(session uuid.UUID, change func(t *talk)) {
	m.mu.Lock()
	defer m.mu.Unlock()
	t := m.sessions[session]
	t.room.Members = slices.Clone(t.room.Members)
	change(t)
	t.room.Session.ACLVersion++
	m.hub.Publish(session)
}

// shows lets one member see if another is here and types, or no more.
func (m *memory) shows(session uuid.UUID, target, viewer int, on bool) {
	m.edit(session, func(t *talk) { t.watch[[2]int{viewer, target}] = on })
}

// sign gives a signal of a member.
func (m *memory) sign(session uuid.UUID, number int, s bridge.Signs) {
	m.mu.Lock()
	defer m.mu.Unlock()
	t := m.sessions[session]
	s.Member = t.room.Members[number-1].ID
	t.signs[s.Member] = s
	m.signals.Publish(session)
}

// alsoReachedByMail gives a member a second endpoint.
func (m *memory) alsoReachedByMail(session uuid.UUID, number int, address string) {
	m.mu.Lock()
	defer m.mu.Unlock()
	t := m.sessions[session]
	t.room.Members = slices.Clone(t.room.Members)
	member := &t.room.Members[number-1]
	member.Endpoints = append(member.Endpoints, bridge.Endpoint{Address: bridge.EmailAddress(address), State: bridge.EndpointMapped})
}

func (m *memory) endpoint(session uuid.UUID, number int) bridge.EndpointState {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.sessions[session].room.Members[number-1].Endpoints[0].State
}

func (m *memory) texts(session uuid.UUID) []string {
	m.mu.Lock()
	defer m.mu.Unlock()
	var texts []string
	for _, r := range m.sessions[session].log {
		if r.Kind == bridge.KindMessage {
			texts = append(texts, r.Body.Text)
		}
	}
	return texts
}

// breakJoins lets joins fail half-way: when the past is read, or once the
// occupant is stored.
func (m *memory) breakJoins(past, entry error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.brokenPast, m.brokenEntry = past, entry
}

func (m *memory) breakDown(err error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.broken = err
}

// drain is the outbox: it brings each lane forward until ctx ends.
func (m *memory) drain(ctx context.Context, transport func(context.Context, bridge.Lane, []bridge.Record) (int, error)) {
	again := time.NewTicker(20 * time.Millisecond)
	defer again.Stop()
	for ctx.Err() == nil {
		for id, t := range m.waiting() {
			lane := bridge.Lane{Session: id, Destination: bridge.ToXMPP, Acked: t.acked}
			accepted, err := transport(ctx, lane, t.log[t.acked:min(int(t.acked)+100, len(t.log))])
			m.mu.Lock()
			m.sessions[id].acked += int64(accepted)
			m.mu.Unlock()
			if err != nil {
				continue
			}
		}
		select {
		case <-m.changed:
		case <-again.C:
		case <-ctx.Done():
		}
	}
}

func (m *memory) waiting() map[uuid.UUID]talk {
	m.mu.Lock()
	defer m.mu.Unlock()
	waiting := make(map[uuid.UUID]talk)
	for id, t := range m.sessions {
		if t.acked < int64(len(t.log)) && !t.paused {
			waiting[id] = *t
		}
	}
	return waiting
}

func (m *memory) done(session uuid.UUID) bool {
	m.mu.Lock()
	defer m.mu.Unlock()
	t := m.sessions[session]
	return t.acked == int64(len(t.log))
}

var errUnknown = &bridge.Error{Code: bridge.NotFound, Message: "There is no such session."}

// find is the gate: the session and the member who the identity is in it.
func (m *memory) find(session uuid.UUID, by bridge.Identity) (*talk, *bridge.Member, error) {
	if m.broken != nil {
		return nil, nil, m.broken
	}
	t, ok := m.sessions[session]
	if !ok {
		return nil, nil, errUnknown
	}
	for i := range t.room.Members {
		member := &t.room.Members[i]
		if member.State != bridge.Revoked && slices.ContainsFunc(member.Endpoints, func(e bridge.Endpoint) bool { return e.Address == by.Address }) {
			return t, member, nil
		}
	}
	return nil, nil, errUnknown
}

func (t *talk) snapshot() *bridge.Room {
	room := t.room
	room.Members = slices.Clone(room.Members)
	for i := range room.Members {
		room.Members[i].Endpoints = slices.Clone(room.Members[i].Endpoints)
	}
	return &room
}

func (m *memory) View(_ context.Context, session uuid.UUID, by bridge.Identity) (*bridge.Room, bridge.Member, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	t, member, err := m.find(session, by)
	if err != nil {
		return nil, bridge.Member{}, err
	}
	return t.snapshot(), *member, nil
}

func (m *memory) Room(_ context.Context, session uuid.UUID) (*bridge.Room, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	t, ok := m.sessions[session]
	if !ok {
		return nil, errUnknown
	}
	return t.snapshot(), m.broken
}

func (m *memory) Log(_ context.Context, session uuid.UUID, after int64, limit int) ([]bridge.Record, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	log := m.sessions[session].log
	from := min(int(after), len(log))
	return slices.Clone(log[from:min(from+limit, len(log))]), m.broken
}

// Watch has whom the tests let see whom.
func (m *memory) Watch(_ context.Context, room *bridge.Room) (bridge.Watch, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	w := make(bridge.Watch)
	for pair, on := range m.sessions[room.Session.ID].watch {
		if on {
			w.Show(room.Members[pair[0]-1].ID, room.Members[pair[1]-1].ID)
		}
	}
	return w, m.broken
}

func (m *memory) SignsOf(session uuid.UUID) (all []bridge.Signs) {
	m.mu.Lock()
	defer m.mu.Unlock()
	for _, s := range m.sessions[session].signs {
		if s.Typing || s.Here {
			all = append(all, s)
		}
	}
	return all
}

func (m *memory) Subscribe(session uuid.UUID) (<-chan struct{}, func()) {
	return m.hub.Subscribe(session)
}

func (m *memory) SubscribeSignals(session uuid.UUID) (<-chan struct{}, func()) {
	return m.signals.Subscribe(session)
}

func (m *memory) Signal(_ context.Context, session uuid.UUID, by bridge.Identity, kind bridge.SignalKind, on bool) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	t, member, err := m.find(session, by)
	if err != nil {
		return err
	}
	s := t.signs[member.ID]
	s.Member = member.ID
	if kind == bridge.Typing {
		s.Typing = on
	} else {
		s.Here = on
	}
	t.signs[member.ID] = s
	m.signals.Publish(session)
	return nil
}

func (m *memory) RecordsBefore(_ context.Context, session uuid.UUID, by bridge.Identity, before int64, limit int) ([]bridge.Record, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	t, _, err := m.find(session, by)
	if err = errors.Join(err, m.brokenPast); err != nil {
		return nil, err
	}
	end := min(int(before)-1, len(t.log))
	return t.log[max(0, end-limit):end], nil
}

func (m *memory) Post(_ context.Context, p bridge.PostRequest) (bridge.Record, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	t, member, err := m.find(p.Session, p.By)
	switch {
	case err != nil:
		return bridge.Record{}, err
	case t.room.Session.State != bridge.Open:
		return bridge.Record{}, &bridge.Error{Code: bridge.Closed, Message: "This session is closed."}
	}
	for _, r := range t.log {
		if r.Origin == p.Origin {
			return r, nil
		}
	}
	return m.append(t, bridge.Record{Kind: bridge.KindMessage, Member: member.ID, Origin: p.Origin, Body: p.Body}), nil
}

func (m *memory) SetSubject(_ context.Context, session uuid.UUID, by bridge.Identity, subject string, o bridge.Origin) (bridge.Record, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	t, member, err := m.find(session, by)
	switch {
	case err != nil:
		return bridge.Record{}, err
	case member.Role != bridge.Initiator:
		return bridge.Record{}, &bridge.Error{Code: bridge.Forbidden, Message: "Only the initiator may do that."}
	}
	t.room.Session.Subject = subject
	return m.append(t, bridge.Record{Kind: bridge.KindSubject, Member: member.ID, Origin: o, Subject: subject}), nil
}

func (m *memory) SetEndpoint(_ context.Context, session uuid.UUID, a bridge.Address, state bridge.EndpointState) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	_, member, err := m.find(session, bridge.Identity{Address: a})
	if err == nil {
		member.Endpoints[0].State = state
		m.sessions[session].room.Session.ACLVersion++
	}
	return err
}

func (m *memory) Occupants(_ context.Context, session uuid.UUID) ([]bridge.Occupant, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	var list []bridge.Occupant
	if t, ok := m.sessions[session]; ok {
		for _, o := range t.occupants {
			list = append(list, o)
		}
	}
	return list, m.broken
}

func (m *memory) Enter(_ context.Context, session uuid.UUID, by bridge.Identity, jid, nick string) (*bridge.Room, bridge.Member, bridge.Occupant, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	t, member, err := m.find(session, by)
	if err != nil {
		return nil, bridge.Member{}, bridge.Occupant{}, err
	}
	member.Endpoints[0].State = bridge.EndpointJoined
	t.room.Session.ACLVersion++
	if member.State != bridge.Joined {
		member.State = bridge.Joined
		if member.Name == "" {
			member.Name = by.Name
		}
		if !member.Blind {
			m.append(t, bridge.Record{Kind: bridge.KindJoined, Member: member.ID})
		}
	}
	o := bridge.Occupant{Session: session, Member: member.ID, JID: jid, Nick: nick, FromSeq: t.room.Session.Head}
	t.occupants[jid] = o
	if m.brokenEntry != nil {
		return nil, bridge.Member{}, bridge.Occupant{}, m.brokenEntry
	}
	return t.snapshot(), *member, o, nil
}

func (m *memory) Exit(_ context.Context, session uuid.UUID, jid string) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	if t, ok := m.sessions[session]; ok {
		delete(t.occupants, jid)
	}
	return m.broken
}

var errDown = errors.New("the database is down")
