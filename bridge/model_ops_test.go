package bridge_test

import (
	"fmt"
	"slices"
	"time"

	"mailroom/bridge"

	"github.com/google/uuid"
	"pgregory.net/rapid"
)

// move is one step of a sequence: what is asked of the service, the answer that
// the model gives to it, and what becomes of the model if it is yes.
type move struct {
	what string
	do   func() error
	want bridge.Code
	then func()
	// whole is a move of several steps, which is not torn.
	whole bool
}

// operations draw a move; nil if there is nothing to do it to.
var operations = map[string]func(w *world) *move{
	"start": (*world).opStart, "start again": (*world).opStart, "invite": (*world).opInvite,
	"browser": (*world).opBrowser, "reply": (*world).opReply, "held": (*world).opHeld, "enter": (*world).opEnter,
	"post": (*world).opPost, "speak": (*world).opPost, "repeat": (*world).opRepeat, "subject": (*world).opSubject,
	"revoke": (*world).opRevoke, "remove": (*world).opRemove, "leave": (*world).opLeave, "go out": (*world).opEndpointLeft,
	"decline": (*world).opDecline, "close": (*world).opClose, "reopen": (*world).opReopen, "options": (*world).opOptions,
	"hold": (*world).opHold, "unsubscribe": (*world).opUnsubscribe, "signal": (*world).opSignal, "read": (*world).opRead,
	"presence": (*world).opPresence, "block": (*world).opBlock, "unblock": (*world).opUnblock, "erase": (*world).opErase,
	"sign in": (*world).opSignIn, "sign out": (*world).opSignOut, "forget browser": (*world).opForget, "end browsers": (*world).opEndBrowsers,
	"wait": (*world).opWait, "restart": (*world).opRestart, "keep": (*world).opRetain,
}

// pick draws one of several by its place, which rapid can print.
func pick[T any](w *world, label string, from []T) T {
	return from[rapid.IntRange(0, len(from)-1).Draw(w.t, label)]
}

func (w *world) flip(label string) bool { return rapid.IntRange(0, 3).Draw(w.t, label) == 3 }

// ---- who acts

// actor is somebody at one of the ways in.
type actor struct {
	name  string
	by    bridge.Identity
	who   *modelPerson
	admin bool
}

func (w *world) actor(s *modelSession) actor {
	who := rapid.IntRange(0, len(w.cast)+1).Draw(w.t, "who")
	switch {
	case who == len(w.cast):
		return actor{name: "the operator", by: bridge.Identity{Admin: true}, admin: true}
	case who == len(w.cast)+1:
		return actor{name: "a stranger", by: w.stranger()}
	}
	p := w.cast[who]
	ways := w.waysOf(p, s)
	a := pick(w, "way", ways)
	if w.flip("as operator") && w.flip("really") {
		a.by.Admin, a.admin, a.name = true, true, a.name+" as operator"
	}
	return a
}

func (w *world) stranger() bridge.Identity {
	return bridge.Identity{Via: bridge.Web, Address: bridge.EmailAddress("mallory" + w.suffix + "@client.test")}
}

// waysOf are a person's addresses, proved, and the grant that a browser of
// theirs has, if any.
func (w *world) waysOf(p *modelPerson, s *modelSession) (ways []actor) {
	for _, a := range p.addresses {
		ways = append(ways, actor{name: p.name + " by " + string(a.Network), by: bridge.Identity{Via: a.Network, Address: a}, who: p})
		if a.Network == bridge.Mail {
			ways = append(ways, actor{name: p.name + " signed in", by: bridge.Identity{Via: bridge.Web, Address: a}, who: p})
		}
	}
	if s == nil {
		return ways
	}
	for _, m := range s.members {
		if m.was == p {
			ways = append(ways, actor{name: p.name + " by a grant", by: bridge.Identity{Via: bridge.Web, Grant: m.grant}, who: p})
		}
	}
	return ways
}

// memberBy is who the actor is in a session.
func (s *modelSession) memberBy(by bridge.Identity) *modelMember {
	if by.Grant == uuid.Nil {
		return s.byAddress(by.Address)
	}
	for _, m := range s.members {
		if m.grant == by.Grant {
			return m
		}
	}
	return nil
}

func (w *world) session() *modelSession {
	if len(w.sessions) == 0 {
		return nil
	}
	s := pick(w, "session", w.sessions)
	w.touched[s] = true
	return s
}

// act draws a session and somebody who acts in it.
func (w *world) act(act bridge.Act, what string) (*modelSession, actor, *modelMember, *move) {
	s := w.session()
	if s == nil {
		return nil, actor{}, nil, nil
	}
	a := w.actor(s)
	m := s.memberBy(a.by)
	if s.may(m, a.admin, act, w.now) != "" && !w.flip("refused") { // most refusals are alike: rather do something
		a = w.waysOf(s.initiator().was, s)[0]
		m = s.memberBy(a.by)
	}
	return s, a, m, &move{what: fmt.Sprintf("%s: %s in s%d", a.name, what, s.index), want: s.may(m, a.admin, act, w.now)}
}

func (w *world) text() string {
	w.said++
	return fmt.Sprintf("word %d", w.said)
}

// ---- sessions

func (w *world) opStart() *move {
	if len(w.sessions) == 3 {
		return nil
	}
	by := pick(w, "starter", w.waysOf(pick(w, "person", w.cast), nil))
	s := &modelSession{index: len(w.sessions), state: bridge.Open, subject: w.text()}
	s.options = w.options(true)
	r := bridge.StartRequest{By: by.by, Subject: s.subject, Body: bridge.Body{Text: w.text()}, Options: s.options}
	r.Origin = bridge.Origin{Network: by.by.Via, ID: r.Body.Text + w.suffix}
	m := &move{what: fmt.Sprintf("%s: start s%d %s", by.name, s.index, optionsText(s.options))}
	var open, copies []*modelPerson
	expires := make(map[*modelPerson]time.Time)
	for _, p := range w.cast {
		if p == by.who {
			continue
		}
		how := rapid.IntRange(0, 5).Draw(w.t, p.name)
		i := bridge.Invitee{Address: pick(w, "by", p.addresses), Blind: how == 4}
		switch how {
		case 0, 1:
			continue
		case 4:
			copies = append(copies, p)
		case 5:
			i.ExpiresAt = w.now.Add(40 * time.Minute)
			fallthrough
		default:
			open = append(open, p)
		}
		expires[p] = i.ExpiresAt
		r.Invitees = append(r.Invitees, i)
		m.what += fmt.Sprintf(" %s(%d)", p.name, how)
	}
	alone := func(p *modelPerson) bool { return !p.email() }
	switch {
	case !by.who.starts:
		m.want = bridge.Forbidden
	case len(r.Invitees) == 0, slices.ContainsFunc(copies, alone):
		m.want = bridge.Invalid
	case s.options.OffRecord && !s.options.MatrixKeeps && slices.ContainsFunc(open, alone):
		m.want = bridge.Invalid
	}
	var room *bridge.Room
	m.do = func() (err error) { room, err = w.service.Start(ctx, r); return err }
	m.then = func() {
		s.id = room.Session.ID
		s.add(by.who, nil, 0, false, time.Time{})
		s.initiator().initiator, s.initiator().state = true, bridge.Joined
		for _, p := range open {
			s.add(p, s.initiator(), 0, false, expires[p])
		}
		for _, p := range copies {
			s.add(p, s.initiator(), 0, true, expires[p])
		}
		s.append(w.now, modelRecord{kind: bridge.KindStarted, member: s.initiator(), subject: s.subject})
		for _, i := range s.members[1 : 1+len(open)] {
			s.append(w.now, modelRecord{kind: bridge.KindInvited, member: s.initiator(), target: i})
		}
		s.append(w.now, modelRecord{kind: bridge.KindMessage, member: s.initiator(), text: r.Body.Text, origin: r.Origin})
		w.sessions = append(w.sessions, s)
		w.touched[s] = true
		w.island.own(s.id)
		w.meet(s, room)
	}
	return m
}

// options draws what a session allows; at its start also what cannot be
// changed later.
func (w *world) options(start bool) (o bridge.Options) {
	o.MembersInvite, o.HideAddresses, o.NewcomersFromNow = rapid.Bool().Draw(w.t, "members invite"), w.flip("hide"), w.flip("from now")
	if w.flip("keep") {
		o.KeepFor = bridge.MinKeepFor
	}
	if w.flip("expires") {
		o.ExpiresAt = w.now.Add(time.Hour)
	}
	if start && w.flip("off the record") {
		o.OffRecord, o.MatrixKeeps = true, w.flip("matrix keeps")
	}
	return o
}

func (w *world) opInvite() *move {
	s, a, inviter, m := w.act(bridge.ActInvite, "invite")
	if s == nil {
		return nil
	}
	var invitees []bridge.Invitee
	var people []*modelPerson
	for range rapid.IntRange(1, 2).Draw(w.t, "how many") {
		p := pick(w, "whom", w.cast)
		i := bridge.Invitee{Address: pick(w, "by", p.addresses)}
		if w.flip("for a time") {
			i.ExpiresAt = w.now.Add(40 * time.Minute)
		}
		invitees, people = append(invitees, i), append(people, p)
		m.what += " " + p.name
	}
	fresh := func(p *modelPerson) bool { return !p.email() && s.byAddress(p.address()) == nil }
	if m.want == "" && s.options.OffRecord && !s.options.MatrixKeeps && slices.ContainsFunc(people, fresh) {
		m.want = bridge.Invalid
	}
	var room *bridge.Room
	m.do = func() (err error) { room, err = w.service.Invite(ctx, s.id, a.by, invitees); return err }
	m.then = func() {
		var invited []*modelMember
		for i, p := range people {
			if old := s.byAddress(invitees[i].Address); old != nil && old.who == p && !slices.Contains(invited, old) && s.renew(old, inviter, invitees[i].ExpiresAt, w.now) {
				invited = append(invited, old)
			}
		}
		round := s.rounds() + 1
		for i, p := range people {
			if !slices.ContainsFunc(p.addresses, func(a bridge.Address) bool { return s.byAddress(a) != nil }) {
				invited = append(invited, s.add(p, inviter, round, false, invitees[i].ExpiresAt))
			}
		}
		for _, i := range invited {
			if !i.blind {
				s.append(w.now, modelRecord{kind: bridge.KindInvited, member: inviter, target: i})
			}
		}
		w.meet(s, room)
	}
	return m
}

func (w *world) opRevoke() *move {
	s, a, by, m := w.act(bridge.ActRevoke, "revoke")
	if s == nil {
		return nil
	}
	target, remove := pick(w, "target", s.members), w.flip("remove")
	m.what += fmt.Sprintf(" %s %v", target.was.name, remove)
	switch {
	case m.want != "":
	case remove && s.onHold:
		m.want = bridge.Forbidden
	case target.initiator:
		m.want = bridge.Invalid
	}
	m.do = func() error { return w.service.Revoke(ctx, s.id, a.by, target.id, remove) }
	m.then = func() {
		s.revoke(w.now, by, target)
		if remove {
			target.held = nil
			s.remove(w.now, by, target, s.head, false)
		}
		s.endIfEmpty(w.now)
	}
	return m
}

func (w *world) opRemove() *move {
	s, a, by, m := w.act(bridge.ActRemove, "remove what was said by")
	if s == nil {
		return nil
	}
	target := pick(w, "target", s.members)
	m.what += " " + target.was.name
	if m.want == "" && s.onHold {
		m.want = bridge.Forbidden
	}
	m.do = func() error { return w.service.RemoveSaid(ctx, s.id, a.by, target.id) }
	m.then = func() {
		if !s.options.OffRecord {
			target.held = nil
		}
		s.remove(w.now, by, target, s.head, false)
	}
	return m
}

func (w *world) opLeave() *move {
	s, a, who, m := w.act(bridge.ActLeave, "leave")
	if s == nil {
		return nil
	}
	m.do = func() error { return w.service.Leave(ctx, s.id, a.by) }
	m.then = func() {
		if who.state != bridge.Left {
			s.leave(w.now, who)
		}
	}
	return m
}

func (w *world) opEndpointLeft() *move {
	s, a, who, m := w.act(bridge.ActLeave, "go out of the room")
	if s == nil {
		return nil
	}
	m.do = func() error { return w.service.EndpointLeft(ctx, s.id, a.by) }
	m.then = func() {
		n := a.by.Via
		if n != bridge.Matrix && n != bridge.XMPP || who.out[n] {
			return
		}
		before := who.native()
		who.inside[n], who.out[n] = false, true
		reachable := who.native() || who.who.email() && !who.noMail
		if who.state == bridge.Joined && !reachable {
			who.state = bridge.Left
			s.tell(w.now, who, bridge.KindLeft, before)
			s.endIfEmpty(w.now)
		}
	}
	return m
}

func (w *world) opDecline() *move {
	s, a, who, m := w.act(bridge.ActDecline, "decline")
	if s == nil {
		return nil
	}
	m.do = func() error { return w.service.Decline(ctx, s.id, a.by) }
	if a.by.Grant == uuid.Nil && a.who != nil && w.flip("on their own page") {
		m.what += " on their own page"
		m.do = func() error { return w.service.End(ctx, s.id, a.by) }
	}
	m.then = func() { s.giveBack(w.now, who) }
	return m
}

func (w *world) opClose() *move {
	s, a, by, m := w.act(bridge.ActClose, "close")
	if s == nil {
		return nil
	}
	m.do = func() error { return w.service.Close(ctx, s.id, a.by) }
	m.then = func() {
		if s.state == bridge.Open {
			s.end(w.now, by)
		}
	}
	return m
}

func (w *world) opReopen() *move {
	s, a, by, m := w.act(bridge.ActReopen, "reopen")
	if s == nil {
		return nil
	}
	m.do = func() error { return w.service.Reopen(ctx, s.id, a.by) }
	m.then = func() {
		if s.condition(w.now) == bridge.IsOpen {
			return
		}
		if !s.options.ExpiresAt.After(w.now) {
			s.options.ExpiresAt = time.Time{}
		}
		s.state = bridge.Open
		s.append(w.now, modelRecord{kind: bridge.KindReopened, member: by})
	}
	return m
}

func (w *world) opOptions() *move {
	s, a, by, m := w.act(bridge.ActOptions, "options")
	if s == nil {
		return nil
	}
	o := w.options(false)
	o.OffRecord, o.MatrixKeeps = s.options.OffRecord, s.options.MatrixKeeps
	switch rapid.IntRange(0, 7).Draw(w.t, "wrong") {
	case 0:
		o.OffRecord = !o.OffRecord
	case 1:
		o.KeepFor, o.ExpiresAt = time.Second, s.options.ExpiresAt
	case 2:
		o.ExpiresAt = w.now
	case 3:
		o.ExpiresAt = s.options.ExpiresAt
	}
	m.what += " " + optionsText(o)
	switch {
	case m.want != "" || o == s.options:
	case o.OffRecord != s.options.OffRecord, s.options.HideAddresses && !o.HideAddresses,
		o.KeepFor == time.Second, o.ExpiresAt != s.options.ExpiresAt && o.ExpiresAt == w.now:
		m.want = bridge.Invalid
	}
	m.do = func() error { _, err := w.service.SetOptions(ctx, s.id, a.by, o); return err }
	m.then = func() {
		if o == s.options {
			return
		}
		for _, each := range s.members[1:] {
			each.guest = each.guest || o.HideAddresses && !s.options.HideAddresses
		}
		s.options = o
		s.append(w.now, modelRecord{kind: bridge.KindOptions, member: by})
	}
	return m
}

func (w *world) opHold() *move {
	s, a, _, m := w.act(bridge.ActHold, "hold")
	if s == nil {
		return nil
	}
	on := rapid.Bool().Draw(w.t, "on")
	if m.want == "" && s.options.OffRecord {
		m.want = bridge.Invalid
	}
	m.do = func() error { return w.service.Hold(ctx, s.id, a.by, on) }
	m.then = func() { s.onHold = on }
	return m
}

// ---- what is said

func (w *world) opPost() *move {
	s, a, who, m := w.act(bridge.ActWrite, "post")
	if s == nil {
		return nil
	}
	text := w.text()
	o := bridge.Origin{Network: a.by.Via, ID: text}
	if a.by.Via == "" {
		o.Network = bridge.Web
	}
	m.what += " " + text
	if m.want == "" && s.options.OffRecord && a.by.Via == bridge.Mail {
		m.want = bridge.Forbidden
	}
	m.do = func() error {
		_, err := w.service.Post(ctx, bridge.PostRequest{Session: s.id, By: a.by, Body: bridge.Body{Text: text}, Origin: o})
		return err
	}
	m.then = func() { s.say(w.now, who, a.by, text, o) }
	return m
}

// opRepeat: a client says its last words again, since it got no answer. They
// are acknowledged once more to who said them, whatever has happened since.
func (w *world) opRepeat() *move {
	s := w.session()
	if s == nil {
		return nil
	}
	var said []*modelRecord
	for _, r := range s.log {
		if r.kind == bridge.KindMessage && !r.erased && r.member.who != nil && r.origin.Network != "" {
			said = append(said, r)
		}
	}
	if len(said) == 0 {
		return nil
	}
	r := pick(w, "record", said)
	by := bridge.Identity{Via: r.origin.Network, Grant: r.member.grant}
	m := &move{what: fmt.Sprintf("%s: repeat in s%d %s", r.member.who.name, s.index, r.text)}
	before := s.may(r.member, false, bridge.ActWrite, w.now)
	if before == "" && r.member.state == bridge.Joined && s.options.OffRecord && by.Via == bridge.Mail {
		m.want = bridge.Forbidden
	}
	m.do = func() error {
		again, err := w.service.Post(ctx, bridge.PostRequest{Session: s.id, By: by, Body: bridge.Body{Text: "other words"}, Origin: r.origin})
		if err == nil && again.Seq != r.seq {
			return fmt.Errorf("a repeat of record %d became %d", r.seq, again.Seq)
		}
		return err
	}
	return m
}

func (w *world) opSubject() *move {
	s, a, by, m := w.act(bridge.ActSubject, "subject")
	if s == nil {
		return nil
	}
	subject := w.text()
	m.do = func() error {
		_, err := w.service.SetSubject(ctx, s.id, a.by, subject, bridge.Origin{Network: bridge.Web, ID: subject})
		return err
	}
	m.then = func() {
		s.subject = subject
		s.append(w.now, modelRecord{kind: bridge.KindSubject, member: by, subject: subject})
	}
	return m
}

// opEnter comes in from a room network: into the Matrix room, or a MUC.
func (w *world) opEnter() *move {
	s, a, who, m := w.act(bridge.ActJoin, "enter")
	if s == nil {
		return nil
	}
	m.do = func() error { _, _, err := w.service.Join(ctx, s.id, a.by); return err }
	if a.by.Via == bridge.XMPP {
		m.do = func() error {
			_, _, _, err := w.service.Enter(ctx, s.id, a.by, a.by.Address.ID+"/phone", "nick")
			return err
		}
	}
	m.then = func() { s.respond(w.now, who, a.by) }
	return m
}

// opReply answers a mail: as who was invited, as somebody else to whom it was
// forwarded, or as somebody who only says that they are the invited one.
func (w *world) opReply() *move {
	s := w.session()
	if s == nil {
		return nil
	}
	who := pick(w, "member", s.members)
	if !who.was.email() {
		return nil
	}
	sender, proved := who.was.address(), rapid.Bool().Draw(w.t, "proved")
	if w.flip("forwarded") {
		sender = bridge.EmailAddress("friend" + w.suffix + "@client.test")
	}
	token := who.newest(bridge.RightReply)
	text := w.text()
	m := &move{what: fmt.Sprintf("%s (proved %v): reply to the address of %s in s%d: %s", w.plain(sender.ID), proved, who.was.name, s.index, text)}
	known := who.who != nil && proved && sender == who.was.address() || who.confirmed[sender]
	if !token.live(who) {
		m.want = bridge.NotFound
	} else if m.want = s.may(who, false, bridge.ActWrite, w.now); m.want == "" && s.options.OffRecord {
		m.want = bridge.Forbidden
	}
	m.do = func() error {
		posted, err := w.service.ReplyByMail(ctx, bridge.MailReply{Token: token.text, Sender: sender, Authenticated: proved,
			Post: bridge.PostRequest{Body: bridge.Body{Text: text}, Origin: bridge.Origin{Network: bridge.Mail, ID: text}}})
		if err == nil && posted != known {
			return fmt.Errorf("a reply that should be posted: %v, was: %v", known, posted)
		}
		return err
	}
	m.then = func() {
		if known {
			s.say(w.now, who, bridge.Identity{Via: bridge.Mail}, text, bridge.Origin{Network: bridge.Mail, ID: text})
		} else {
			who.held = append(who.held, &modelHeld{sender, text})
		}
	}
	return m
}

// opHeld is the owner's word about a reply that waits.
func (w *world) opHeld() *move {
	s := w.session()
	if s == nil {
		return nil
	}
	var waiting []*modelMember
	for _, m := range s.members {
		if len(m.held) > 0 {
			waiting = append(waiting, m)
		}
	}
	if len(waiting) == 0 {
		return nil
	}
	who := pick(w, "member", waiting)
	sender, confirm := pick(w, "held", who.held).sender, rapid.Bool().Draw(w.t, "confirm")
	m := &move{what: fmt.Sprintf("%s: confirm %v in s%d what came from %s", who.was.name, confirm, s.index, w.plain(sender.ID)), whole: true}
	if confirm {
		m.want = s.may(who, false, bridge.ActWrite, w.now)
	}
	m.do = func() error {
		token, err := w.confirmToken(s, who, sender)
		if err != nil || !confirm {
			return firstError(err, func() error { return w.service.RefuseHeld(ctx, token) })
		}
		_, err = w.service.ConfirmHeld(ctx, token)
		return err
	}
	m.then = func() {
		var rest []*modelHeld
		by := bridge.Identity{Via: bridge.Mail}
		for _, h := range who.held {
			switch {
			case h.sender != sender:
				rest = append(rest, h)
			case confirm:
				s.say(w.now, who, by, h.text, bridge.Origin{Network: bridge.Mail, ID: h.text})
			}
		}
		who.held = rest
		who.confirmed[sender] = who.confirmed[sender] || confirm
	}
	return m
}

// confirmToken is the one in the mail that asked about a sender.
func (w *world) confirmToken(s *modelSession, who *modelMember, sender bridge.Address) (string, error) {
	letters, err := w.letters(s, who, bridge.LetterConfirm)
	for _, l := range letters {
		if l.Held.Sender == sender {
			return l.Tokens.Confirm, nil
		}
	}
	return "", firstError(err, func() error { return fmt.Errorf("nobody was asked") })
}

func firstError(err error, next func() error) error {
	if err != nil {
		return err
	}
	return next()
}

// ---- signals

func (w *world) opSignal() *move {
	s, a, who, m := w.act(bridge.ActSignal, "signal")
	if s == nil {
		return nil
	}
	kind, on := pick(w, "kind", []bridge.SignalKind{bridge.Typing, bridge.Here}), !w.flip("off")
	m.do = func() error { return w.service.Signal(ctx, s.id, a.by, kind, on) }
	m.then = func() {
		until := map[bridge.SignalKind]*time.Time{bridge.Typing: &who.typing, bridge.Here: &who.here}[kind]
		*until = time.Time{}
		if on {
			*until = w.now.Add(map[bridge.SignalKind]time.Duration{bridge.Typing: 10 * time.Second, bridge.Here: 75 * time.Second}[kind])
		}
	}
	return m
}

func (w *world) opRead() *move {
	s, a, who, m := w.act(bridge.ActSignal, "read")
	if s == nil {
		return nil
	}
	seq := rapid.Int64Range(0, 12).Draw(w.t, "seq")
	m.do = func() error { return w.service.MarkRead(ctx, s.id, a.by, seq) }
	m.then = func() { who.read = max(who.read, min(seq, s.head)) }
	return m
}

// ---- time and machines

func (w *world) opWait() *move {
	d := pick(w, "how long", []time.Duration{5 * time.Second, time.Minute, 30 * time.Minute, 2 * time.Hour})
	return &move{what: "wait " + d.String(), whole: true, do: func() error {
		w.now = w.now.Add(d)
		return w.service.EndOver(ctx)
	}, then: func() {
		for _, s := range w.sessions {
			if w.touched[s] = true; s.options.OffRecord && s.condition(w.now) == bridge.IsExpired {
				s.over(w.now, nil)
			}
		}
	}}
}

// opRestart: the node dies with what it had in memory, and another one looks
// after what it left.
func (w *world) opRestart() *move {
	return &move{what: "restart", whole: true, do: func() error {
		w.restart()
		return w.service.EndOver(ctx)
	}, then: func() {
		for _, s := range w.sessions {
			if w.touched[s] = true; s.options.OffRecord && s.state != bridge.Over {
				s.over(w.now, nil)
			}
			for _, m := range s.members {
				m.typing, m.here = time.Time{}, time.Time{}
			}
		}
	}}
}

func (w *world) opRetain() *move {
	if !w.flip("retain") || !w.flip("now") {
		return nil
	}
	return &move{what: "drop what is too old", whole: true, do: func() error { _, err := w.service.Retain(ctx); return err }, then: func() {
		for _, s := range w.sessions {
			w.touched[s] = true
			if s.options.KeepFor == 0 || s.onHold || s.options.OffRecord {
				continue
			}
			last := int64(0)
			for _, r := range s.log {
				if r.kind == bridge.KindMessage && !r.erased && r.at.Before(w.now.Add(-s.options.KeepFor)) {
					last = r.seq
				}
			}
			s.remove(w.now, nil, nil, last, false)
		}
	}}
}
