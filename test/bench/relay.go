package main

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"log"
	"path/filepath"
	"time"
)

// relay is a bridge between a Matrix room, in which mia is, and a MUC, in
// which xena is.
type relay struct {
	name   string
	server *child
	start  func(context.Context) error
	room   string
	muc    string
	link   *proxy // between the bridge and Prosody

	steady, cut, killed [2][]verdict // by direction
	alone               []verdict    // XMPP to Matrix, with nothing the other way
	burst               [2][]verdict
	memory              int64
}

// The directions.
const (
	toXMPP = iota
	toMatrix
)

// relayPlan is how part c measures.
type relayPlan struct {
	rounds, faultRounds                   int
	steady, burst, cut, kill              int // messages each way
	steadyEvery, cutEvery, killEvery      time.Duration
	cutAfter, cutTime, killAfter, downFor time.Duration
}

func (b *bench) relayPlan() relayPlan {
	p := relayPlan{
		rounds: 3, faultRounds: 2, steady: 80, burst: 500, cut: 150, kill: 200,
		steadyEvery: 100 * time.Millisecond, cutEvery: 40 * time.Millisecond, killEvery: 40 * time.Millisecond,
		cutAfter: 500 * time.Millisecond, cutTime: 5 * time.Second, killAfter: 2 * time.Second, downFor: 3 * time.Second,
	}
	if b.quick {
		p.rounds, p.faultRounds, p.steady, p.burst = 1, 1, 20, 100
	}
	return p
}

// relays measures Mailroom beside matterbridge, between the same servers and
// the same two people.
func (b *bench) relays(ctx context.Context) (s section, err error) {
	ctx, stop := context.WithCancel(ctx)
	defer stop()
	site, err := newSite(ctx, filepath.Join(b.dir, "relay"))
	if err != nil {
		return s, err
	}
	defer func() { err = errors.Join(err, site.close()) }()
	other, err := newMatterbridge(ctx, site)
	if err != nil {
		return s, err
	}
	defer func() { err = errors.Join(err, other.server.stop()) }()
	relays := []*relay{site.relay(), other}
	room, err := site.mia.createRoom(ctx, "ceiling")
	if err == nil {
		err = site.max.join(ctx, room)
	}
	var ceiling []float64
	plan := b.relayPlan()
	for round := 0; round < plan.rounds && err == nil; round++ {
		ceiling, err = site.measureRound(ctx, plan, relays, round, room, ceiling)
	}
	if err != nil {
		return s, site.mailroom.failed(err)
	}
	return relaySection(plan, relays, ceiling), nil
}

// relay is Mailroom's session, as a bridge between its two rooms.
func (s *site) relay() *relay {
	return &relay{
		name: "Mailroom", server: &s.mailroom.child, room: s.room, muc: s.muc, link: s.link,
		start: func(ctx context.Context) error { _, err := s.mailroom.startReady(ctx); return err },
	}
}

// measureRound measures what the homeserver takes from one writer, and then
// every scenario with each relay in turn.
func (s *site) measureRound(ctx context.Context, plan relayPlan, relays []*relay, round int, room string, ceiling []float64) ([]float64, error) {
	began := time.Now()
	for range plan.burst {
		if err := s.max.say(ctx, room, rand.Text(), sentence); err != nil {
			return nil, err
		}
	}
	ceiling = append(ceiling, float64(plan.burst)/time.Since(began).Seconds())
	log.Printf("round %d: the homeserver takes %s from one writer", round+1, perSecond(ceiling[round]))
	for _, scenario := range []func(context.Context, relayPlan, *relay) error{s.steady, s.alone, s.burst, s.cutXMPP, s.killBridge} {
		for n := range relays {
			if err := scenario(ctx, plan, relays[(round+n)%len(relays)]); err != nil {
				return nil, err
			}
		}
		if round >= plan.faultRounds && len(relays[0].cut[0]) == plan.faultRounds && len(relays[0].burst[0]) > round {
			break // enough faults
		}
	}
	for _, r := range relays {
		bytes, err := r.server.memory()
		if err != nil {
			return nil, err
		}
		r.memory = max(r.memory, bytes)
	}
	return ceiling, nil
}

// steady lets both people talk at an even pace.
func (s *site) steady(ctx context.Context, plan relayPlan, r *relay) error {
	return s.both(ctx, r, &r.steady, "steady", plan.steady, plan.steadyEvery, nil)
}

// burst lets both people say everything at once.
func (s *site) burst(ctx context.Context, plan relayPlan, r *relay) error {
	return s.both(ctx, r, &r.burst, "burst", plan.burst, 0, nil)
}

// alone lets xena say everything at once while mia is silent: the homeserver
// has nothing to do but take it.
func (s *site) alone(ctx context.Context, plan relayPlan, r *relay) error {
	talk := s.toMatrix(r, plan.burst, 0)
	if err := talkAll(ctx, nil, talk); err != nil {
		return fmt.Errorf("%s, one way: %w", r.name, err)
	}
	v, err := s.judge(ctx, r, talk)
	r.alone = append(r.alone, v)
	log.Printf("%s, one way: %s/s, %s", r.name, perSecond(v.rate()), v)
	return err
}

// cutXMPP cuts the bridge's link to the XMPP server while both people talk.
func (s *site) cutXMPP(ctx context.Context, plan relayPlan, r *relay) error {
	return s.both(ctx, r, &r.cut, "cut", plan.cut, plan.cutEvery, func(ctx context.Context) error {
		pause(ctx, plan.cutAfter)
		r.link.cut()
		pause(ctx, plan.cutTime)
		return r.link.mend()
	})
}

// killBridge kills the bridge while both people talk, and starts it again.
func (s *site) killBridge(ctx context.Context, plan relayPlan, r *relay) error {
	return s.both(ctx, r, &r.killed, "kill", plan.kill, plan.killEvery, func(ctx context.Context) error {
		pause(ctx, plan.killAfter)
		if err := r.server.kill(); err != nil {
			return err
		}
		pause(ctx, plan.downFor)
		return r.start(ctx)
	})
}

func (s *site) both(ctx context.Context, r *relay, into *[2][]verdict, what string, count int, every time.Duration, fault func(context.Context) error) error {
	talks := [2]*talk{toXMPP: s.toXMPP(r, count, every), toMatrix: s.toMatrix(r, count, every)}
	if err := talkAll(ctx, fault, talks[:]...); err != nil {
		return fmt.Errorf("%s, %s: %w", r.name, what, err)
	}
	for direction, t := range talks {
		v, err := s.judge(ctx, r, t)
		if err != nil {
			return err
		}
		into[direction] = append(into[direction], v)
		log.Printf("%s, %s, %s: %s", r.name, what, [2]string{"Matrix to XMPP", "XMPP to Matrix"}[direction], v)
	}
	return nil
}

// judge takes what is in the Matrix room from the room itself: a sync may
// leave something out.
func (s *site) judge(ctx context.Context, r *relay, t *talk) (verdict, error) {
	if t.ear != s.mia.ear {
		return t.judge(t.heardOf(t.ear.since(0))), nil
	}
	there, err := s.mia.timeline(ctx, r.room, t)
	return t.judge(there), err
}

func (v verdict) String() string {
	return fmt.Sprintf("lost %d, doubled %d, out of order %d, hidden %d, said again %d, p50 %s, p95 %s, %s/s", v.lost, v.doubled, v.disordered,
		v.hidden, v.again, milliseconds(median(v.times)), milliseconds(quantile(v.times, 0.95)), perSecond(v.rate()))
}
