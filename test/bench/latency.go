package main

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"log"
	mathrand "math/rand/v2"
	"path/filepath"
	"strings"
	"time"
)

// samples is how often each way is measured, all ways in turn.
func (b *bench) samples() int {
	if b.quick {
		return 10
	}
	return 100
}

// restTime lies between two samples, so that what the one leaves to do does
// not slow the next one down.
const restTime = 40 * time.Millisecond

// leg is a way that a message goes. Once means that it is said, and returns
// when each of the ears in all has heard it; the time counts until the first.
type leg struct {
	name  string
	say   func(ctx context.Context, text string) error
	ears  []*ear // the first is measured; none: until say returns
	times []time.Duration
}

func (l *leg) once(ctx context.Context) error {
	text := "Said " + rand.Text()
	waits := make([]<-chan time.Time, len(l.ears))
	for i, e := range l.ears {
		waits[i] = e.expect(text)
	}
	began := time.Now()
	if err := l.say(ctx, text); err != nil {
		return fmt.Errorf("%s: %w", l.name, err)
	}
	took := time.Since(began)
	for i, c := range waits {
		at, err := await(ctx, text, c)
		if err != nil {
			return fmt.Errorf("%s: %w", l.name, err)
		}
		if i == 0 {
			took = at.Sub(began)
		}
	}
	l.times = append(l.times, took)
	return nil
}

// direct are the ways without Mailroom.
type direct struct{ web, matrix, push, xmpp, mail *leg }

// bridged is a way through Mailroom with the direct ways that it is made of.
type bridged struct {
	*leg
	parts []*leg
}

// latency measures how much later a message is there when it goes through
// Mailroom.
func (b *bench) latency(ctx context.Context) (s section, err error) {
	ctx, stop := context.WithCancel(ctx)
	defer stop()
	site, err := newSite(ctx, filepath.Join(b.dir, "latency"))
	if err != nil {
		return s, err
	}
	defer func() { err = errors.Join(err, site.close()) }()
	d, err := site.direct(ctx)
	if err != nil {
		return s, err
	}
	ways := site.bridged(d)
	legs := []*leg{d.web, d.matrix, d.push, d.xmpp, d.mail}
	for _, w := range ways {
		legs = append(legs, w.leg)
	}
	if err := inTurn(ctx, legs, b.samples()); err != nil {
		return s, site.mailroom.failed(err)
	}
	return latencySection(ways), nil
}

// inTurn takes one sample of each leg after the other, after some that do not
// count.
func inTurn(ctx context.Context, legs []*leg, samples int) error {
	const warm = 5
	for n := range warm + samples {
		for _, i := range mathrand.Perm(len(legs)) { // so that none has always the same neighbour
			if n == warm {
				legs[i].times = nil
			}
			if err := legs[i].once(ctx); err != nil {
				return err
			}
			pause(ctx, restTime)
		}
	}
	return nil
}

// direct makes the peers: two people and a bare appservice in a room of the
// homeserver, two people in a room of the XMPP server, a bare page and a bare
// mail server.
func (s *site) direct(ctx context.Context) (d direct, err error) {
	room, err := s.mia.createRoom(ctx, "direct")
	if err == nil {
		err = errors.Join(s.max.join(ctx, room), s.pushed.join(ctx, s.stack.Dendrite.URL, room))
	}
	if err != nil {
		return d, err
	}
	muc := "direct@" + s.stack.Prosody.MUC
	if err := errors.Join(s.xena.enter(ctx, muc), s.xavi.enter(ctx, muc)); err != nil {
		return d, err
	}
	page, err := startEcho(ctx, s.dir)
	if err != nil {
		return d, err
	}
	context.AfterFunc(ctx, func() { page.close() })
	mail, err := newMailer(s.mailbox.address, alice, "")
	return direct{
		web:    &leg{name: "bare page", say: page.say, ears: []*ear{page.ear}},
		matrix: &leg{name: "Matrix→Matrix", say: s.max.sayIn(room), ears: []*ear{s.mia.ear, s.pushed.ear}},
		push:   &leg{name: "Matrix→appservice", say: s.max.sayIn(room), ears: []*ear{s.pushed.ear, s.mia.ear}},
		xmpp:   &leg{name: "XMPP→XMPP", say: s.xavi.sayIn(muc), ears: []*ear{s.xena.ear}},
		mail: &leg{name: "SMTP accept", say: func(_ context.Context, text string) error {
			return mail.send("Re: Thursday", text, "somebody@mailbox.test")
		}},
	}, err
}

// bridged are the ways through the session. All who are in it hear each
// message before the next one is said.
func (s *site) bridged(d direct) []bridged {
	page, matrix, xmpp := s.wes.ear, s.mia.ear, s.xena.ear
	return []bridged{
		{&leg{name: "web→web", say: s.wanda.say, ears: []*ear{page, matrix, xmpp}}, []*leg{d.web}},
		{&leg{name: "web→Matrix", say: s.wanda.say, ears: []*ear{matrix, page, xmpp}}, []*leg{d.matrix}},
		{&leg{name: "Matrix→XMPP", say: s.mia.sayIn(s.room), ears: []*ear{xmpp, page}}, []*leg{d.push, d.xmpp}},
		{&leg{name: "XMPP→Matrix", say: s.xena.sayIn(s.muc), ears: []*ear{matrix, page, xmpp}}, []*leg{d.xmpp, d.matrix}},
		{&leg{name: "mail→web", say: func(_ context.Context, text string) error {
			return s.alice.send("Re: Thursday", text, s.reply)
		}, ears: []*ear{page, matrix, xmpp}}, []*leg{d.mail}},
	}
}

func (u *matrixUser) sayIn(room string) func(context.Context, string) error {
	return func(ctx context.Context, text string) error { return u.say(ctx, room, rand.Text(), text) }
}

func (u *xmppUser) sayIn(room string) func(context.Context, string) error {
	return func(_ context.Context, text string) error {
		_, err := u.send(room, rand.Text(), text)
		return err
	}
}

func latencySection(ways []bridged) section {
	t := table{
		columns: []string{"way", "Mailroom p50", "p95", "direct", "direct p50", "added"},
		notes:   latencyNotes,
	}
	for _, w := range ways {
		var names []string
		var sum time.Duration
		for _, part := range w.parts {
			names = append(names, fmt.Sprintf("%s %s", part.name, milliseconds(median(part.times))))
			sum += median(part.times)
		}
		ours := median(w.times)
		row := []string{
			w.name, milliseconds(ours), milliseconds(quantile(w.times, 0.95)),
			strings.Join(names, " + "), milliseconds(sum), milliseconds(ours - sum),
		}
		t.add(row...)
		log.Print(row)
	}
	return section{title: "(b) Added latency", intro: fmt.Sprintf(latencyIntro, len(ways[0].times)), tables: []table{t}}
}

const latencyIntro = `
From the moment at which somebody begins to say something until somebody else has it, at rest: one message at a time, each
after the last one has reached everybody. One Mailroom on SQLite serves one session with two people on the page, one on
Matrix (Dendrite) and one on XMPP (Prosody); every message goes to all of them. Medians of %d samples of each way, all ways in
turn. The aim is 3 ms added.
`

var latencyNotes = []string{
	"*direct*: what the servers concerned take without Mailroom, measured in turn with it. Matrix→Matrix is from one user's `PUT …/send` to another's `/sync`, and Matrix→appservice to a bare appservice in the same room that stores nothing; XMPP→XMPP is in a room of Prosody's own; the bare page is one insert synced to SQLite and server-sent events from net/http; SMTP accept is go-smtp that answers after fsync.",
	"*added*: Mailroom's median less the sum of the direct ones.",
}
