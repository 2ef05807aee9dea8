package xmpp

import (
	"bytes"
	"context"
	"log/slog"
	"path/filepath"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"

	"mailroom/bridge"
	"mailroom/bridge/outbox"
	"mailroom/store"
	"mailroom/store/storetest"
)

// house is the component with the real core, store and outbox behind it. Only
// the XMPP server is played. Everybody at example.org has mail and XMPP.
type house struct {
	*server
	*bridge.Service
	component *Component
	t         *testing.T
	log       *locked
	db        *store.Store
	hold      func() // stops the outbox
	held      bool
}

func newHouse(t *testing.T) *house {
	t.Helper()
	h := &house{server: newServer(t), t: t, log: new(locked)}
	log := slog.New(slog.NewTextHandler(h.log, &slog.HandlerOptions{Level: slog.LevelDebug}))
	db := storetest.Open(t, "sqlite:"+filepath.Join(t.TempDir(), "mailroom.db"))
	db.KeepAs("this", nil)
	h.db = db
	hub := bridge.NewHub()
	var err error
	h.Service, err = bridge.NewService(bridge.Config{
		Key:       bytes.Repeat([]byte("k"), 32),
		Directory: bridge.Directory{{Email: "*@example.org", XMPP: "{localpart}@example.org"}},
		Allow:     bridge.AllowList{"*@example.org", "*@mail.test"},
		Networks:  []bridge.Network{bridge.Web, bridge.Mail, bridge.XMPP},
		Node:      "this",
	}, db, hub, log)
	require.NoError(t, err)
	o := outbox.New(db, h.Service, "this", log)
	hub.OnPublish(o.Wake)
	h.component, err = New(Config{
		Component: component, Server: h.listener.Addr().String(), Secret: secret, Domains: []string{"example.org"},
	}, h.Service, log)
	require.NoError(t, err)
	h.run(o)
	h.connected(1)
	return h
}

func (h *house) run(o *outbox.Outbox) {
	component, stop := context.WithCancel(context.Background())
	lanes, hold := context.WithCancel(component)
	var running, draining sync.WaitGroup
	o.AttachSole(lanes, bridge.XMPP, h.component)
	running.Go(func() { h.ends(h.component.Run(component)) })
	draining.Go(func() { h.ends(o.Run(lanes)) })
	h.hold = func() { h.held = true; hold(); draining.Wait() }
	h.t.Cleanup(func() { h.hold(); stop(); running.Wait() })
}

// ends demands that a part of the house has ended because it was told to.
func (h *house) ends(err error) {
	if err != nil {
		h.t.Errorf("a part has ended with %v", err)
	}
}

func web(localpart string) bridge.Identity {
	return bridge.Identity{Via: bridge.Web, Address: email(localpart)}
}

func email(localpart string) bridge.Address { return bridge.EmailAddress(localpart + "@example.org") }

// begin starts a session of Alice with people whose email addresses begin so;
// "-eve" is a blind copy.
func (h *house) begin(o bridge.Options, people ...string) uuid.UUID {
	h.t.Helper()
	return h.beginBy(email("alice"), o, people...)
}

func (h *house) beginBy(initiator bridge.Address, o bridge.Options, people ...string) uuid.UUID {
	h.t.Helper()
	request := bridge.StartRequest{
		By: bridge.Identity{Via: bridge.Web, Address: initiator}, Subject: "Picnic", Options: o,
		Origin: bridge.Origin{Network: bridge.Web, ID: uuid.NewString()},
	}
	for _, p := range people {
		request.Invitees = append(request.Invitees, invitee(p))
	}
	room, err := h.Start(h.t.Context(), request)
	require.NoError(h.t, err)
	return room.Session.ID
}

func invitee(person string) bridge.Invitee {
	if person[0] == '-' {
		return bridge.Invitee{Address: email(person[1:]), Blind: true}
	}
	return bridge.Invitee{Address: email(person)}
}

// says lets somebody write on the page.
func (h *house) says(id uuid.UUID, localpart, text string) bridge.Record {
	h.t.Helper()
	r, err := h.Post(h.t.Context(), bridge.PostRequest{
		Session: id, By: web(localpart), Body: bridge.Body{Text: text}, Origin: bridge.Origin{Network: bridge.Web, ID: uuid.NewString()},
	})
	require.NoError(h.t, err)
	return r
}

// enter joins the room and returns what is shown, to the subject.
func (h *house) enter(id uuid.UUID, client, nick string) (shown []string) {
	h.t.Helper()
	h.write("<presence from='%s' to='%s@%s/%s' id='join'><x xmlns='http://jabber.org/protocol/muc'/></presence>", client, id, component, nick)
	for {
		e := h.next(client, 1)[0]
		shown = append(shown, tell(e))
		if e.child(nsComponent, "subject") != nil {
			h.caughtUp()
			return shown
		}
	}
}

// exit takes a client out of the room.
func (h *house) exit(id uuid.UUID, client, nick string) {
	h.t.Helper()
	h.write("<presence type='unavailable' from='%s' to='%s@%s/%s'/>", client, id, component, nick)
	h.sees(client, "presence unavailable /"+nick+" 110")
}

// shown waits until everything that was done is shown.
func (h *house) shown() {
	h.t.Helper()
	require.Eventually(h.t, func() bool { return h.held || h.drained() }, patience, time.Millisecond)
	upToDate(h.t, h.component, openRooms(h.component))
}

// drained says if the lanes of all open rooms have reached the end.
func (h *house) drained() bool {
	for _, id := range openRooms(h.component) {
		behind, err := h.db.ListLanes(h.t.Context(), id)
		isXMPP := func(l bridge.Lane) bool { return l.Destination == bridge.ToXMPP }
		if err != nil || slices.ContainsFunc(behind, isXMPP) {
			return false
		}
	}
	return true
}

// gathered waits until everything that was done is shown, and forgets it.
func (h *house) gathered() {
	h.t.Helper()
	h.shown()
	h.quietly()
}

// still demands that clients are sent nothing for what was done.
func (h *house) still(clients ...string) {
	h.t.Helper()
	h.shown()
	for _, client := range clients {
		h.quiet(client)
	}
}

func (h *house) member(id uuid.UUID, localpart string) bridge.Member {
	h.t.Helper()
	room, err := h.Room(h.t.Context(), id)
	require.NoError(h.t, err)
	m, ok := room.ByAddress(email(localpart))
	require.True(h.t, ok)
	return m
}

// iq asks something and returns the whole answer.
func (h *house) iq(client, to, inner string) string {
	h.t.Helper()
	h.write("<iq type='get' id='ask' from='%s' to='%s'>%s</iq>", client, to, inner)
	return h.next(client, 1)[0].String()
}
