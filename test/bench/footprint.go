package main

import (
	"context"
	"errors"
	"fmt"
	"log"
	"os"
	"path/filepath"
	"sync"
	"time"

	"mailroom/bridge"
	"mailroom/store"

	"github.com/google/uuid"
)

// footprintPlan is how part d measures.
type footprintPlan struct {
	starts   int
	idle     time.Duration // before the memory is read
	sleepers int           // sessions that sleep in the database in the end
}

func (b *bench) footprintPlan() footprintPlan {
	if b.quick {
		return footprintPlan{3, time.Second, 500}
	}
	return footprintPlan{11, 5 * time.Second, 10_000}
}

// footprint measures what the program costs that nobody talks to.
func (b *bench) footprint(ctx context.Context) (s section, err error) {
	plan := b.footprintPlan()
	site := &site{dir: filepath.Join(b.dir, "footprint")}
	if err := os.Mkdir(site.dir, 0o755); err != nil {
		return s, err
	}
	defer func() { err = errors.Join(err, site.close()) }()
	if err := site.startServers(ctx); err != nil {
		return s, err
	}
	empty, err := site.mailroom.restarts(ctx, plan)
	if err != nil {
		return s, err
	}
	took, err := fillWithSleepers(ctx, "sqlite:"+site.mailroom.database(), plan.sleepers)
	if err != nil {
		return s, err
	}
	full, err := site.mailroom.restarts(ctx, plan)
	if err != nil {
		return s, err
	}
	log.Printf("%d sessions were started in %s", plan.sleepers, took.Round(time.Second))
	return footprintSection(empty, full, plan), nil
}

// footing is what a running program costs.
type footing struct {
	start  time.Duration // until /readyz, median
	slow   time.Duration // the slowest
	memory int64         // resident, bytes
}

// restarts starts the program again and again, and reads its memory after it
// has idled at the end. It leaves it stopped.
func (m *mailroom) restarts(ctx context.Context, plan footprintPlan) (f footing, err error) {
	var took []time.Duration
	for range plan.starts {
		if err := m.stop(); err != nil {
			return f, err
		}
		t, err := m.startReady(ctx)
		if err != nil {
			return f, err
		}
		took = append(took, t)
	}
	pause(ctx, plan.idle)
	f = footing{start: median(took), slow: quantile(took, 1)}
	if f.memory, err = m.memory(); err != nil {
		return f, m.failed(err)
	}
	return f, m.stop()
}

// fillWithSleepers starts sessions in the database as their initiators did,
// with people on mail, Matrix and XMPP, all of whom have got everything.
func fillWithSleepers(ctx context.Context, url string, sleepers int) (took time.Duration, err error) {
	began := time.Now()
	c, err := openCore(ctx, url, 0)
	if err != nil {
		return 0, err
	}
	defer func() { err = errors.Join(err, c.store.Close()) }()
	ctx, stop := context.WithCancelCause(ctx)
	defer stop(nil)
	numbers := make(chan int)
	var wait sync.WaitGroup
	for range store.MaxBatch {
		wait.Go(func() {
			for n := range numbers {
				if err := c.addSleeper(ctx, n); err != nil {
					stop(err)
				}
			}
		})
	}
	for n := 0; n < sleepers && ctx.Err() == nil; n++ {
		numbers <- n
	}
	close(numbers)
	wait.Wait()
	return time.Since(began), context.Cause(ctx)
}

func (c *core) addSleeper(ctx context.Context, n int) error {
	room, err := c.Start(ctx, bridge.StartRequest{
		By:      bridge.Identity{Via: bridge.Mail, Address: bridge.EmailAddress(alice)},
		Subject: "Thursday", Body: bridge.Body{Text: sentence}, Origin: bridge.Origin{Network: bridge.Mail, ID: uuid.NewString()},
		Invitees: []bridge.Invitee{
			{Address: bridge.EmailAddress(fmt.Sprintf("guest%d@mailbox.test", n))},
			{Address: bridge.EmailAddress("mia@" + domain)}, {Address: bridge.EmailAddress("xena@" + domain)},
		},
	})
	if err != nil {
		return err
	}
	lanes, err := c.store.ListLanes(ctx, room.Session.ID)
	if err != nil {
		return err
	}
	for _, lane := range lanes {
		lane.Acked = room.Session.Head
		if err := c.store.SetLane(ctx, lane); err != nil {
			return err
		}
	}
	return nil
}

func footprintSection(empty, full footing, plan footprintPlan) section {
	t := table{
		columns: []string{"", "no sessions", thousands(int64(plan.sleepers)) + " sleeping sessions", "aim"},
		notes: []string{
			"*start*: from the start of the process to the first 200 of `/readyz`; the median, and the slowest, of " + fmt.Sprint(plan.starts) + " starts.",
			"*memory*: resident set, idle, with the mail listeners, Matrix and XMPP connected.",
			"*sleeping*: started by `bridge.Service.Start`, four people each, with lanes to mail, Matrix and XMPP that have reached the end of the log.",
		},
	}
	t.add("start", milliseconds(empty.start), milliseconds(full.start), "300 ms")
	t.add("slowest start", milliseconds(empty.slow), milliseconds(full.slow), "")
	t.add("memory", megabytes(empty.memory), megabytes(full.memory), "40 MB idle")
	return section{title: "(d) Start and memory", intro: "The static binary that `make build` makes, on SQLite, with its peers running.", tables: []table{t}}
}
