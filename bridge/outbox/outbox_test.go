package outbox_test

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"mailroom/bridge"
	"mailroom/bridge/outbox"
	"mailroom/store"
	"mailroom/store/storetest"

	"github.com/google/uuid"
	"github.com/stretchr/testify/require"
)

func TestMain(m *testing.M) { storetest.Main(m) }

var discard = slog.New(slog.DiscardHandler)

// node is one process, as far as the outbox is concerned.
type node struct {
	store   *store.Store
	service *bridge.Service
	outbox  *outbox.Outbox
	name    string
	stop    context.CancelFunc
	done    chan struct{}
}

// startNode runs an outbox whose Matrix lanes flow through the transport.
func startNode(t *testing.T, db *store.Store, name string, transport outbox.Transport) *node {
	t.Helper()
	hub := bridge.NewHub()
	service, err := bridge.NewService(bridge.Config{
		Key: []byte(strings.Repeat("k", 32)), Allow: bridge.AllowList{"@*:example.org"},
		Networks: []bridge.Network{bridge.Matrix}, MissedAfter: time.Minute,
	}, db, hub, discard)
	require.NoError(t, err)
	n := &node{store: db, service: service, name: name, outbox: outbox.New(db, service, name, discard), done: make(chan struct{})}
	hub.OnPublish(n.outbox.Wake)
	ctx, stop := context.WithCancel(context.Background())
	n.stop = stop
	go func() {
		defer close(n.done)
		outbox.Hold(ctx, db, outbox.NodeLease(name), name, discard, func(ctx context.Context) {
			n.outbox.Attach(ctx, bridge.Matrix, transport)
			n.outbox.Run(ctx) // returns nil
		})
	}()
	t.Cleanup(n.end)
	return n
}

func (n *node) end() {
	n.stop()
	<-n.done
}

func (n *node) session(t *testing.T) uuid.UUID {
	room, err := n.service.Start(context.Background(), bridge.StartRequest{
		By: bridge.Identity{Via: bridge.Matrix, Address: bridge.MatrixAddress("@alice:example.org")}, Subject: "s",
		Invitees: []bridge.Invitee{{Address: bridge.MatrixAddress("@bob:example.org")}},
		Origin:   bridge.Origin{Network: bridge.Matrix, ID: uuid.NewString()},
	})
	require.NoError(t, err)
	return room.Session.ID
}

func (n *node) say(t *testing.T, session uuid.UUID, text string) {
	_, err := n.service.Post(context.Background(), bridge.PostRequest{
		Session: session, By: bridge.Identity{Via: bridge.Matrix, Address: bridge.MatrixAddress("@alice:example.org")},
		Body: bridge.Body{Text: text}, Origin: bridge.Origin{Network: bridge.Web, ID: text},
	})
	require.NoError(t, err)
}

// peer is a destination that notes what arrives, and fails when it is told to.
type peer struct {
	mu    sync.Mutex
	seen  map[uuid.UUID][]int64
	texts []string
	fault func(r bridge.Record) error
}

func newPeer() *peer { return &peer{seen: make(map[uuid.UUID][]int64)} }

func (p *peer) Deliver(_ context.Context, l bridge.Lane, records []bridge.Record) (int, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for i, r := range records {
		if p.fault != nil {
			if err := p.fault(r); err != nil {
				return i, err
			}
		}
		p.seen[l.Session] = append(p.seen[l.Session], r.Seq)
		p.texts = append(p.texts, r.Body.Text)
	}
	return len(records), nil
}

func (p *peer) setFault(f func(bridge.Record) error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.fault = f
}

func (p *peer) seqs(session uuid.UUID) []int64 {
	p.mu.Lock()
	defer p.mu.Unlock()
	return append([]int64(nil), p.seen[session]...)
}

func (p *peer) said() []string {
	p.mu.Lock()
	defer p.mu.Unlock()
	return append([]string(nil), p.texts...)
}

func oneTo(n int) (seqs []int64) {
	for i := range n {
		seqs = append(seqs, int64(i+1))
	}
	return seqs
}

func eventually(t *testing.T, condition func() bool) {
	t.Helper()
	require.Eventually(t, condition, 30*time.Second, 5*time.Millisecond)
}

func TestEverySessionArrivesInOrderAndOnce(t *testing.T) {
	storetest.OnBoth(t, func(t *testing.T, db *store.Store) {
		p := newPeer()
		n := startNode(t, db, "a", p)
		sessions := []uuid.UUID{n.session(t), n.session(t), n.session(t)}
		var wait sync.WaitGroup
		for i, s := range sessions {
			wait.Go(func() {
				for j := range 150 {
					n.say(t, s, fmt.Sprint(i, "-", j))
				}
			})
		}
		wait.Wait()
		for _, s := range sessions {
			eventually(t, func() bool { return len(p.seqs(s)) >= 152 })
			require.Equal(t, oneTo(152), p.seqs(s))
		}
	})
}

func TestAFailingLaneHoldsUpNoOther(t *testing.T) {
	storetest.OnBoth(t, func(t *testing.T, db *store.Store) {
		p := newPeer()
		n := startNode(t, db, "a", p)
		sick, well := n.session(t), n.session(t)
		eventually(t, func() bool { return len(p.seqs(sick)) == 2 && len(p.seqs(well)) == 2 })
		p.setFault(func(r bridge.Record) error {
			if r.Session == sick {
				return errors.New("the room is broken")
			}
			return nil
		})
		n.say(t, sick, "x")
		n.say(t, well, "y")
		eventually(t, func() bool { return len(p.seqs(well)) == 3 })
		require.Len(t, p.seqs(sick), 2)
		p.setFault(nil)
		eventually(t, func() bool { return len(p.seqs(sick)) == 3 })
		require.Equal(t, oneTo(3), p.seqs(sick))
	})
}

func TestARefusedRecordIsSkippedAndItsFailureStandsInTheLog(t *testing.T) {
	storetest.OnBoth(t, func(t *testing.T, db *store.Store) {
		p := newPeer()
		n := startNode(t, db, "a", p)
		s := n.session(t)
		p.setFault(func(r bridge.Record) error {
			if r.Body.Text == "too big" {
				return &bridge.RefusedError{Reason: "The homeserver does not take it.", Err: errors.New("M_TOO_LARGE")}
			}
			return nil
		})
		for _, text := range []string{"before", "too big", "after"} {
			n.say(t, s, text)
		}
		eventually(t, func() bool {
			lane, _, err := db.GetLane(context.Background(), s, bridge.ToMatrix)
			require.NoError(t, err)
			return lane.Acked == 6
		})
		require.Equal(t, []string{"", "", "before", "after"}, p.said(), "neither the refused record nor the failure about it")
		records, err := n.service.Log(context.Background(), s, 2, 10)
		require.NoError(t, err)
		failures := 0
		for _, r := range records {
			if r.Kind == bridge.KindFailure {
				failures++
				require.Equal(t, bridge.ToMatrix, r.Destination)
				require.Equal(t, "The homeserver does not take it.", r.Body.Text)
			}
		}
		require.Equal(t, 1, failures)
	})
}

func TestALaneThatWaitsIsAskedAgainInTime(t *testing.T) {
	storetest.OnBoth(t, func(t *testing.T, db *store.Store) {
		p := newPeer()
		until := time.Now().Add(1500 * time.Millisecond)
		p.setFault(func(bridge.Record) error {
			if time.Now().Before(until) {
				return &bridge.WaitError{Until: until}
			}
			return nil
		})
		n := startNode(t, db, "a", p)
		s := n.session(t)
		eventually(t, func() bool { return len(p.seqs(s)) == 2 })
		require.True(t, time.Now().After(until))
	})
}

func TestAnotherNodeGoesOnWhereADeadOneStopped(t *testing.T) {
	url := storetest.NewDatabase(t)
	p := newPeer()
	a := startNode(t, storetest.Open(t, url), "a", p)
	b := startNode(t, storetest.Open(t, url), "b", p)
	s := a.session(t)
	eventually(t, func() bool { return len(p.seqs(s)) == 2 })
	a.end()
	for i := range 20 {
		b.say(t, s, fmt.Sprint(i))
	}
	eventually(t, func() bool { return len(p.seqs(s)) >= 22 })
	require.Equal(t, oneTo(22), p.seqs(s))
}

func TestWhatADeadNodeLeftIsCarriedWithoutAHint(t *testing.T) {
	url := storetest.NewDatabase(t)
	db, p := storetest.Open(t, url), newPeer()
	b := startNode(t, storetest.Open(t, url), "b", p)
	_, ok, err := db.AcquireLease(context.Background(), outbox.NodeLease("a"), "a", 3*time.Second)
	require.NoError(t, err)
	require.True(t, ok)
	s := b.session(t)
	eventually(t, func() bool { return len(p.seqs(s)) == 2 })
	lane, _, err := db.GetLane(context.Background(), s, bridge.ToMatrix)
	require.NoError(t, err)
	require.NoError(t, db.ReleaseLease(context.Background(), outbox.NodeLease("b"), "b"))
	_, ok, err = db.ClaimLane(context.Background(), lane, "a") // and then a dies
	require.NoError(t, err)
	require.True(t, ok)
	b.say(t, s, "said while the lane was a's")
	eventually(t, func() bool { return len(p.seqs(s)) == 3 })
	require.Equal(t, oneTo(3), p.seqs(s))
}

func TestASoleTransportTakesTheLanesOfALivingNode(t *testing.T) {
	url := storetest.NewDatabase(t)
	db, p := storetest.Open(t, url), newPeer()
	a := startNode(t, db, "a", p)
	s := a.session(t)
	eventually(t, func() bool { return len(p.seqs(s)) == 2 })
	a.outbox.Attach(context.Background(), bridge.Matrix, newPeer()) // a is well, but its link is not the one that counts

	ctx, stop := context.WithCancel(context.Background())
	var wait sync.WaitGroup
	defer wait.Wait()
	defer stop()
	other := outbox.New(storetest.Open(t, url), a.service, "b", discard)
	sole := newPeer()
	other.AttachSole(ctx, bridge.Matrix, sole)
	wait.Go(func() { other.Run(ctx) })
	lane, _, err := db.GetLane(ctx, s, bridge.ToMatrix)
	require.NoError(t, err)
	require.Empty(t, lane.Owner)
}

// forgetful is a store that cannot be asked for a while.
type forgetful struct {
	*store.Store
	broken atomic.Bool
}

func (f *forgetful) ListLanes(ctx context.Context, session uuid.UUID) ([]bridge.Lane, error) {
	if f.broken.Load() {
		return nil, errors.New("disk I/O error")
	}
	return f.Store.ListLanes(ctx, session)
}

func (f *forgetful) ListRecords(ctx context.Context, session uuid.UUID, after int64, limit int) ([]bridge.Record, error) {
	if f.broken.Load() {
		return nil, errors.New("disk I/O error")
	}
	return f.Store.ListRecords(ctx, session, after, limit)
}

func TestALookUpThatFailedIsMadeAgain(t *testing.T) {
	storetest.OnBoth(t, func(t *testing.T, db *store.Store) {
		hub := bridge.NewHub()
		queue := &forgetful{Store: db}
		service, err := bridge.NewService(bridge.Config{
			Key: []byte(strings.Repeat("k", 32)), Allow: bridge.AllowList{"@*:example.org"}, Networks: []bridge.Network{bridge.Matrix},
		}, db, hub, discard)
		require.NoError(t, err)
		n := &node{store: db, service: service, outbox: outbox.New(queue, service, "a", discard)}
		hub.OnPublish(n.outbox.Wake)
		ctx, stop := context.WithCancel(context.Background())
		var wait sync.WaitGroup
		defer wait.Wait()
		defer stop()
		p := newPeer()
		n.outbox.Attach(ctx, bridge.Matrix, p)
		wait.Go(func() { n.outbox.Run(ctx) })
		s := n.session(t)
		eventually(t, func() bool { return len(p.seqs(s)) == 2 })
		queue.broken.Store(true)
		n.say(t, s, "said while the disk was sick")
		require.Never(t, func() bool { return len(p.seqs(s)) > 2 }, 100*time.Millisecond, 10*time.Millisecond)
		queue.broken.Store(false)
		eventually(t, func() bool { return len(p.seqs(s)) == 3 })
	})
}

func TestALeaseThatCannotBeRenewedIsNotTrusted(t *testing.T) {
	url := storetest.NewDatabase(t)
	db, other := storetest.Open(t, url), storetest.Open(t, url)
	ended := make(chan struct{})
	ctx, stop := context.WithCancel(context.Background())
	defer stop()
	held := make(chan struct{})
	go outbox.Hold(ctx, db, "xmpp", "a", discard, func(ctx context.Context) {
		close(held)
		<-ctx.Done()
		close(ended)
		stop()
	})
	<-held
	require.NoError(t, other.FreeLeases(context.Background()))
	_, ok, err := other.AcquireLease(context.Background(), "xmpp", "b", time.Minute)
	require.NoError(t, err)
	require.True(t, ok)
	select {
	case <-ended:
	case <-time.After(2 * outbox.LeaseTTL):
		t.Fatal("the first holder still trusts its lease")
	}
}

// postman is a smarthost that fails when it is told to.
type postman struct {
	mu    sync.Mutex
	fault error
	sent  []string
}

func (p *postman) Send(_ context.Context, l bridge.Letter) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.fault != nil {
		return p.fault
	}
	p.sent = append(p.sent, l.To.Email().ID)
	return nil
}

func (p *postman) set(fault error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.fault = fault
}

func (p *postman) count() int {
	p.mu.Lock()
	defer p.mu.Unlock()
	return len(p.sent)
}

func TestMailsWaitForASmarthostAndAreSentOnce(t *testing.T) {
	storetest.OnBoth(t, func(t *testing.T, db *store.Store) {
		service, err := bridge.NewService(bridge.Config{
			Key: []byte(strings.Repeat("k", 32)), Allow: bridge.AllowList{"*@example.org"},
			Networks: []bridge.Network{bridge.Mail}, MissedAfter: time.Minute, MailHost: "in.example.org",
		}, db, bridge.NewHub(), discard)
		require.NoError(t, err)
		p := &postman{fault: errors.New("451 4.3.0 later")}
		mails := outbox.NewMails(db, service, p, "a", discard)
		mails.Retries = []time.Duration{50 * time.Millisecond}
		box := outbox.New(db, service, "a", discard)
		ctx, stop := context.WithCancel(context.Background())
		var wait sync.WaitGroup
		defer wait.Wait()
		defer stop()
		box.Attach(ctx, bridge.Mail, bridge.NewMailPlanner(service, mails.Wake))
		wait.Go(func() { box.Run(ctx) })
		wait.Go(func() { mails.Run(ctx) })

		room, err := service.Start(ctx, bridge.StartRequest{
			By: bridge.Identity{Via: bridge.Mail, Address: bridge.EmailAddress("alice@example.org")}, Subject: "s",
			Invitees: []bridge.Invitee{{Address: bridge.EmailAddress("bob@client.test")}}, Origin: bridge.Origin{Network: bridge.Mail, ID: "1"},
		})
		require.NoError(t, err)
		box.Wake(room.Session.ID)
		queued := func() []bridge.Mailing {
			mails, err := db.ListMails(ctx, room.Session.ID, room.Members[1].ID)
			require.NoError(t, err)
			return mails
		}
		eventually(t, func() bool { m := queued(); return len(m) == 1 && m[0].Attempts > 1 })
		p.set(nil)
		eventually(t, func() bool { return p.count() == 2 && queued()[0].State == bridge.MailSent })

		p.set(&bridge.RefusedError{Reason: "There is no such mailbox.", Err: errors.New("550")})
		_, err = service.Invite(ctx, room.Session.ID, bridge.Identity{Via: bridge.Mail, Address: bridge.EmailAddress("alice@example.org")},
			[]bridge.Invitee{{Address: bridge.EmailAddress("nobody@client.test")}})
		require.NoError(t, err)
		box.Wake(room.Session.ID)
		eventually(t, func() bool {
			records, err := service.Log(ctx, room.Session.ID, 0, 100)
			require.NoError(t, err)
			last := records[len(records)-1]
			return last.Kind == bridge.KindFailure && strings.Contains(last.Body.Text, "There is no such mailbox.")
		})
	})
}
