package main

import (
	"fmt"
	"time"
)

func relaySection(plan relayPlan, relays []*relay, ceiling []float64) section {
	s := section{title: "(c) Beside matterbridge 1.26.0", intro: relayIntro}
	s.tables = append(s.tables, steadyTable(plan, relays), rateTable(plan, relays, ceiling), faultTable(plan, relays), memoryTable(relays))
	return s
}

// arrows name the directions.
var arrows = [2]string{toXMPP: "Matrix→XMPP", toMatrix: "XMPP→Matrix"}

func steadyTable(plan relayPlan, relays []*relay) table {
	t := table{
		caption: fmt.Sprintf("At %.0f messages per second each way", 1/plan.steadyEvery.Seconds()),
		columns: []string{"", "Matrix→XMPP p50", "p95", "XMPP→Matrix p50", "p95"},
	}
	for _, r := range relays {
		row := []string{r.name}
		for _, verdicts := range r.steady {
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

func rateTable(plan relayPlan, relays []*relay, ceiling []float64) table {
	t := table{
		caption: fmt.Sprintf("%d messages at once", plan.burst),
		columns: []string{"", "XMPP→Matrix alone, per second", "of one writer's rate", "both ways at once: Matrix→XMPP", "XMPP→Matrix", "together, of one writer's rate"},
		notes: []string{
			"*one writer*: one Matrix user in a room of two who sends the next message when the last one is answered: the rate that the homeserver gives one writer. Everything that goes to Matrix, and everything that mia says, goes through it.",
		},
	}
	limit := median(ceiling)
	t.add("one writer on the homeserver", perSecond(limit), "100 %", "", "", "")
	for _, r := range relays {
		alone, x, m := medianRate(r.alone), medianRate(r.bursts[toXMPP]), medianRate(r.bursts[toMatrix])
		t.add(r.name, perSecond(alone), percent(alone, limit), perSecond(x), perSecond(m), percent(x+m, limit))
	}
	return t
}

func faultTable(plan relayPlan, relays []*relay) table {
	t := table{
		caption: "Lost, doubled, out of order",
		columns: []string{"scenario", "way"},
		notes: []string{
			"Three numbers for each round: *lost* (accepted by a server, and never there), *doubled* (there more than once), *out of order* (behind one that was said later). Accepted means answered by the homeserver with 200, or reflected by the room to its sender. Both senders are patient clients: what is refused or not reflected within " + reflectTime.String() + " they say again with the same id, and the next thing only after it.",
			"What is there: in the Matrix room by its history and by what came to the client, on XMPP by what came to the client. Repeats with the same stanza-id (XEP-0359) are one message to a client; they are counted in brackets, if there are any.",
		},
	}
	for _, r := range relays {
		t.columns = append(t.columns, r.name)
	}
	for _, scenario := range []struct {
		name string
		of   func(*relay) [2][]verdict
	}{
		{fmt.Sprintf("%d each way at once", plan.burst), func(r *relay) [2][]verdict { return r.bursts }},
		{fmt.Sprintf("link to XMPP cut for %s, %d each way", plan.cut.lasts, plan.cut.messages), func(r *relay) [2][]verdict { return r.cut }},
		{fmt.Sprintf("kill -9, started again after %s, %d each way", plan.kill.lasts, plan.kill.messages), func(r *relay) [2][]verdict { return r.killed }},
	} {
		for direction, arrow := range arrows {
			row := []string{scenario.name, arrow}
			for _, r := range relays {
				row = append(row, faults(scenario.of(r)[direction]))
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

func memoryTable(relays []*relay) table {
	t := table{caption: "Memory after it", columns: []string{"", "resident"}}
	for _, r := range relays {
		t.add(r.name, megabytes(r.memory))
	}
	return t
}

const relayIntro = `
Both bridges stand between the same Dendrite and the same Prosody, and the same two people talk through them: mia on Matrix
and xena on XMPP. matterbridge (its last release, with TLS to XMPP off) relays between a room of the homeserver and one of
Prosody's own; Mailroom hosts a session, in which two more people have the page open. The scenarios are run with one bridge
after the other, and begin with the other one in the next round.
`
