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
	bursts              [2][]verdict
	memory              int64
}

// The directions.
const (
	toXMPP = iota
	toMatrix
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
		return relayPlan{1, 1, 10, 60, 100 * ms, faultPlan{45, 50 * ms, 500 * ms, time.Second}, faultPlan{45, 50 * ms, 500 * ms, time.Second}, 5 * time.Second}
	}
	return relayPlan{3, 2, 80, 500, 100 * ms, faultPlan{150, 66 * ms, 2 * time.Second, 5 * time.Second}, faultPlan{200, 50 * ms, 2 * time.Second, 3 * time.Second}, 15 * time.Second}
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
	rate, err := s.writeAlone(ctx, plan.burst, room)
	if err != nil {
		return nil, err
	}
	ceiling = append(ceiling, rate)
	log.Printf("round %d: the homeserver takes %s/s from one writer", round+1, perSecond(rate))
	scenarios := []func(context.Context, relayPlan, *relay) error{s.steady, s.alone, s.burst}
	if round < plan.faultRounds {
		scenarios = append(scenarios, s.cutXMPP, s.killBridge)
	}
	for _, scenario := range scenarios {
		for n := range relays {
			if err := scenario(ctx, plan, relays[(round+n)%len(relays)]); err != nil {
				return nil, err
			}
			pause(ctx, graceTime) // for what the servers still have to do
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

// writeAlone is the rate at which the homeserver takes messages from one
// writer. It returns when the last one is there: the homeserver has more to do
// for each after it has answered.
func (s *site) writeAlone(ctx context.Context, count int, room string) (perSecond float64, err error) {
	last := "The last one " + rand.Text()
	there, began := s.mia.expect(last), time.Now()
	for n := range count {
		text := sentence
		if n == count-1 {
			text = last
		}
		if err := s.max.say(ctx, room, rand.Text(), text); err != nil {
			return 0, err
		}
	}
	took := time.Since(began)
	_, err = await(ctx, last, there)
	pause(ctx, graceTime)
	return float64(count) / took.Seconds(), err
}

// steady lets both people talk at an even pace.
func (s *site) steady(ctx context.Context, plan relayPlan, r *relay) error {
	return s.both(ctx, plan, r, &r.steady, "steady", plan.steady, plan.steadyEvery, nil)
}

// burst lets both people say everything at once.
func (s *site) burst(ctx context.Context, plan relayPlan, r *relay) error {
	return s.both(ctx, plan, r, &r.bursts, "burst", plan.burst, 0, nil)
}

// alone lets xena say everything at once while mia is silent: the homeserver
// has nothing to do but take it.
func (s *site) alone(ctx context.Context, plan relayPlan, r *relay) error {
	talk := s.toMatrix(r, plan.burst, 0)
	if err := talkAll(ctx, plan.quiet, nil, talk); err != nil {
		return fmt.Errorf("%s, one way: %w", r.name, err)
	}
	v, err := s.judge(ctx, r, talk)
	r.alone = append(r.alone, v)
	log.Printf("%s, one way: %s/s, %s", r.name, perSecond(v.rate()), v)
	return err
}

// cutXMPP cuts the bridge's link to the XMPP server while both people talk.
func (s *site) cutXMPP(ctx context.Context, plan relayPlan, r *relay) error {
	return s.both(ctx, plan, r, &r.cut, "cut", plan.cut.messages, plan.cut.every, func(ctx context.Context) error {
		pause(ctx, plan.cut.after)
		r.link.cut()
		pause(ctx, plan.cut.lasts)
		return r.link.mend()
	})
}

// killBridge kills the bridge while both people talk, and starts it again.
func (s *site) killBridge(ctx context.Context, plan relayPlan, r *relay) error {
	return s.both(ctx, plan, r, &r.killed, "kill", plan.kill.messages, plan.kill.every, func(ctx context.Context) error {
		pause(ctx, plan.kill.after)
		if err := r.server.kill(); err != nil {
			return err
		}
		pause(ctx, plan.kill.lasts)
		return r.start(ctx)
	})
}

// both lets both people talk, with a fault beside it or none.
func (s *site) both(ctx context.Context, plan relayPlan, r *relay, into *[2][]verdict, what string, count int, every time.Duration, fault func(context.Context) error) error {
	talks := [2]*talk{toXMPP: s.toXMPP(r, count, every), toMatrix: s.toMatrix(r, count, every)}
	if err := talkAll(ctx, plan.quiet, fault, talks[:]...); err != nil {
		return fmt.Errorf("%s, %s: %w", r.name, what, err)
	}
	for direction, t := range talks {
		v, err := s.judge(ctx, r, t)
		if err != nil {
			return err
		}
		into[direction] = append(into[direction], v)
		log.Printf("%s, %s, %s: %s", r.name, what, arrows[direction], v)
	}
	return nil
}

// judge takes what is in the Matrix room from the room's history, since a sync
// may leave something out, and from the syncs, since the history may.
func (s *site) judge(ctx context.Context, r *relay, t *talk) (verdict, error) {
	heard := t.heardOf(t.ear.since(0))
	if t.ear != s.mia.ear {
		return t.judge(heard), nil
	}
	there, err := s.mia.timeline(ctx, r.room, t)
	known := make(map[string]bool)
	for _, h := range there {
		known[h.id] = true
	}
	v := t.judge(there)
	for _, h := range heard {
		if !known[h.id] {
			log.Printf("the homeserver has brought %q and does not show it in the room's history", h.text)
			known[h.id] = true
			v.lost--
			v.arrived++
		}
	}
	return v, err
}

func (v verdict) String() string {
	return fmt.Sprintf("lost %d, doubled %d, out of order %d, hidden %d, said again %d, p50 %s, p95 %s, %s/s", v.lost, v.doubled, v.disordered,
		v.hidden, v.again, milliseconds(median(v.times)), milliseconds(quantile(v.times, 0.95)), perSecond(v.rate()))
}
