package webui

import (
	"context"
	"errors"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/google/uuid"

	"mailroom/bridge"
)

var errNone = &bridge.Error{Code: bridge.NotFound, Message: "There is no such session."}

// fakeService is the core in memory: as much of it as the tests of how a page behaves need. Tokens are "<right>-<name>".
// What has to do with permission and privacy is tested over the real core: see core_test.go.
type fakeService struct {
	Service  // whatever is not below is not called
	mu       sync.Mutex
	hub      *bridge.Hub
	rooms    map[uuid.UUID]*bridge.Room
	logs     map[uuid.UUID][]bridge.Record
	browsers map[string]bridge.Identity
	sessions map[string]uuid.UUID // browser secret -> session
	tokens   map[string]bridge.Holder
	bearers  map[string]bridge.Identity
	held     map[string]bridge.Held
	started  map[bridge.Origin]uuid.UUID
	failing  error // what every writing call answers, if set
	now      time.Time
}

func newFake() *fakeService {
	return &fakeService{
		hub: bridge.NewHub(), rooms: map[uuid.UUID]*bridge.Room{}, logs: map[uuid.UUID][]bridge.Record{},
		browsers: map[string]bridge.Identity{}, sessions: map[string]uuid.UUID{}, tokens: map[string]bridge.Holder{},
		bearers: map[string]bridge.Identity{}, held: map[string]bridge.Held{}, started: map[bridge.Origin]uuid.UUID{},
		now: time.Date(2026, 11, 23, 10, 0, 0, 0, time.UTC),
	}
}

// person is somebody of a fake session, by name and address.
func someone(name, address string) bridge.Member {
	a, err := bridge.ParseAddress(address)
	if err != nil {
		panic(err)
	}
	endpoints := []bridge.Endpoint{{Address: a, State: bridge.EndpointMapped}}
	if a.Network != bridge.Mail {
		endpoints[0].State = bridge.EndpointJoined
	}
	return bridge.Member{ID: uuid.New(), Name: name, Address: a, State: bridge.Invited, Endpoints: endpoints, Grant: bridge.Grant{ID: uuid.New(), Generation: 1}}
}

// open makes a session; the first member is its initiator. Each gets the tokens join-<name>, unsubscribe-<name> and icon-<name>.
func (f *fakeService) open(subject string, members ...bridge.Member) *bridge.Room {
	f.mu.Lock()
	defer f.mu.Unlock()
	room := &bridge.Room{Session: bridge.Session{ID: uuid.New(), Subject: subject, State: bridge.Open, CreatedAt: f.now}}
	for i, m := range members {
		m.Number, m.Role = i+1, bridge.Participant
		if i == 0 {
			m.Role, m.State = bridge.Initiator, bridge.Joined
		}
		room.Members = append(room.Members, m)
		f.addTokens(room, m)
	}
	f.rooms[room.Session.ID] = room
	f.append(room, bridge.Record{Kind: bridge.KindStarted, Member: members[0].ID, Subject: subject})
	for _, m := range members[1:] {
		f.append(room, bridge.Record{Kind: bridge.KindInvited, Member: members[0].ID, Target: m.ID})
	}
	return room
}

func (f *fakeService) addTokens(room *bridge.Room, m bridge.Member) {
	for _, right := range []bridge.Right{bridge.RightJoin, bridge.RightUnsubscribe, bridge.RightIcon} {
		token := string(right) + "-" + strings.ToLower(m.Name)
		f.tokens[token] = bridge.Holder{Session: room.Session.ID, Member: m.ID, Grant: m.Grant.ID, Right: right, Address: m.Address}
	}
}

func (f *fakeService) append(room *bridge.Room, r bridge.Record) bridge.Record {
	f.now = f.now.Add(time.Second)
	r.Session, r.Seq, r.ID = room.Session.ID, int64(len(f.logs[room.Session.ID])+1), uuid.New()
	if r.At.IsZero() {
		r.At = f.now
	}
	if r.Origin.Network == "" {
		r.Origin.Network = bridge.Web
	}
	f.logs[room.Session.ID] = append(f.logs[room.Session.ID], r)
	room.Session.Head = r.Seq
	f.hub.Publish(room.Session.ID)
	return r
}

// say adds a message of a member, as it comes from a network.
func (f *fakeService) say(room *bridge.Room, member bridge.Member, via bridge.Network, body bridge.Body) bridge.Record {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.append(room, bridge.Record{Kind: bridge.KindMessage, Member: member.ID, Body: body, Origin: bridge.Origin{Network: via, ID: uuid.NewString()}})
}

func (f *fakeService) records(session uuid.UUID) []bridge.Record {
	f.mu.Lock()
	defer f.mu.Unlock()
	return slices.Clone(f.logs[session])
}

func (f *fakeService) fail(err error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.failing = err
}

// gate finds the room and the member, or answers as the core does. Call it with the lock.
func (f *fakeService) gate(session uuid.UUID, by bridge.Identity) (*bridge.Room, *bridge.Member, error) {
	room, ok := f.rooms[session]
	if !ok {
		return nil, nil, errNone
	}
	for i, m := range room.Members {
		shown := by.Grant != uuid.Nil && m.Grant.ID == by.Grant || by.Grant == uuid.Nil && !by.Address.IsZero() && m.Address == by.Address
		if shown && !m.Grant.Revoked {
			return room, &room.Members[i], nil
		}
	}
	return nil, nil, errNone
}

// snapshot is a copy, as the core gives one.
func snapshot(room *bridge.Room) *bridge.Room {
	return &bridge.Room{Session: room.Session, Members: slices.Clone(room.Members)}
}

// act runs a change through the gate.
func (f *fakeService) act(session uuid.UUID, by bridge.Identity, change func(room *bridge.Room, m *bridge.Member) error) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.failing != nil {
		return f.failing
	}
	room, m, err := f.gate(session, by)
	if err != nil {
		return err
	}
	room.Session.ACLVersion++
	return change(room, m)
}

func (f *fakeService) Holder(_ context.Context, right bridge.Right, token string) (bridge.Holder, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	h, ok := f.tokens[token]
	if !ok || h.Right != right {
		return bridge.Holder{}, errNone
	}
	if _, _, err := f.gate(h.Session, bridge.Identity{Grant: h.Grant}); err != nil {
		return bridge.Holder{}, err
	}
	return h, nil
}

func (f *fakeService) Bind(ctx context.Context, h bridge.Holder, _, _ string) (string, error) {
	if _, _, err := f.Join(ctx, h.Session, bridge.Identity{Via: bridge.Web, Grant: h.Grant}); err != nil {
		return "", err
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	secret := strings.ReplaceAll(uuid.NewString(), "-", "")
	f.browsers[secret] = bridge.Identity{Via: bridge.Web, Grant: h.Grant}
	f.sessions[secret] = h.Session
	return secret, nil
}

func (f *fakeService) Browser(_ context.Context, secret string, session uuid.UUID) (bridge.Identity, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	by, ok := f.browsers[secret]
	if !ok || f.sessions[secret] != session {
		return bridge.Identity{}, errNone
	}
	_, _, err := f.gate(session, by)
	return by, err
}

func (f *fakeService) APIIdentity(_ context.Context, bearer string) (bridge.Identity, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	by, ok := f.bearers[bearer]
	if !ok {
		return bridge.Identity{}, errNone
	}
	return by, nil
}

func (f *fakeService) Start(_ context.Context, r bridge.StartRequest) (*bridge.Room, error) {
	if len(r.Invitees) == 0 {
		return nil, &bridge.Error{Code: bridge.Invalid, Message: "There is nobody to talk with."}
	}
	f.mu.Lock()
	known, ok := f.started[r.Origin]
	f.mu.Unlock()
	if ok {
		return f.Room(context.Background(), known)
	}
	members := []bridge.Member{someone(r.By.Name, r.By.Address.String())}
	for _, i := range r.Invitees {
		members = append(members, someone(i.Name, i.Address.String()))
	}
	room := f.open(r.Subject, members...)
	if r.Body != (bridge.Body{}) {
		f.say(room, members[0], bridge.Web, r.Body)
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	f.started[r.Origin] = room.Session.ID
	return snapshot(room), nil
}

func (f *fakeService) Post(_ context.Context, p bridge.PostRequest) (stored bridge.Record, err error) {
	if p.Body == (bridge.Body{}) {
		return stored, &bridge.Error{Code: bridge.Invalid, Message: "There is nothing in that message."}
	}
	err = f.act(p.Session, p.By, func(room *bridge.Room, m *bridge.Member) error {
		if room.Session.State != bridge.Open {
			return &bridge.Error{Code: bridge.Closed, Message: "This session is closed."}
		}
		for _, r := range f.logs[p.Session] {
			if r.Origin == p.Origin {
				stored = r
				return nil
			}
		}
		f.join(room, m)
		stored = f.append(room, bridge.Record{Kind: bridge.KindMessage, Member: m.ID, Body: p.Body, Origin: p.Origin, Lang: p.Lang, At: time.Now()})
		return nil
	})
	return stored, err
}

func (f *fakeService) join(room *bridge.Room, m *bridge.Member) {
	if m.State != bridge.Joined {
		m.State = bridge.Joined
		f.append(room, bridge.Record{Kind: bridge.KindJoined, Member: m.ID})
	}
}

func (f *fakeService) Join(_ context.Context, session uuid.UUID, by bridge.Identity) (joined *bridge.Room, me bridge.Member, err error) {
	err = f.act(session, by, func(room *bridge.Room, m *bridge.Member) error {
		f.join(room, m)
		joined, me = snapshot(room), *m
		return nil
	})
	return joined, me, err
}

func (f *fakeService) Leave(_ context.Context, session uuid.UUID, by bridge.Identity) error {
	return f.act(session, by, func(room *bridge.Room, m *bridge.Member) error {
		m.State = bridge.Left
		f.append(room, bridge.Record{Kind: bridge.KindLeft, Member: m.ID})
		return nil
	})
}

func (f *fakeService) Invite(_ context.Context, session uuid.UUID, by bridge.Identity, invitees []bridge.Invitee) (grown *bridge.Room, err error) {
	err = f.act(session, by, func(room *bridge.Room, m *bridge.Member) error {
		for _, i := range invitees {
			guest := someone(i.Name, i.Address.String())
			guest.Number = len(room.Members) + 1
			room.Members = append(room.Members, guest)
			f.append(room, bridge.Record{Kind: bridge.KindInvited, Member: m.ID, Target: guest.ID})
		}
		grown = snapshot(room)
		return nil
	})
	return grown, err
}

func (f *fakeService) Revoke(_ context.Context, session uuid.UUID, by bridge.Identity, member uuid.UUID, _ bool) error {
	return f.act(session, by, func(room *bridge.Room, m *bridge.Member) error {
		for i := range room.Members {
			if room.Members[i].ID == member {
				room.Members[i].State, room.Members[i].Grant.Revoked = bridge.Revoked, true
				f.append(room, bridge.Record{Kind: bridge.KindRevoked, Member: m.ID, Target: member})
				return nil
			}
		}
		return errNone
	})
}

func (f *fakeService) setState(session uuid.UUID, by bridge.Identity, state bridge.SessionState, kind bridge.Kind) error {
	return f.act(session, by, func(room *bridge.Room, m *bridge.Member) error {
		room.Session.State = state
		f.append(room, bridge.Record{Kind: kind, Member: m.ID})
		return nil
	})
}

func (f *fakeService) Close(_ context.Context, session uuid.UUID, by bridge.Identity) error {
	return f.setState(session, by, bridge.Ended, bridge.KindClosed)
}

func (f *fakeService) Reopen(_ context.Context, session uuid.UUID, by bridge.Identity) error {
	return f.setState(session, by, bridge.Open, bridge.KindReopened)
}

func (f *fakeService) MarkRead(_ context.Context, session uuid.UUID, by bridge.Identity, seq int64) error {
	return f.act(session, by, func(_ *bridge.Room, m *bridge.Member) error {
		m.ReadSeq = max(m.ReadSeq, seq)
		return nil
	})
}

func (f *fakeService) readSeq(session, member uuid.UUID) int64 {
	f.mu.Lock()
	defer f.mu.Unlock()
	m, _ := f.rooms[session].Member(member)
	return m.ReadSeq
}

func (f *fakeService) Sessions(_ context.Context, by bridge.Identity, limit int) (list []bridge.Session, err error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	for id, room := range f.rooms {
		if _, _, err := f.gate(id, by); err == nil && len(list) < limit {
			list = append(list, room.Session)
		}
	}
	return list, nil
}

func (f *fakeService) Look(ctx context.Context, h bridge.Holder) (*bridge.Room, bridge.Member, error) {
	return f.View(ctx, h.Session, h.Identity(bridge.Web))
}

func (f *fakeService) View(_ context.Context, session uuid.UUID, by bridge.Identity) (*bridge.Room, bridge.Member, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	room, m, err := f.gate(session, by)
	if err != nil {
		return nil, bridge.Member{}, err
	}
	return snapshot(room), *m, nil
}

func (f *fakeService) Records(ctx context.Context, session uuid.UUID, by bridge.Identity, after int64, limit int) ([]bridge.Record, error) {
	if _, _, err := f.View(ctx, session, by); err != nil {
		return nil, err
	}
	log := f.seen(session, by)
	log = log[min(after, int64(len(log))):]
	return log[:min(limit, len(log))], nil
}

// seen is the log as a member may see it.
func (f *fakeService) seen(session uuid.UUID, by bridge.Identity) []bridge.Record {
	f.mu.Lock()
	defer f.mu.Unlock()
	log := slices.Clone(f.logs[session])
	room, me, err := f.gate(session, by)
	for i, r := range log {
		if err != nil || !room.Concerns(*me, r) {
			log[i] = bridge.Record{Session: r.Session, Seq: r.Seq, ID: r.ID, At: r.At}
		}
	}
	return log
}

func (f *fakeService) KeptFor(o bridge.Options) time.Duration { return o.KeepFor }

func (f *fakeService) Signals(context.Context, uuid.UUID, bridge.Identity) ([]bridge.Signs, error) {
	return nil, nil
}

func (f *fakeService) Signal(context.Context, uuid.UUID, bridge.Identity, bridge.SignalKind, bool) error {
	return nil
}

func (f *fakeService) SubscribeSignals(uuid.UUID) (<-chan struct{}, func()) { return nil, func() {} }

func (f *fakeService) ReadMarks(context.Context, uuid.UUID, bridge.Identity) (map[uuid.UUID]int64, error) {
	return nil, nil
}

func (f *fakeService) RecordsBefore(ctx context.Context, session uuid.UUID, by bridge.Identity, before int64, limit int) ([]bridge.Record, error) {
	if _, _, err := f.View(ctx, session, by); err != nil {
		return nil, err
	}
	log := f.seen(session, by)
	if before > 0 {
		log = log[:min(before-1, int64(len(log)))]
	}
	return log[max(0, len(log)-limit):], nil
}

func (f *fakeService) Subscribe(session uuid.UUID) (<-chan struct{}, func()) {
	return f.hub.Subscribe(session)
}

func (f *fakeService) Room(_ context.Context, session uuid.UUID) (*bridge.Room, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	room, ok := f.rooms[session]
	if !ok {
		return nil, errNone
	}
	return snapshot(room), nil
}

func (f *fakeService) HeldReply(_ context.Context, token string) (bridge.Held, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	held, ok := f.held[token]
	if !ok {
		return bridge.Held{}, errNone
	}
	return held, nil
}

func (f *fakeService) decide(token string, state bridge.HeldState) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	held, ok := f.held[token]
	if !ok || held.State == bridge.HeldRefused {
		return errNone
	}
	held.State = state
	f.held[token] = held
	return nil
}

func (f *fakeService) ConfirmHeld(_ context.Context, token string) (bridge.Record, error) {
	return bridge.Record{}, f.decide(token, bridge.HeldPosted)
}

func (f *fakeService) RefuseHeld(_ context.Context, token string) error {
	return f.decide(token, bridge.HeldRefused)
}

func (f *fakeService) Unsubscribe(ctx context.Context, token string) error {
	h, err := f.Holder(ctx, bridge.RightUnsubscribe, token)
	if err != nil {
		return err
	}
	return f.act(h.Session, bridge.Identity{Grant: h.Grant}, func(_ *bridge.Room, m *bridge.Member) error {
		m.NoMail = true
		return nil
	})
}

var errDatabase = errors.New("the database is away")
