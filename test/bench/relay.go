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

	results map[string]*[2][]verdict // of each round, by scenario and direction
	memory  int64
}

// The directions, and their names.
const (
	toXMPP = iota
	toMatrix
)

var arrows = [2]string{toXMPP: "Matrix→XMPP", toMatrix: "XMPP→Matrix"}

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
	contest := &contest{site: site, plan: b.relayPlan(), relays: []*relay{site.relay(), other}}
	if err := contest.run(ctx); err != nil {
		return s, site.mailroom.failed(err)
	}
	return contest.section(), nil
}

// relay is Mailroom's session, as a bridge between its two rooms.
func (s *site) relay() *relay {
	return &relay{
		name: "Mailroom", server: &s.mailroom.child, room: s.room, muc: s.muc, link: s.link,
		results: make(map[string]*[2][]verdict),
		start:   func(ctx context.Context) error { _, err := s.mailroom.startReady(ctx); return err },
	}
}

// contest is both bridges in the same scenarios, in turn.
type contest struct {
	*site
	plan    relayPlan
	relays  []*relay
	ceiling []float64 // what the homeserver takes from one writer, of each round
}

func (c *contest) run(ctx context.Context) error {
	room, err := c.mia.createRoom(ctx, "ceiling")
	if err == nil {
		err = c.max.join(ctx, room)
	}
	for round := 0; round < c.plan.rounds && err == nil; round++ {
		if err = c.writeAlone(ctx, room); err == nil {
			err = c.playAll(ctx, round)
		}
	}
	return err
}

// writeAlone measures the rate at which the homeserver takes messages from one
// writer. It returns when the last one is there: the homeserver has more to do
// for each after it has answered.
func (c *contest) writeAlone(ctx context.Context, room string) error {
	last := "The last one " + rand.Text()
	there, began := c.mia.expect(last), time.Now()
	for n := range c.plan.burst {
		text := sentence
		if n == c.plan.burst-1 {
			text = last
		}
		if err := c.max.say(ctx, room, rand.Text(), text); err != nil {
			return err
		}
	}
	rate := float64(c.plan.burst) / time.Since(began).Seconds()
	c.ceiling = append(c.ceiling, rate)
	log.Printf("the homeserver takes %s/s from one writer", perSecond(rate))
	_, err := await(ctx, last, there)
	pause(ctx, graceTime)
	return err
}

// playAll plays every scenario of a round with each bridge, and begins with
// another one than the round before.
func (c *contest) playAll(ctx context.Context, round int) error {
	for _, s := range c.plan.scenarios() {
		if s.fault != nil && round >= c.plan.faultRounds {
			continue
		}
		for n := range c.relays {
			r := c.relays[(round+n)%len(c.relays)]
			if err := c.play(ctx, s, r); err != nil {
				return fmt.Errorf("%s, %s: %w", r.name, s.name, err)
			}
			pause(ctx, graceTime) // for what the servers still have to do
		}
	}
	for _, r := range c.relays {
		bytes, err := r.server.memory()
		if err != nil {
			return err
		}
		r.memory = max(r.memory, bytes)
	}
	return nil
}

func (c *contest) play(ctx context.Context, s scenario, r *relay) error {
	before, err := r.server.cpu()
	if err != nil {
		return err
	}
	talks := make(map[int]*talk)
	for _, direction := range s.ways {
		talks[direction] = c.talk(r, direction, s)
	}
	if err := talkAll(ctx, c.plan.quiet, s.on(r), talks); err != nil {
		return err
	}
	after, err := r.server.cpu()
	if err != nil {
		return err
	}
	for direction := range talks {
		v, err := c.judge(ctx, r, talks, direction)
		if err != nil {
			return err
		}
		v.cpu = (after - before) / time.Duration(s.count*len(s.ways))
		r.keep(s.name, direction, v)
		log.Printf("%s, %s, %s: %s", r.name, s.name, arrows[direction], v)
	}
	return nil
}

func (r *relay) keep(scenario string, direction int, v verdict) {
	if r.results[scenario] == nil {
		r.results[scenario] = new([2][]verdict)
	}
	r.results[scenario][direction] = append(r.results[scenario][direction], v)
}

// judge takes what is in the Matrix room from the room's history, since a sync
// may leave something out, and from the syncs, since the history may.
func (c *contest) judge(ctx context.Context, r *relay, talks map[int]*talk, direction int) (verdict, error) {
	t := talks[direction]
	heard := t.heardOf(t.ear.since(0))
	if direction == toXMPP {
		return t.judge(heard), nil
	}
	there, err := c.mia.timeline(ctx, r.room, talks)
	there = t.heardOf(there)
	known := make(map[string]bool)
	for _, h := range there {
		known[h.id] = true
	}
	v, hidden := t.judge(there), 0
	for _, h := range heard {
		if !known[h.id] {
			known[h.id] = true
			hidden++
		}
	}
	if hidden > 0 {
		log.Printf("the homeserver has brought %d messages that the room's history does not show", hidden)
	}
	v.lost -= hidden
	v.arrived += hidden
	return v, err
}
