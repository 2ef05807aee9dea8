package outbox

import (
	"context"
	"errors"
	"log/slog"
	"math/rand/v2"
	"sync"
	"sync/atomic"
	"time"

	"mailroom/bridge"

	"github.com/google/uuid"
)

const (
	// Window is how many records a transport gets at once.
	Window = 100
	// Poll is the longest time that a lost hint costs.
	Poll = time.Second
	// FirstRetry and LastRetry bound the pause after a failure; it doubles
	// from one to the other, with 20 % jitter.
	FirstRetry = time.Second
	LastRetry  = 30 * time.Second
	// fresh is how long after a peer has come back the pauses of its lanes
	// do not count.
	fresh = 2 * Poll
	// Parallel is how many lanes of one network are drained at once.
	Parallel = 64
)

// Outbox drains the lanes of the networks whose transports are attached.
type Outbox struct {
	queue Queue
	log   Log
	owner string
	slog  *slog.Logger

	mu         sync.Mutex
	transports map[bridge.Network]*attached
	running    map[key]*drain
	idle       sync.WaitGroup
	hints      chan struct{}
	hinted     map[uuid.UUID]bool
	// slow has the sessions whose mail lanes are looked at with the next poll:
	// a mail is no matter of milliseconds, and a burst costs one look.
	slow map[uuid.UUID]bool
}

type attached struct {
	Transport
	ctx    context.Context
	places chan struct{}
	since  atomic.Int64 // when the peer was last known to have come back, Unix ns
}

// back notes that the peer can be reached (again).
func (a *attached) back() { a.since.Store(time.Now().UnixNano()) }

func (a *attached) isFresh() bool { return time.Now().UnixNano()-a.since.Load() < int64(fresh) }

type key struct {
	session     uuid.UUID
	destination bridge.Destination
}

// New makes an outbox for the node that is named owner.
func New(queue Queue, log Log, owner string, logger *slog.Logger) *Outbox {
	return &Outbox{
		queue: queue, log: log, owner: owner, slog: logger,
		transports: make(map[bridge.Network]*attached),
		running:    make(map[key]*drain),
		hints:      make(chan struct{}, 1),
		hinted:     make(map[uuid.UUID]bool),
		slow:       make(map[uuid.UUID]bool),
	}
}

// Attach lets the lanes of a network flow through a transport until ctx ends.
// A gateway that only one node may serve is attached while its lease is held.
func (o *Outbox) Attach(ctx context.Context, n bridge.Network, t Transport) {
	o.mu.Lock()
	a := &attached{Transport: t, ctx: ctx, places: make(chan struct{}, Parallel)}
	a.back()
	o.transports[n] = a
	o.mu.Unlock()
	context.AfterFunc(ctx, func() { o.detach(n, a) })
	o.wakeBehind(ctx, n)
}

func (o *Outbox) detach(n bridge.Network, a *attached) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.transports[n] == a {
		delete(o.transports, n)
	}
}

// Wake says that a session has changed. It never blocks.
func (o *Outbox) Wake(session uuid.UUID) {
	o.mu.Lock()
	o.hinted[session], o.slow[session] = true, true
	o.mu.Unlock()
	select {
	case o.hints <- struct{}{}:
	default:
	}
}

// Run serves hints and polls until ctx ends, and then waits for what is under way.
func (o *Outbox) Run(ctx context.Context) error {
	ticker := time.NewTicker(Poll)
	defer ticker.Stop()
	defer o.idle.Wait()
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-o.hints:
			o.serve(ctx, o.take(o.hinted), isRoom)
		case <-ticker.C:
			o.serve(ctx, o.take(o.slow), isMail)
			o.serveDue(ctx)
			o.succeed(ctx)
		}
	}
}

func isMail(d bridge.Destination) bool { return d.Network() == bridge.Mail }
func isRoom(d bridge.Destination) bool { return !isMail(d) }
func isAny(bridge.Destination) bool    { return true }

// take empties a set of sessions.
func (o *Outbox) take(set map[uuid.UUID]bool) []uuid.UUID {
	o.mu.Lock()
	defer o.mu.Unlock()
	sessions := make([]uuid.UUID, 0, len(set))
	for s := range set {
		sessions = append(sessions, s)
	}
	clear(set)
	return sessions
}

// serveDue wakes the lanes whose pause is over.
func (o *Outbox) serveDue(ctx context.Context) {
	due, err := o.queue.ListDue(ctx, time.Now())
	if err != nil {
		o.slog.Error("outbox: cannot list due lanes", "error", err)
		return
	}
	o.serve(ctx, due, isAny)
}

// succeed takes over from nodes that have died: their lanes get no hint of it.
func (o *Outbox) succeed(ctx context.Context) {
	freed, err := o.queue.FreeDead(ctx)
	if err != nil {
		o.slog.Error("outbox: cannot look for dead nodes", "error", err)
	}
	if err != nil || !freed {
		return
	}
	o.slog.Info("outbox: taking over the lanes of a node that has ended")
	for _, n := range o.attachedNetworks() {
		o.wakeBehind(ctx, n)
	}
}

func (o *Outbox) attachedNetworks() (networks []bridge.Network) {
	o.mu.Lock()
	defer o.mu.Unlock()
	for n := range o.transports {
		networks = append(networks, n)
	}
	return networks
}

// wakeBehind wakes every lane of a network that has something to carry.
func (o *Outbox) wakeBehind(ctx context.Context, n bridge.Network) {
	sessions, err := o.queue.ListBehind(ctx, n)
	if err != nil {
		o.slog.Error("outbox: cannot list lanes", "network", n, "error", err)
		return
	}
	for _, s := range sessions {
		o.Wake(s)
	}
}

func (o *Outbox) serve(ctx context.Context, sessions []uuid.UUID, which func(bridge.Destination) bool) {
	for _, s := range sessions {
		lanes, err := o.queue.ListLanes(ctx, s)
		if err != nil {
			o.slog.Error("outbox: cannot list the lanes of a session", "session", s, "error", err)
			continue
		}
		for _, l := range lanes {
			if which(l.Destination) {
				o.start(l)
			}
		}
	}
}

// drain is one lane under way. again is set when a hint comes meanwhile.
type drain struct {
	again bool
}

func (o *Outbox) start(l bridge.Lane) {
	o.mu.Lock()
	defer o.mu.Unlock()
	t := o.transports[l.Destination.Network()]
	if t == nil || t.ctx.Err() != nil {
		return
	}
	k := key{l.Session, l.Destination}
	if d := o.running[k]; d != nil {
		d.again = true
		return
	}
	o.running[k] = &drain{}
	o.idle.Go(func() { o.run(t, k) })
}

// run drains the lane until nothing is left and no hint has come meanwhile.
func (o *Outbox) run(t *attached, k key) {
	select {
	case t.places <- struct{}{}:
		defer func() { <-t.places }()
	case <-t.ctx.Done():
	}
	for {
		if t.ctx.Err() == nil {
			if err := o.drain(t, k); err != nil && t.ctx.Err() == nil {
				o.slog.Error("outbox: a lane stopped", "session", k.session, "destination", k.destination, "error", err)
			}
		}
		o.mu.Lock()
		d := o.running[k]
		if !d.again || t.ctx.Err() != nil {
			delete(o.running, k)
			o.mu.Unlock()
			return
		}
		d.again = false
		o.mu.Unlock()
	}
}

// drain carries what there is. An error is one of the store, or ErrFenced.
func (o *Outbox) drain(t *attached, k key) error {
	ctx := t.ctx
	lane, ok, err := o.queue.GetLane(ctx, k.session, k.destination)
	if err != nil || !ok {
		return err
	}
	if lane.Attempts > 0 && time.Now().Before(lane.NextTry) && !t.isFresh() {
		return nil // it is failing: a hint makes the peer no better
	}
	for {
		records, err := o.queue.ListRecords(ctx, k.session, lane.Acked, Window)
		if err != nil || len(records) == 0 {
			return err
		}
		if lane, ok, err = o.claim(ctx, lane); err != nil || !ok {
			return err
		}
		more, err := o.carry(t, &lane, records)
		if err != nil || !more {
			return err
		}
	}
}

func (o *Outbox) claim(ctx context.Context, l bridge.Lane) (bridge.Lane, bool, error) {
	if l.Owner == o.owner {
		return l, true, nil
	}
	return o.queue.ClaimLane(ctx, l, o.owner)
}

// carry hands one window over and writes down what became of it.
func (o *Outbox) carry(t *attached, l *bridge.Lane, records []bridge.Record) (more bool, err error) {
	ctx := t.ctx
	wanted := o.wanted(*l, records)
	accepted, failure := len(wanted), error(nil)
	if len(wanted) > 0 {
		accepted, failure = t.Deliver(ctx, *l, wanted)
	}
	if accepted == len(wanted) && len(wanted) < len(records) {
		accepted++ // the failure record about this very lane
	}
	before := *l
	if accepted > 0 {
		l.Acked = records[accepted-1].Seq
	}
	if ctx.Err() == nil { // else we are stopping: that is no fault of the peer
		more, err = o.settle(ctx, l, records, accepted, failure)
	}
	if l.Acked != before.Acked || l.Attempts != before.Attempts || !l.NextTry.Equal(before.NextTry) {
		err = errors.Join(err, o.queue.SetLane(context.WithoutCancel(ctx), *l))
	}
	if before.Attempts > 0 && l.Attempts == 0 && failure == nil && !isMail(l.Destination) {
		t.back()
		o.wakeBehind(ctx, l.Destination.Network())
	}
	return more && err == nil, err
}

// wanted is the part of the window before the first record that must not
// reach the lane: the failure that the lane itself has caused.
func (o *Outbox) wanted(l bridge.Lane, records []bridge.Record) []bridge.Record {
	for i, r := range records {
		if r.Kind == bridge.KindFailure && r.Destination == l.Destination {
			return records[:i]
		}
	}
	return records
}

// settle decides what a delivery's outcome means for the lane.
func (o *Outbox) settle(ctx context.Context, l *bridge.Lane, records []bridge.Record, accepted int, failure error) (more bool, err error) {
	var refused *bridge.RefusedError
	var wait *bridge.WaitError
	switch {
	case failure == nil:
		l.Attempts, l.NextTry = 0, time.Time{}
		return true, nil
	case errors.As(failure, &wait):
		l.Attempts, l.NextTry = 0, wait.Until
		return false, nil
	case errors.As(failure, &refused):
		r := records[accepted]
		o.slog.Warn("outbox: refused for good", "session", l.Session, "destination", l.Destination, "seq", r.Seq, "error", refused.Err)
		if err := o.log.RecordFailed(ctx, r, l.Destination, refused.Reason); err != nil {
			return false, err
		}
		l.Acked, l.Attempts, l.NextTry = r.Seq, 0, time.Time{}
		return true, nil
	default:
		if accepted > 0 {
			l.Attempts = 0
		}
		l.Attempts++
		l.NextTry = time.Now().Add(pause(l.Attempts)).Truncate(time.Microsecond)
		o.slog.Warn("outbox: will try again", "session", l.Session, "destination", l.Destination, "attempt", l.Attempts, "at", l.NextTry, "error", failure)
		return false, nil
	}
}

// pause before the next attempt, after so many failures in a row.
func pause(attempts int) time.Duration {
	d := FirstRetry
	for i := 1; i < attempts && d < LastRetry; i++ {
		d *= 2
	}
	d = min(d, LastRetry)
	return time.Duration(float64(d) * (0.8 + 0.4*rand.Float64()))
}
