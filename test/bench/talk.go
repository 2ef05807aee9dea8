package main

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"strings"
	"sync"
	"time"
)

// talk is what one person says to another in a scenario, numbered.
type talk struct {
	mark  string // begins each text
	count int
	every time.Duration // 0: as fast as the server takes it
	say   func(ctx context.Context, text string) (again int, err error)
	burst func(ctx context.Context, texts []string) error // says all, when every is 0
	ear   *ear                                            // of the other person

	began time.Time
	said  map[string]time.Time // when each text began to be said
	again int                  // how often something had to be said again
}

func (t *talk) text(n int) string { return fmt.Sprintf("%s %d", t.mark, n) }

// run says everything. All of it is accepted by the server then.
func (t *talk) run(ctx context.Context) error {
	t.began, t.said = time.Now(), make(map[string]time.Time)
	if t.every == 0 {
		texts := make([]string, t.count)
		for n := range texts {
			texts[n] = t.text(n)
			t.said[texts[n]] = t.began
		}
		return t.burst(ctx, texts)
	}
	for n := range t.count {
		pause(ctx, time.Until(t.began.Add(time.Duration(n)*t.every)))
		t.said[t.text(n)] = time.Now()
		again, err := t.say(ctx, t.text(n))
		if err != nil {
			return err
		}
		t.again += again
	}
	return nil
}

// has says if a text is of this talk.
func (t *talk) has(text string) bool { return strings.HasPrefix(text, t.mark+" ") }

// heardOf are the texts of the talk among what the other person has heard.
func (t *talk) heardOf(all []heard) []heard {
	var own []heard
	for _, h := range all {
		if t.has(h.text) {
			own = append(own, h)
		}
	}
	return own
}

// verdict is what became of a talk.
type verdict struct {
	lost       int // accepted, and never there
	doubled    int // there more than once
	disordered int // behind a later one
	hidden     int // repeats that clients hide, since the id is the same
	again      int
	times      []time.Duration
	took       time.Duration // from the beginning to the last arrival
	arrived    int
	cpu        time.Duration // of the bridge for each message of the scenario; means nothing if it was killed
}

func (v verdict) String() string {
	return fmt.Sprintf("lost %d, doubled %d, out of order %d, hidden %d, said again %d, p50 %s, p95 %s, %s/s, CPU %s", v.lost, v.doubled, v.disordered,
		v.hidden, v.again, milliseconds(median(v.times)), milliseconds(quantile(v.times, 0.95)), perSecond(v.rate()), milliseconds(v.cpu))
}

func (v verdict) rate() float64 {
	if v.took == 0 {
		return 0
	}
	return float64(v.arrived) / v.took.Seconds()
}

// judge compares what was said with what is there, in its order there. Times
// are those of the ear.
func (t *talk) judge(there []heard) verdict {
	v := verdict{again: t.again}
	numbers := make(map[string]int, t.count)
	for n := range t.count {
		numbers[t.text(n)] = n
	}
	ids, seen, last := make(map[string]bool), make(map[string]bool), -1
	for _, h := range there {
		switch {
		case h.id != "" && ids[h.id]:
			v.hidden++
			continue
		case seen[h.text]:
			v.doubled++
			continue
		}
		ids[h.id], seen[h.text] = true, true
		if numbers[h.text] < last {
			v.disordered++
		}
		last = numbers[h.text]
	}
	v.arrived, v.lost = len(seen), t.count-len(seen)
	t.clock(&v)
	return v
}

func (t *talk) clock(v *verdict) {
	timed := make(map[string]bool)
	for _, h := range t.heardOf(t.ear.since(0)) {
		if timed[h.text] {
			continue
		}
		timed[h.text] = true
		v.times = append(v.times, h.at.Sub(t.said[h.text]))
		v.took = max(v.took, h.at.Sub(t.began))
	}
}

const (
	// graceTime is left for what may come twice after all is there.
	graceTime = time.Second
	// longestWait is how long anything may come.
	longestWait = 2 * time.Minute
)

// settle waits until everything is there, or nothing has come for a while.
func settle(ctx context.Context, quiet time.Duration, talks map[int]*talk) {
	ctx, cancel := context.WithTimeout(ctx, longestWait)
	defer cancel()
	latest, before := time.Now(), -1
	for ctx.Err() == nil && time.Since(latest) < quiet {
		missing, got := 0, 0
		for _, t := range talks {
			distinct := make(map[string]bool)
			for _, h := range t.heardOf(t.ear.since(0)) {
				distinct[h.text] = true
			}
			missing += t.count - len(distinct)
			got += len(distinct)
		}
		if got != before {
			latest, before = time.Now(), got
		}
		if missing == 0 {
			pause(ctx, graceTime)
			return
		}
		pause(ctx, 50*time.Millisecond)
	}
}

// talkAll runs the talks at once, with a fault beside them or none, and waits
// until they have settled.
func talkAll(ctx context.Context, quiet time.Duration, fault func(context.Context) error, talks map[int]*talk) error {
	var wait sync.WaitGroup
	errs := make(chan error, len(talks)+1)
	for _, t := range talks {
		wait.Go(func() { errs <- t.run(ctx) })
	}
	if fault != nil {
		errs <- fault(ctx)
	}
	wait.Wait()
	close(errs)
	settle(ctx, quiet, talks)
	var all error
	for err := range errs {
		all = errors.Join(all, err)
	}
	return all
}

// talk is what is said through a bridge in one direction: by mia to xena, or
// by xena to mia.
func (c *contest) talk(r *relay, direction int, s scenario) *talk {
	t := &talk{mark: rand.Text()[:8], count: s.count, every: s.every}
	if direction == toXMPP {
		t.ear = c.xena.ear
		t.say = func(ctx context.Context, text string) (int, error) { return 0, c.mia.say(ctx, r.room, text, text) }
		t.burst = func(ctx context.Context, texts []string) error { return c.mia.sayAll(ctx, r.room, texts) }
		return t
	}
	t.ear = c.mia.ear
	t.say = func(ctx context.Context, text string) (int, error) { return c.xena.say(ctx, r.muc, text, text) }
	t.burst = func(ctx context.Context, texts []string) error { return c.xena.sayAll(ctx, r.muc, texts) }
	return t
}

// sayAll says one text after the other, as fast as the homeserver takes them.
func (u *matrixUser) sayAll(ctx context.Context, room string, texts []string) error {
	for _, text := range texts {
		if err := u.say(ctx, room, text, text); err != nil {
			return err
		}
	}
	return nil
}

// sayAll says everything at once, and returns when the room has reflected it.
func (u *xmppUser) sayAll(ctx context.Context, room string, texts []string) error {
	answers := make([]<-chan stanza, len(texts))
	for i, text := range texts {
		var err error
		if answers[i], err = u.send(room, text, text); err != nil {
			return err
		}
	}
	for i, c := range answers {
		select {
		case s := <-c:
			if s.Type == "error" {
				return fmt.Errorf("the room refused %q: %s", texts[i], s.Inner)
			}
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(longestWait):
			return fmt.Errorf("the room has not reflected %q", texts[i])
		}
	}
	return nil
}
