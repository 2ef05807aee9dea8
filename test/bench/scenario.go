package main

import (
	"context"
	"time"
)

// relayPlan is how part c measures.
type relayPlan struct {
	rounds, faultRounds int
	steady, burst       int           // messages each way
	steadyEvery         time.Duration // between two messages
	cut, kill           faultPlan
	quiet               time.Duration // without anything new: nothing more will come
}

// faultPlan is a fault while both people talk.
type faultPlan struct {
	messages int           // each way
	every    time.Duration // between two messages
	after    time.Duration // from the first message to the fault
	lasts    time.Duration
}

func (b *bench) relayPlan() relayPlan {
	const ms = time.Millisecond
	if b.quick {
		short := faultPlan{45, 50 * ms, 500 * ms, time.Second}
		return relayPlan{1, 1, 10, 60, 100 * ms, short, short, 5 * time.Second}
	}
	return relayPlan{
		rounds: 3, faultRounds: 2, steady: 80, steadyEvery: 100 * ms, burst: 500, quiet: 10 * time.Second,
		cut:  faultPlan{150, 66 * ms, 2 * time.Second, 5 * time.Second},
		kill: faultPlan{200, 50 * ms, 2 * time.Second, 3 * time.Second},
	}
}

// The names of the scenarios.
const (
	steady = "steady"
	alone  = "XMPP alone"
	burst  = "burst"
	cut    = "cut"
	killed = "kill -9"
)

// scenario is how two people talk through a bridge, and what befalls it.
type scenario struct {
	name  string
	ways  []int // the directions in which something is said
	count int   // messages each way
	every time.Duration
	fault func(context.Context, *relay) error
}

func (p relayPlan) scenarios() []scenario {
	both := []int{toXMPP, toMatrix}
	return []scenario{
		{steady, both, p.steady, p.steadyEvery, nil},
		// The homeserver has nothing to do but take what comes from XMPP.
		{alone, []int{toMatrix}, p.burst, 0, nil},
		{burst, both, p.burst, 0, nil},
		{cut, both, p.cut.messages, p.cut.every, p.cut.cutXMPP},
		{killed, both, p.kill.messages, p.kill.every, p.kill.killBridge},
	}
}

// on is the scenario's fault for one bridge, or nil.
func (s scenario) on(r *relay) func(context.Context) error {
	if s.fault == nil {
		return nil
	}
	return func(ctx context.Context) error { return s.fault(ctx, r) }
}

// cutXMPP cuts the bridge's link to the XMPP server for a while.
func (p faultPlan) cutXMPP(ctx context.Context, r *relay) error {
	pause(ctx, p.after)
	r.link.cut()
	pause(ctx, p.lasts)
	return r.link.mend()
}

// killBridge kills the bridge, and starts it again after a while.
func (p faultPlan) killBridge(ctx context.Context, r *relay) error {
	pause(ctx, p.after)
	if err := r.server.kill(); err != nil {
		return err
	}
	pause(ctx, p.lasts)
	return r.start(ctx)
}
