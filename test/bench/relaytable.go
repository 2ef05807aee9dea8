package main

import (
	"fmt"
	"time"
)

func (c *contest) section() section {
	return section{
		title: "(c) Beside matterbridge 1.26.0", intro: relayIntro,
		tables: []table{c.steadyTable(), c.rateTable(), c.faultTable(), c.memoryTable()},
	}
}

func (c *contest) steadyTable() table {
	t := table{
		caption: fmt.Sprintf("At %.0f messages per second each way", 1/c.plan.steadyEvery.Seconds()),
		columns: []string{"", "Matrix→XMPP p50", "p95", "XMPP→Matrix p50", "p95"},
		notes: []string{
			fmt.Sprintf("From the moment at which the one begins to send until the other has it; both talk at once, %d messages each. The median over %d rounds of each round's p50 and p95.", c.plan.steady, c.plan.rounds),
		},
	}
	for _, r := range c.relays {
		row := []string{r.name}
		for _, verdicts := range r.results[steady] {
			row = append(row, milliseconds(medianOf(verdicts, 0.5)), milliseconds(medianOf(verdicts, 0.95)))
		}
		t.add(row...)
	}
	return t
}

// medianOf is the median over the rounds of a quantile of their times.
func medianOf(verdicts []verdict, q float64) time.Duration {
	var rounds []time.Duration
	for _, v := range verdicts {
		rounds = append(rounds, quantile(v.times, q))
	}
	return median(rounds)
}

func medianRate(verdicts []verdict) float64 {
	var rounds []float64
	for _, v := range verdicts {
		rounds = append(rounds, v.rate())
	}
	return median(rounds)
}

func medianCPU(verdicts []verdict) time.Duration {
	var rounds []time.Duration
	for _, v := range verdicts {
		rounds = append(rounds, v.cpu)
	}
	return median(rounds)
}

func (c *contest) rateTable() table {
	t := table{
		caption: fmt.Sprintf("%d messages at once, each way", c.plan.burst),
		columns: []string{"", "XMPP→Matrix alone", "of one writer", "CPU for each", "both at once: Matrix→XMPP", "and XMPP→Matrix", "together, of one writer"},
		notes: []string{
			"Messages per second, from the first that is said to the last that is there; medians of the rounds.",
			"*one writer*: one Matrix user in a room of two who sends the next message when the last one is answered: the rate that the homeserver gives one writer. Everything that goes to Matrix, and everything that mia says, goes through it.",
			"*CPU for each*: what the bridge itself uses for each message of the burst to Matrix, all cores together.",
		},
	}
	limit := median(c.ceiling)
	t.add("one writer on the homeserver", perSecond(limit), "100 %", "", "", "", "")
	for _, r := range c.relays {
		single, both := r.results[alone][toMatrix], r.results[burst]
		rate, x, m := medianRate(single), medianRate(both[toXMPP]), medianRate(both[toMatrix])
		t.add(r.name, perSecond(rate), percent(rate, limit), milliseconds(medianCPU(single)), perSecond(x), perSecond(m), percent(x+m, limit))
	}
	return t
}

func (c *contest) faultTable() table {
	t := table{
		caption: "Lost, doubled, out of order",
		columns: []string{"scenario", "way"},
		notes: []string{
			"Three numbers for each round: *lost* (accepted by a server, and never there), *doubled* (there more than once), *out of order* (behind one that was said later). Accepted means answered by the homeserver with 200, or reflected by the room to its sender. Both senders are patient clients: what is refused or not reflected within " + reflectTime.String() + " they say again with the same id, and the next thing only after it.",
			"What is there: in the Matrix room by its history and by what came to the client, on XMPP by what came to the client. Repeats with the same stanza-id (XEP-0359) are one message to a client; they are counted in brackets, if there are any.",
		},
	}
	for _, r := range c.relays {
		t.columns = append(t.columns, r.name)
	}
	for _, s := range []struct {
		name, caption string
	}{
		{burst, fmt.Sprintf("%d each way at once", c.plan.burst)},
		{cut, fmt.Sprintf("link to XMPP cut for %s, %d each way", c.plan.cut.lasts, c.plan.cut.messages)},
		{killed, fmt.Sprintf("kill -9, started again after %s, %d each way", c.plan.kill.lasts, c.plan.kill.messages)},
	} {
		for direction, arrow := range arrows {
			row := []string{s.caption, arrow}
			for _, r := range c.relays {
				row = append(row, faults(r.results[s.name][direction]))
			}
			t.add(row...)
		}
	}
	return t
}

func faults(verdicts []verdict) string {
	text := ""
	for i, v := range verdicts {
		if i > 0 {
			text += "; "
		}
		text += fmt.Sprintf("%d, %d, %d", v.lost, v.doubled, v.disordered)
		if v.hidden > 0 {
			text += fmt.Sprintf(" (%d)", v.hidden)
		}
	}
	return text
}

func (c *contest) memoryTable() table {
	t := table{caption: "Memory after it", columns: []string{"", "resident"}}
	for _, r := range c.relays {
		t.add(r.name, megabytes(r.memory))
	}
	return t
}

const relayIntro = `
Both bridges stand between the same Dendrite and the same Prosody, and the same two people talk through them: mia on Matrix
and xena on XMPP. matterbridge (its last release, with TLS to XMPP off) relays between a room of the homeserver and one of
Prosody's own; Mailroom hosts a session on a SQLite file, in which two more people have the page open. The scenarios are run
with one bridge after the other, and begin with the other one in the next round. The aim is 0, 0, 0 in all of them, at 90 %
or better of the rate that the homeserver gives one writer.
`
