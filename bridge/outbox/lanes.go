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
	LastRetry  = 10 * time.Second
	// fresh is how long after a peer has come back the pauses of its lanes
	// do not count.
	fresh = 2 * Poll
	// sweepEvery is how many polls there are to a look at all lanes.
	sweepEvery = 30
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
	// failed has the sessions that could not be looked at: the next poll tries again.
	failed map[uuid.UUID]bool
}

// attached is a transport and what flows through it. free and queue are guarded
// by Outbox.mu.
type attached struct {
	Transport
	network bridge.Network
	ctx     context.Context
	sole    bool
	unready atomic.Bool // its lanes could not be listed yet
	free    int         // places for more lanes
	queue   []key
	since   atomic.Int64 // when the peer was last known to have come back, Unix ns
}

// back notes that the peer can be reached (again).
func (a *attached) back() { a.since.Store(time.Now().UnixNano()) }

// lost notes that the peer has failed: pauses count again.
func (a *attached) lost() { a.since.Store(0) }

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
		failed:     make(map[uuid.UUID]bool),
	}
}

// Attach lets the lanes of a network flow through a transport until ctx ends.
func (o *Outbox) Attach(ctx context.Context, n bridge.Network, t Transport) {
	o.attach(&attached{Transport: t, network: n, ctx: ctx})
}

// AttachSole is Attach for a gateway that one node serves for all, while it
// holds the gateway's lease: every lane of the network becomes its own,
// whichever node had it before.
func (o *Outbox) AttachSole(ctx context.Context, n bridge.Network, t Transport) {
	o.attach(&attached{Transport: t, network: n, ctx: ctx, sole: true})
}

func (o *Outbox) attach(a *attached) {
	a.free = Parallel
	a.back()
	o.mu.Lock()
	o.transports[a.network] = a
	o.mu.Unlock()
	context.AfterFunc(a.ctx, func() { o.detach(a) })
	o.prepare(a)
}

func (o *Outbox) detach(a *attached) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.transports[a.network] == a {
		delete(o.transports, a.network)
	}
}

// prepare takes over what a sole transport must own, and wakes what waits.
func (o *Outbox) prepare(a *attached) {
	var err error
	if a.sole {
		err = o.queue.TakeLanes(a.ctx, a.network, o.owner)
	}
	ready := err == nil && o.wakeBehind(a.ctx, a.network)
	if err != nil {
		o.complain(a.ctx, "outbox: cannot take over lanes", "network", a.network, "error", err)
	}
	a.unready.Store(!ready)
}

// Wake says that a session has changed. It never blocks.
func (o *Outbox) Wake(session uuid.UUID) {
	o.mu.Lock()
	o.hinted[session], o.slow[session] = true, true
	o.mu.Unlock()
	o.hint()
}

func (o *Outbox) hint() {
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
	for polls := 1; ; {
		select {
		case <-ctx.Done():
			return nil
		case <-o.hints:
			o.serve(ctx, o.take(o.hinted), isRoom)
		case <-ticker.C:
			o.poll(ctx, polls%sweepEvery == 0)
			polls++
		}
	}
}

// poll looks at what no hint tells: mails that are due, pauses that are over,
// look-ups that failed, nodes that died. A sweep looks at everything.
func (o *Outbox) poll(ctx context.Context, sweep bool) {
	o.serve(ctx, o.take(o.failed), isAny)
	o.serve(ctx, o.take(o.slow), isMail)
	o.serveDue(ctx)
	freed, err := o.queue.FreeDead(ctx)
	if err != nil {
		o.complain(ctx, "outbox: cannot look for dead nodes", "error", err)
	}
	if freed {
		o.slog.Info("outbox: taking over the lanes of a node that has ended")
	}
	for _, a := range o.attachedNow() {
		if a.unready.Load() {
			o.prepare(a)
		} else if freed || sweep {
			o.wakeBehind(ctx, a.network)
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

// complain logs what went wrong, unless it did because we are stopping.
func (o *Outbox) complain(ctx context.Context, message string, args ...any) {
	if ctx.Err() == nil {
		o.slog.Error(message, args...)
	}
}

// lookAgain notes a session for the next poll.
func (o *Outbox) lookAgain(session uuid.UUID) {
	o.mu.Lock()
	o.failed[session] = true
	o.mu.Unlock()
}

// serveDue wakes the lanes whose pause is over.
func (o *Outbox) serveDue(ctx context.Context) {
	due, err := o.queue.ListDue(ctx, time.Now())
	if err != nil {
		o.complain(ctx, "outbox: cannot list due lanes", "error", err)
		return
	}
	o.serve(ctx, due, isAny)
}

func (o *Outbox) attachedNow() (all []*attached) {
	o.mu.Lock()
	defer o.mu.Unlock()
	for _, a := range o.transports {
		all = append(all, a)
	}
	return all
}

// wakeBehind wakes every lane of a network that has something to carry, and
// says if it could list them.
func (o *Outbox) wakeBehind(ctx context.Context, n bridge.Network) bool {
	sessions, err := o.queue.ListBehind(ctx, n)
	if err != nil {
		o.complain(ctx, "outbox: cannot list lanes", "network", n, "error", err)
		return false
	}
	set := o.hinted
	if n == bridge.Mail {
		set = o.slow
	}
	o.mu.Lock()
	for _, s := range sessions {
		set[s] = true
	}
	o.mu.Unlock()
	o.hint()
	return true
}

func (o *Outbox) serve(ctx context.Context, sessions []uuid.UUID, which func(bridge.Destination) bool) {
	for _, s := range sessions {
		lanes, err := o.queue.ListLanes(ctx, s)
		if err != nil {
			o.complain(ctx, "outbox: cannot list the lanes of a session", "session", s, "error", err)
			o.lookAgain(s)
			continue
		}
		for _, l := range lanes {
			if which(l.Destination) {
				o.start(key{l.Session, l.Destination})
			}
		}
	}
}

// drain is one lane under way or in the queue. again is set when a hint comes
// meanwhile.
type drain struct {
	again bool
}

func (o *Outbox) start(k key) {
	o.mu.Lock()
	defer o.mu.Unlock()
	a := o.transports[k.destination.Network()]
	if a == nil || a.ctx.Err() != nil {
		return
	}
	if d := o.running[k]; d != nil {
		d.again = true
		return
	}
	o.running[k] = &drain{}
	if a.free == 0 {
		a.queue = append(a.queue, k)
		return
	}
	a.free--
	o.idle.Go(func() { o.work(a, k) })
}

// work drains a lane, and then the next one of those that wait for a place.
func (o *Outbox) work(a *attached, k key) {
	for ok := true; ok; {
		o.run(a, k)
		k, ok = o.next(a)
	}
}

func (o *Outbox) next(a *attached) (k key, ok bool) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if len(a.queue) == 0 {
		a.free++
		return key{}, false
	}
	k, a.queue = a.queue[0], a.queue[1:]
	return k, true
}

// run drains the lane until nothing is left and no hint has come meanwhile.
func (o *Outbox) run(a *attached, k key) {
	for {
		if a.ctx.Err() == nil {
			o.note(a, k, o.drain(a, k))
		}
		o.mu.Lock()
		d := o.running[k]
		if ended := a.ctx.Err() != nil; ended || !d.again {
			delete(o.running, k)
			o.mu.Unlock()
			if ended && d.again {
				o.Wake(k.session) // for the transport that is attached next
			}
			return
		}
		d.again = false
		o.mu.Unlock()
	}
}

// note logs why a lane stopped, and has it looked at again.
func (o *Outbox) note(a *attached, k key, err error) {
	if err == nil || a.ctx.Err() != nil {
		return
	}
	o.slog.Error("outbox: a lane stopped", "session", k.session, "destination", k.destination, "error", err)
	o.lookAgain(k.session)
}

// drain carries what there is. An error is one of the store, or ErrFenced.
func (o *Outbox) drain(a *attached, k key) error {
	ctx := a.ctx
	lane, ok, err := o.queue.GetLane(ctx, k.session, k.destination)
	if err != nil || !ok {
		return err
	}
	if lane.Attempts > 0 && time.Now().Before(lane.NextTry) && !a.isFresh() {
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
		more, err := o.carry(a, &lane, records)
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
func (o *Outbox) carry(a *attached, l *bridge.Lane, records []bridge.Record) (more bool, err error) {
	before := *l
	accepted, failure := o.deliver(a, *l, records)
	if accepted > 0 {
		l.Acked = records[accepted-1].Seq
	}
	l.Seen = max(l.Seen, l.Acked)
	if a.ctx.Err() == nil { // else we are stopping: that is no fault of the peer
		l.Seen = records[len(records)-1].Seq
		more, err = o.settle(a, l, records, accepted, failure)
	}
	if l.Acked != before.Acked || l.Seen != before.Seen || l.Attempts != before.Attempts || !l.NextTry.Equal(before.NextTry) {
		err = errors.Join(err, o.queue.SetLane(context.WithoutCancel(a.ctx), *l))
	}
	if before.Attempts > 0 && failure == nil && isRoom(l.Destination) && !a.isFresh() {
		a.back() // the first lane that gets through wakes the others
		o.wakeBehind(a.ctx, a.network)
	}
	return more && err == nil, err
}

// deliver hands the window to the transport, but for the failure that the lane
// itself has caused: that counts as taken.
func (o *Outbox) deliver(a *attached, l bridge.Lane, records []bridge.Record) (accepted int, err error) {
	wanted := o.wanted(l, records)
	if len(wanted) > 0 {
		accepted, err = a.Deliver(a.ctx, l, wanted)
		if accepted == 0 && err == nil {
			err = errors.New("the transport took nothing and gave no reason")
		}
	}
	if err == nil && accepted == len(wanted) && len(wanted) < len(records) {
		accepted++
	}
	return accepted, err
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
func (o *Outbox) settle(a *attached, l *bridge.Lane, records []bridge.Record, accepted int, failure error) (more bool, err error) {
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
		if err := o.log.RecordFailed(a.ctx, r, l.Destination, refused.Reason); err != nil {
			return false, err
		}
		l.Acked, l.Attempts, l.NextTry = r.Seq, 0, time.Time{}
		return true, nil
	default:
		a.lost()
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
