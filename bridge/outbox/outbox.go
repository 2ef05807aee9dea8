package outbox

import (
	"context"
	"log/slog"
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
	level := slog.LevelError
	if bridge.CodeOf(err) == bridge.Unavailable {
		level = slog.LevelWarn // the memory of another node, which has gone
	}
	o.slog.Log(a.ctx, level, "outbox: a lane stopped", "session", k.session, "destination", k.destination, "error", err)
	o.lookAgain(k.session)
}
