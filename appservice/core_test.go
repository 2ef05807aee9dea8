package appservice

import (
	"context"
	"fmt"
	"sync"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"

	"mailroom/bridge"
)

var _ Service = (*bridge.Service)(nil)

// core is a Service in memory, with as much of the session's rules as a gateway can notice.
type core struct {
	mu       sync.Mutex
	sessions map[uuid.UUID]*conversation
	fault    error // what the next writes fail with

	signs   map[uuid.UUID]map[uuid.UUID]bool // who types, by who sees it
	heard   []string                         // signals that came, as "<user ID> <kind> <on>"
	onSigns func(uuid.UUID)
}

type conversation struct {
	room   bridge.Room
	log    []bridge.Record
	portal string
	acked  int64
	fence  int64
}

func newCore() *core { return &core{sessions: make(map[uuid.UUID]*conversation)} }

// start makes a session; the first member is the initiator.
func (c *core) start(subject string, members ...bridge.Member) uuid.UUID {
	session := uuid.New()
	conv := &conversation{room: bridge.Room{Session: bridge.Session{ID: session, Subject: subject, State: bridge.Open}}}
	for i := range members {
		members[i].Number = i + 1
	}
	members[0].Role, members[0].State = bridge.Initiator, bridge.Joined
	for i := range members[1:] {
		members[i+1].Inviter = members[0].ID
	}
	conv.room.Members = members
	c.mu.Lock()
	defer c.mu.Unlock()
	c.sessions[session] = conv
	conv.append(bridge.Record{Kind: bridge.KindStarted, Member: members[0].ID, Subject: subject, Origin: bridge.Origin{Network: bridge.Mail}})
	for _, m := range members[1:] {
		conv.append(bridge.Record{Kind: bridge.KindInvited, Member: members[0].ID, Target: m.ID, Origin: bridge.Origin{Network: bridge.Mail}})
	}
	return session
}

// person is a member with a mail address and, if native is not empty, a Matrix account.
func person(name, email, native string) bridge.Member {
	m := bridge.Member{
		ID: uuid.New(), Person: uuid.New(), Name: name, Address: bridge.EmailAddress(email), Role: bridge.Participant, State: bridge.Invited,
		Grant:     bridge.Grant{ID: uuid.New()},
		Endpoints: []bridge.Endpoint{{Address: bridge.EmailAddress(email), State: bridge.EndpointMapped}},
	}
	if native != "" {
		m.Endpoints = append(m.Endpoints, bridge.Endpoint{Address: bridge.MatrixAddress(native), State: bridge.EndpointMapped})
	}
	return m
}

// append adds to the log and gives the record its place, its ID and the present time unless it has one.
func (conv *conversation) append(r bridge.Record) bridge.Record {
	r.Session, r.Seq, r.ID = conv.room.Session.ID, int64(len(conv.log))+1, uuid.Must(uuid.NewV7())
	if r.At.IsZero() {
		r.At = time.Now()
	}
	conv.log = append(conv.log, r)
	conv.room.Session.Head = r.Seq
	conv.room.Session.ACLVersion++
	return r
}

func (c *core) append(session uuid.UUID, r bridge.Record) bridge.Record {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.sessions[session].append(r)
}

// says appends a message that came by the network via.
func (c *core) says(session, member uuid.UUID, via bridge.Network, text string) bridge.Record {
	return c.append(session, bridge.Record{Kind: bridge.KindMessage, Member: member, Body: bridge.Body{Text: text}, Origin: bridge.Origin{Network: via, ID: uuid.NewString()}})
}

// change edits the session under the lock.
func (c *core) change(session uuid.UUID, edit func(*conversation)) {
	c.mu.Lock()
	defer c.mu.Unlock()
	conv := c.sessions[session]
	conv.room.Members = append([]bridge.Member(nil), conv.room.Members...)
	edit(conv)
	conv.room.Session.ACLVersion++
}

// member edits one member.
func (c *core) member(session, member uuid.UUID, edit func(*bridge.Member)) {
	c.change(session, func(conv *conversation) {
		for i := range conv.room.Members {
			if conv.room.Members[i].ID == member {
				m := &conv.room.Members[i]
				m.Endpoints = append([]bridge.Endpoint(nil), m.Endpoints...)
				edit(m)
			}
		}
	})
}

// records are those after a position.
func (c *core) records(session uuid.UUID, after int64) []bridge.Record {
	c.mu.Lock()
	defer c.mu.Unlock()
	return append([]bridge.Record(nil), c.sessions[session].log[after:]...)
}

// texts are the messages of a session, in order.
func (c *core) texts(session uuid.UUID) []string {
	var texts []string
	for _, r := range c.records(session, 0) {
		if r.Kind == bridge.KindMessage {
			texts = append(texts, r.Body.Text)
		}
	}
	return texts
}

// state is how far the native endpoint of a member has come.
func (c *core) state(session, member uuid.UUID) bridge.EndpointState {
	c.mu.Lock()
	defer c.mu.Unlock()
	m, _ := c.sessions[session].room.Member(member)
	e, _ := m.Endpoint(bridge.Matrix)
	return e.State
}

// deliver does one round of the outbox: it hands over what the lane has not had yet and notes what was accepted.
func (c *core) deliver(ctx context.Context, g *Gateway, session uuid.UUID) error {
	c.mu.Lock()
	acked, fence := c.sessions[session].acked, c.sessions[session].fence
	c.mu.Unlock()
	lane := bridge.Lane{Session: session, Destination: bridge.ToMatrix, Acked: acked, Fence: fence}
	accepted, err := g.Deliver(ctx, lane, c.records(session, acked))
	c.mu.Lock()
	defer c.mu.Unlock()
	c.sessions[session].acked += int64(accepted)
	return err
}

// drain delivers until everything is there, however often it fails on the way.
func (c *core) drain(t *testing.T, g *Gateway, session uuid.UUID) {
	t.Helper()
	var last error
	require.Eventually(t, func() bool {
		last = c.deliver(t.Context(), g, session)
		return last == nil
	}, waitLong, waitStep, "the lane does not empty: %v", &last)
}

// forget puts the lane back, as if we had crashed before what was accepted could be noted.
func (c *core) forget(session uuid.UUID, acked int64) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.sessions[session].acked = acked
}

var errStranger = &bridge.Error{Code: bridge.NotFound, Message: "There is no such session."}

// gate finds the member; the lock is held.
func (c *core) gate(session uuid.UUID, by bridge.Identity) (*conversation, *bridge.Member, error) {
	if c.fault != nil {
		return nil, nil, c.fault
	}
	conv, ok := c.sessions[session]
	if !ok {
		return nil, nil, errStranger
	}
	found, ok := conv.room.ByAddress(by.Address)
	if !ok || found.Grant.Revoked {
		return nil, nil, errStranger
	}
	for i := range conv.room.Members {
		if conv.room.Members[i].ID == found.ID {
			return conv, &conv.room.Members[i], nil
		}
	}
	return nil, nil, errStranger
}

func (c *core) fail(err error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.fault = err
}

func (c *core) Post(_ context.Context, p bridge.PostRequest) (bridge.Record, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	conv, m, err := c.gate(p.Session, p.By)
	if err != nil {
		return bridge.Record{}, err
	}
	if conv.room.Session.State != bridge.Open {
		return bridge.Record{}, &bridge.Error{Code: bridge.Closed, Message: "This session is closed."}
	}
	for _, r := range conv.log {
		if r.Origin == p.Origin {
			return r, nil
		}
	}
	return conv.append(bridge.Record{Kind: bridge.KindMessage, Member: m.ID, Body: p.Body, Origin: p.Origin}), nil
}

func (c *core) Join(_ context.Context, session uuid.UUID, by bridge.Identity) (*bridge.Room, bridge.Member, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	conv, m, err := c.gate(session, by)
	if err != nil {
		return nil, bridge.Member{}, err
	}
	conv.setEndpoint(by.Address, bridge.EndpointJoined)
	if m.State != bridge.Joined {
		m.State = bridge.Joined
		conv.append(bridge.Record{Kind: bridge.KindJoined, Member: m.ID, Origin: bridge.Origin{Network: by.Via}})
	}
	return conv.snapshot(), *m, nil
}

func (c *core) EndpointLeft(_ context.Context, session uuid.UUID, by bridge.Identity) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	conv, _, err := c.gate(session, by)
	if err == nil {
		conv.setEndpoint(by.Address, bridge.EndpointLeft)
	}
	return err
}

func (c *core) SetSubject(_ context.Context, session uuid.UUID, by bridge.Identity, subject string, origin bridge.Origin) (bridge.Record, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	conv, m, err := c.gate(session, by)
	if err != nil {
		return bridge.Record{}, err
	}
	if m.Role != bridge.Initiator {
		return bridge.Record{}, &bridge.Error{Code: bridge.Forbidden, Message: "Only the initiator may do that."}
	}
	conv.room.Session.Subject = subject
	return conv.append(bridge.Record{Kind: bridge.KindSubject, Member: m.ID, Subject: subject, Origin: origin}), nil
}

func (c *core) View(_ context.Context, session uuid.UUID, by bridge.Identity) (*bridge.Room, bridge.Member, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	conv, m, err := c.gate(session, by)
	if err != nil {
		return nil, bridge.Member{}, err
	}
	return conv.snapshot(), *m, nil
}

func (c *core) Room(_ context.Context, session uuid.UUID) (*bridge.Room, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.sessions[session].snapshot(), nil
}

func (c *core) Portal(_ context.Context, session uuid.UUID, _ bridge.Network) (string, bool, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	portal := c.sessions[session].portal
	return portal, portal != "", nil
}

func (c *core) SetPortal(_ context.Context, session uuid.UUID, _ bridge.Network, remote string) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.fault != nil {
		return c.fault
	}
	c.sessions[session].portal = remote
	return nil
}

func (c *core) SessionOf(_ context.Context, _ bridge.Network, remote string) (uuid.UUID, bool, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for session, conv := range c.sessions {
		if conv.portal == remote {
			return session, true, nil
		}
	}
	return uuid.Nil, false, nil
}

func (c *core) SetEndpoint(_ context.Context, session uuid.UUID, address bridge.Address, state bridge.EndpointState) error {
	c.change(session, func(conv *conversation) { conv.setEndpoint(address, state) })
	return nil
}

func (c *core) Log(_ context.Context, session uuid.UUID, after int64, limit int) ([]bridge.Record, error) {
	records := c.records(session, after)
	return records[:min(limit, len(records))], nil
}

func (c *core) Signal(_ context.Context, session uuid.UUID, by bridge.Identity, kind bridge.SignalKind, on bool) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	_, _, err := c.gate(session, by)
	if err == nil {
		c.heard = append(c.heard, fmt.Sprint(by.Address.ID, " ", kind, " ", on))
	}
	return err
}

func (c *core) SignsFor(_ context.Context, _ *bridge.Room, me bridge.Member) (signs []bridge.Signs, _ error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for member, typing := range c.signs[me.ID] {
		signs = append(signs, bridge.Signs{Member: member, Typing: typing})
	}
	return signs, nil
}

func (c *core) OnSignal(f func(uuid.UUID)) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.onSigns = f
}

// erases empties what a member said so far, as the core does, and tells of it.
func (c *core) erases(session, member uuid.UUID) bridge.Record {
	c.mu.Lock()
	defer c.mu.Unlock()
	conv := c.sessions[session]
	for i, r := range conv.log {
		if r.Kind == bridge.KindMessage && (member == uuid.Nil || r.Member == member) {
			conv.log[i].Body, conv.log[i].Erased = bridge.Body{}, true
		}
	}
	return conv.append(bridge.Record{Kind: bridge.KindErased, Target: member, Ref: int64(len(conv.log))})
}

// forgets erases a member as a person.
func (c *core) forgets(session, member uuid.UUID) {
	c.erases(session, member)
	c.append(session, bridge.Record{Kind: bridge.KindRevoked, Target: member})
	c.member(session, member, func(m *bridge.Member) {
		m.Name, m.Address, m.Person, m.State, m.Grant.Revoked = "", bridge.Address{}, uuid.Nil, bridge.Revoked, true
	})
}

func (conv *conversation) setEndpoint(address bridge.Address, state bridge.EndpointState) {
	for i := range conv.room.Members {
		m := &conv.room.Members[i]
		m.Endpoints = append([]bridge.Endpoint(nil), m.Endpoints...)
		for j := range m.Endpoints {
			if m.Endpoints[j].Address == address {
				m.Endpoints[j].State = state
			}
		}
	}
}

func (conv *conversation) snapshot() *bridge.Room {
	room := conv.room
	room.Members = append([]bridge.Member(nil), conv.room.Members...)
	return &room
}
