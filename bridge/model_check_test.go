package bridge_test

import (
	"fmt"
	"slices"
	"strings"

	"mailroom/bridge"

	"github.com/google/uuid"
)

// After each step everything that anybody can see of the sessions that the step
// could have changed is compared with the model, for everybody by each of their
// ways in. Views are compared as text, in which nothing has an id: so a sequence
// that fails can be made shorter, and the text says what is wrong.

var allActs = []bridge.Act{
	bridge.ActRead, bridge.ActJoin, bridge.ActWrite, bridge.ActSignal, bridge.ActLeave, bridge.ActDecline, bridge.ActStop,
	bridge.ActReport, bridge.ActSubject, bridge.ActOptions, bridge.ActInvite, bridge.ActRevoke, bridge.ActRemove,
	bridge.ActClose, bridge.ActReopen, bridge.ActHold, bridge.ActErase,
}

// everybody is each person by each of their ways in, somebody unknown, nobody,
// and the operator.
func (w *world) everybody(s *modelSession) (all []actor) {
	for _, p := range w.cast {
		all = append(all, w.waysOf(p, s)...)
	}
	for _, a := range all {
		if a.by.Via == bridge.Web && a.by.Grant == uuid.Nil { // signed in
			a.admin, a.by.Admin, a.name = true, true, a.name+" as operator"
			all = append(all, a)
		}
	}
	return append(all,
		actor{name: "a stranger", by: w.stranger()},
		actor{name: "nobody"},
		actor{name: "an unknown grant", by: bridge.Identity{Via: bridge.Web, Grant: uuid.New(), Address: s.members[0].was.address()}},
		actor{name: "the operator", by: bridge.Identity{Admin: true}, admin: true},
	)
}

// checkSession asks the gate for everybody, and compares what each member sees
// once: by another of their ways in they are the same. In the end everybody
// looks by each of them.
func (w *world) checkSession(s *modelSession, everything bool) {
	room, err := w.service.Room(ctx, s.id)
	if err != nil {
		w.t.Fatalf("s%d: %s", s.index, plainError(err))
	}
	seen, asked := make(map[*modelMember]bool), make(map[standing]bool)
	for _, a := range w.everybody(s) {
		m := s.memberBy(a.by)
		acts := allActs[:1]
		if who := (standing{m, a.admin}); !asked[who] || everything {
			asked[who], acts = true, allActs
		}
		w.checkActs(s, room, a, m, acts)
		if seen[m] && !everything || m == nil && !everything {
			continue
		}
		w.checkSight(s, a, m, seen[m], everything)
		seen[m] = true
	}
}

// standing is what the gate knows of somebody.
type standing struct {
	m     *modelMember
	admin bool
}

// checkSight compares what somebody is shown of a session.
func (w *world) checkSight(s *modelSession, a actor, m *modelMember, again, everything bool) {
	name := fmt.Sprintf("s%d for %s: ", s.index, a.name)
	room, me, err := w.service.View(ctx, s.id, a.by)
	code := s.may(m, a.admin, bridge.ActRead, w.now)
	if code != bridge.CodeOf(err) || code == "" && err != nil {
		w.t.Fatalf("%sreading should be %q, is %q (%s)", name, code, bridge.CodeOf(err), plainError(err))
	}
	if code != "" {
		w.checkNothing(s, a, name)
		return
	}
	w.same(name+"the room", w.modelView(s, m), viewText(room, me))
	if again {
		return
	}
	w.checkTranscript(s, m, a, name, everything)
	if everything || w.anySign(s) {
		w.checkReachable(s, m, a, name)
	}
}

// anySign says if somebody in the session lets others see them.
func (w *world) anySign(s *modelSession) bool {
	return slices.ContainsFunc(s.members, func(m *modelMember) bool { return m.was.presence != bridge.SeenByNobody })
}

func (w *world) same(what, want, got string) {
	if got = w.plain(got); got != want {
		w.t.Fatalf("%s\nshould be:\n%s\nis:\n%s", what, want, got)
	}
}

// plain takes out what makes this sequence's addresses different from others'.
func (w *world) plain(text string) string { return strings.ReplaceAll(text, w.suffix, "") }

// plainError is an error without ids in its text.
func plainError(err error) string {
	if err == nil {
		return "done"
	}
	if bridge.CodeOf(err) == "" {
		return "an internal error"
	}
	return bridge.SentenceOf(err)
}

func (w *world) checkActs(s *modelSession, room *bridge.Room, a actor, m *modelMember, acts []bridge.Act) {
	for _, act := range acts {
		err := bridge.Asked(room, a.by, act, w.now)
		if want := s.may(m, a.admin, act, w.now); bridge.CodeOf(err) != want || want == "" && err != nil {
			w.t.Fatalf("s%d: may %s %s? should be %q, is %q", s.index, a.name, act, want, bridge.CodeOf(err))
		}
	}
}

// checkNothing: who may not read learns nothing, by whichever question.
func (w *world) checkNothing(s *modelSession, a actor, name string) {
	_, records := w.service.Records(ctx, s.id, a.by, 0, 1)
	_, before := w.service.RecordsBefore(ctx, s.id, a.by, 0, 1)
	_, marks := w.service.ReadMarks(ctx, s.id, a.by)
	_, signs := w.service.Signals(ctx, s.id, a.by)
	for _, err := range []error{records, before, marks, signs} {
		if bridge.CodeOf(err) != bridge.NotFound && !a.admin {
			w.t.Fatalf("%sa question was answered (%q)", name, bridge.CodeOf(err))
		}
	}
}

// ---- the room

func (w *world) modelView(s *modelSession, viewer *modelMember) string {
	var b strings.Builder
	fmt.Fprintf(&b, "%s %q %s hold=%v me=%d\n", s.state, s.subject, optionsText(s.options), s.onHold, viewer.number)
	for _, m := range s.members {
		if !s.shows(viewer, m) {
			continue
		}
		var addresses []string
		if s.showsAddress(viewer, m) {
			for _, a := range m.was.addresses {
				if m.has(a) {
					addresses = append(addresses, w.plain(a.String()))
				}
			}
		}
		slices.Sort(addresses)
		fmt.Fprintf(&b, "%d %s %v %s %v in=%s\n", m.number, m.display(), m.initiator, m.state, addresses, w.insideText(m))
	}
	return b.String()
}

func (w *world) insideText(m *modelMember) (in string) {
	for _, n := range []bridge.Network{bridge.Matrix, bridge.XMPP} {
		if m.inside[n] && slices.ContainsFunc(m.was.addresses, func(a bridge.Address) bool { return a.Network == n }) {
			in += " " + string(n)
		}
	}
	return in
}

func viewText(room *bridge.Room, me bridge.Member) string {
	var b strings.Builder
	s := room.Session
	fmt.Fprintf(&b, "%s %q %s hold=%v me=%d\n", s.State, s.Subject, optionsText(s.Options), s.OnHold, me.Number)
	for _, m := range room.Members {
		fmt.Fprintf(&b, "%s\n", memberText(m))
	}
	return b.String()
}

func memberText(m bridge.Member) string {
	var addresses []string
	in := ""
	for _, e := range m.Endpoints {
		if !e.Address.IsZero() {
			addresses = append(addresses, e.Address.String())
		}
		if e.State == bridge.EndpointJoined {
			in += " " + string(e.Address.Network)
		}
	}
	if !m.Address.IsZero() && !slices.Contains(addresses, m.Address.String()) {
		addresses = append(addresses, m.Address.String())
	}
	slices.Sort(addresses)
	return fmt.Sprintf("%d %s %v %s %v in=%s", m.Number, m.Display(), m.Role == bridge.Initiator, m.State, addresses, in)
}

func optionsText(o bridge.Options) string {
	return fmt.Sprintf("[%v %v %v %v %v %v %d]", o.OffRecord, o.MatrixKeeps, o.MembersInvite, o.HideAddresses, o.NewcomersFromNow, o.KeepFor, o.ExpiresAt.Unix())
}

// ---- the transcript

func (w *world) checkTranscript(s *modelSession, m *modelMember, a actor, name string, fromEnd bool) {
	want := w.modelTranscript(s, m)
	records, err := w.service.Records(ctx, s.id, a.by, 0, 100)
	if err != nil {
		w.t.Fatalf("%sreading the transcript: %s", name, plainError(err))
	}
	w.same(name+"the transcript", want, w.transcriptText(s, records))
	if !fromEnd {
		return
	}
	records, err = w.service.RecordsBefore(ctx, s.id, a.by, 0, 100)
	if err != nil {
		w.t.Fatalf("%sreading the transcript from its end: %s", name, plainError(err))
	}
	w.same(name+"the transcript from its end", want, w.transcriptText(s, records))
}

func (w *world) modelTranscript(s *modelSession, viewer *modelMember) string {
	var b strings.Builder
	for _, r := range s.log {
		switch {
		case r.seq <= viewer.from:
		case r.member != nil && !s.shows(viewer, r.member), r.target != nil && !s.shows(viewer, r.target):
			fmt.Fprintf(&b, "%d\n", r.seq)
		default:
			fmt.Fprintf(&b, "%d %s %s %s %q %q %d %v\n", r.seq, r.kind, numberOf(r.member), numberOf(r.target), r.text, r.subject, r.ref, r.erased)
		}
	}
	return b.String()
}

func numberOf(m *modelMember) string {
	if m == nil {
		return "-"
	}
	return fmt.Sprint(m.number)
}

func (w *world) transcriptText(s *modelSession, records []bridge.Record) string {
	number := func(id uuid.UUID) string {
		for _, m := range s.members {
			if m.id == id {
				return fmt.Sprint(m.number)
			}
		}
		return "-"
	}
	var b strings.Builder
	for _, r := range records {
		if r.Kind == "" && r.Member == uuid.Nil && r.Target == uuid.Nil && r.Body == (bridge.Body{}) && r.Subject == "" && r.Origin == (bridge.Origin{}) {
			fmt.Fprintf(&b, "%d\n", r.Seq)
			continue
		}
		fmt.Fprintf(&b, "%d %s %s %s %q %q %d %v\n", r.Seq, r.Kind, number(r.Member), number(r.Target), r.Body.Text, r.Subject, r.Ref, r.Erased)
	}
	return b.String()
}

// ---- presence

func (w *world) checkReachable(s *modelSession, viewer *modelMember, a actor, name string) {
	marks, err := w.service.ReadMarks(ctx, s.id, a.by)
	if err != nil {
		w.t.Fatalf("%sread marks: %s", name, plainError(err))
	}
	signs, err := w.service.Signals(ctx, s.id, a.by)
	if err != nil {
		w.t.Fatalf("%ssignals: %s", name, plainError(err))
	}
	var want, got strings.Builder
	for _, m := range s.members {
		if mark, ok := marks[m.id]; ok {
			fmt.Fprintf(&got, "%d has read %d\n", m.number, mark)
		}
		for _, sign := range signs {
			if sign.Member == m.id {
				fmt.Fprintf(&got, "%d typing=%v here=%v\n", m.number, sign.Typing, sign.Here)
			}
		}
		if !s.shows(viewer, m) || !w.sees(viewer, m) {
			continue
		}
		fmt.Fprintf(&want, "%d has read %d\n", m.number, m.read)
		typing, here := m.typing.After(w.now), m.here.After(w.now)
		if m != viewer && (typing || here) {
			fmt.Fprintf(&want, "%d typing=%v here=%v\n", m.number, typing, here)
		}
	}
	w.same(name+"who is reachable", want.String(), got.String())
}

// ---- what a person has

// modelPerson is what a person should be shown of themselves, and by which
// sessions they can be reached.
func (w *world) modelPerson(p *modelPerson) string {
	var b strings.Builder
	fmt.Fprintf(&b, "%s %s %s\n", p.presence, w.names(p.chosen), w.names(p.blocked))
	for _, s := range w.sessions {
		if m := s.of(p); m != nil && !m.revoked {
			fmt.Fprintf(&b, "s%d %q %d me=%d %v\n", s.index, s.subject, s.condition(w.now), m.number, w.others(s, m))
		}
	}
	return b.String()
}

// checkPerson compares it: if it has changed by one address, in the end by all
// that the person has.
func (w *world) checkPerson(p *modelPerson, everything bool) {
	want, ways := w.modelPerson(p), p.addresses[:1]
	if !everything && want == p.checked {
		return
	}
	if everything {
		ways = p.addresses
		w.checkSignIns(p)
	}
	for _, a := range ways {
		w.checkPage(p, bridge.Identity{Via: bridge.Web, Address: a}, want)
	}
	if everything {
		w.checkSessions(p, bridge.Identity{Via: bridge.Web, Address: ways[len(ways)-1]})
	}
	p.checked = want
}

func (w *world) checkPage(p *modelPerson, by bridge.Identity, want string) {
	name := p.name + " by " + string(by.Address.Network) + ": "
	setting, chosen, err := w.service.Presence(ctx, by)
	if err != nil {
		w.t.Fatalf("%sthe presence setting: %s", name, plainError(err))
	}
	blocks, err := w.service.Blocks(ctx, by)
	if err != nil {
		w.t.Fatalf("%sthe blocks: %s", name, plainError(err))
	}
	var whom []bridge.Address
	for _, b := range blocks {
		whom = append(whom, b.Address)
	}
	got := fmt.Sprintf("%s %s %s\n", setting, w.namesOf(chosen), w.namesOf(whom)) + w.reachesText(by, name)
	w.same(name+"their own page", want, got)
}

func (w *world) names(set map[*modelPerson]bool) (names []string) {
	for _, p := range w.cast {
		if set[p] {
			names = append(names, p.name)
		}
	}
	return names
}

func (w *world) namesOf(addresses []bridge.Address) []string {
	set := make(map[*modelPerson]bool)
	for _, a := range addresses {
		set[w.person(a)] = true
	}
	return w.names(set)
}

func (w *world) person(a bridge.Address) *modelPerson {
	for _, p := range w.cast {
		if slices.Contains(p.addresses, a) {
			return p
		}
	}
	return nil
}

// reachesText has the sessions in the order in which they were started.
func (w *world) reachesText(by bridge.Identity, name string) string {
	reaches, err := w.service.Reaches(ctx, by)
	if err != nil {
		w.t.Fatalf("%sthe ways to reach them: %s", name, plainError(err))
	}
	var b strings.Builder
	for _, s := range w.sessions {
		for _, r := range reaches {
			if r.Session.ID == s.id {
				fmt.Fprintf(&b, "s%d %q %d me=%d %v\n", s.index, r.Session.Subject, r.Condition, r.Me.Number, displays(r.People))
			}
		}
	}
	return b.String()
}

// checkSessions compares the list of one's sessions.
func (w *world) checkSessions(p *modelPerson, by bridge.Identity) {
	listed, err := w.service.Sessions(ctx, by, 10)
	if err != nil {
		w.t.Fatalf("the sessions of %s: %s", p.name, plainError(err))
	}
	var want, got []int
	for _, s := range w.sessions {
		if m := s.of(p); m != nil && !m.revoked {
			want = append(want, s.index)
		}
		if slices.ContainsFunc(listed, func(l bridge.Session) bool { return l.ID == s.id }) {
			got = append(got, s.index)
		}
	}
	if !slices.Equal(want, got) || len(listed) != len(got) {
		w.t.Fatalf("the sessions of %s by %s should be %v, are %v", p.name, by.Address.Network, want, got)
	}
}

func displays(members []bridge.Member) (names []string) {
	for _, m := range members {
		names = append(names, m.Display())
	}
	return names
}

// others are those who take part beside a member, as they are shown to them.
func (w *world) others(s *modelSession, me *modelMember) (names []string) {
	for _, m := range s.members {
		gone := m.state == bridge.Left || m.state == bridge.Revoked || m.state == bridge.Declined
		if m != me && !gone && s.shows(me, m) {
			names = append(names, m.display())
		}
	}
	return names
}

// ---- what opens a session

// checkKeys compares which tokens and browsers of a member count.
func (w *world) checkKeys(s *modelSession, m *modelMember) {
	for _, t := range m.tokens {
		h, err := w.service.Holder(ctx, t.right, t.text)
		live := err == nil && h.Session == s.id && h.Member == m.id && h.Grant == m.grant
		if live != t.live(m) || err != nil && bridge.CodeOf(err) != bridge.NotFound {
			w.t.Fatalf("s%d: is the %s token %d of %s good? should be %v, is %v", s.index, t.right, t.generation, m.was.name, t.live(m), live)
		}
	}
	for _, b := range m.browsers {
		who, err := w.service.Browser(ctx, b.cookie, s.id)
		live := err == nil && who.Grant == m.grant
		if live != b.live(m) || err != nil && bridge.CodeOf(err) != bridge.NotFound {
			w.t.Fatalf("s%d: does the browser of %s count? should be %v, is %v", s.index, m.was.name, b.live(m), live)
		}
		if _, err := w.service.Browser(ctx, b.cookie, uuid.New()); bridge.CodeOf(err) != bridge.NotFound {
			w.t.Fatalf("a browser's secret counts in another session")
		}
	}
}

func (w *world) checkSignIns(p *modelPerson) {
	for _, in := range p.signIns {
		who, err := w.service.SignedIn(ctx, in.cookie)
		if (err == nil) != in.live || err == nil && who.Address != p.address() {
			w.t.Fatalf("%s: is the sign-in good? should be %v, is %v", p.name, in.live, err == nil)
		}
	}
}
