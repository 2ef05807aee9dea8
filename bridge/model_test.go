package bridge_test

import (
	"fmt"
	"slices"
	"strconv"
	"time"

	"mailroom/bridge"

	"github.com/google/uuid"
)

// The reference model: what SPEC A3-A5, F1-F5 and G1-G3 say about people,
// sessions and grants, as plain values in memory. It uses bridge's names, and
// none of its rules.

type modelPerson struct {
	name      string
	addresses []bridge.Address // the first is the one that others write to
	starts    bool             // may start sessions
	known     bool             // somebody wrote to them, or they chose something
	presence  bridge.PresenceSetting
	chosen    map[*modelPerson]bool
	blocked   map[*modelPerson]bool
	signIns   []*modelSignIn
	checked   string // their own page, when it was compared last
}

type modelSignIn struct {
	cookie string
	live   bool
}

func (p *modelPerson) address() bridge.Address { return p.addresses[0] }

func (p *modelPerson) email() bool { return p.address().Network == bridge.Mail }

// forget is what is left of a person who was erased: an address.
func (p *modelPerson) forget(everybody []*modelPerson) {
	p.known, p.presence, p.chosen, p.blocked = false, bridge.SeenByNobody, map[*modelPerson]bool{}, map[*modelPerson]bool{}
	for _, in := range p.signIns {
		in.live = false
	}
	for _, other := range everybody {
		delete(other.chosen, p)
	}
}

type modelSession struct {
	index   int
	id      uuid.UUID
	options bridge.Options
	state   bridge.SessionState
	onHold  bool
	subject string
	members []*modelMember
	log     []*modelRecord
	head    int64
}

type modelMember struct {
	id, grant  uuid.UUID
	who        *modelPerson // nil: erased
	was        *modelPerson
	number     int
	guest      bool // no name, and the address may not stand for one
	initiator  bool
	state      bridge.MemberState
	revoked    bool
	withheld   bool
	expires    time.Time
	generation int
	inviter    *modelMember
	round      int
	copied     bool // was a blind copy at the start
	blind      bool // and has not spoken
	from       int64
	read       int64
	noMail     bool
	inside     map[bridge.Network]bool
	out        map[bridge.Network]bool // went out of the network's room
	typing     time.Time               // until when
	here       time.Time
	browsers   []*modelBrowser
	tokens     []*modelToken
	held       []*modelHeld
	confirmed  map[bridge.Address]bool
	checked    string // what opens the session to them, when it was compared last
}

type modelBrowser struct {
	cookie     string
	generation int
	forgotten  bool
}

type modelToken struct {
	right      bridge.Right
	text       string
	generation int
	dead       bool // for good: its member was erased
}

// modelHeld is a reply that waits for its owner's word.
type modelHeld struct {
	sender bridge.Address
	text   string
}

type modelRecord struct {
	seq            int64
	kind           bridge.Kind
	member, target *modelMember
	text, subject  string
	ref            int64
	erased         bool
	at             time.Time
	origin         bridge.Origin
}

// ---- who somebody is, and what that lets them do

func (m *modelMember) has(a bridge.Address) bool {
	if m.who == nil { // only what a room network has still to be told
		return a.Network != bridge.Mail && slices.Contains(m.was.addresses, a)
	}
	return slices.Contains(m.who.addresses, a)
}

func (s *modelSession) byAddress(a bridge.Address) *modelMember {
	for _, m := range s.members {
		if m.has(a) {
			return m
		}
	}
	return nil
}

// of is the membership of a person.
func (s *modelSession) of(p *modelPerson) *modelMember {
	for _, m := range s.members {
		if m.who == p {
			return m
		}
	}
	return nil
}

func (s *modelSession) initiator() *modelMember { return s.members[0] }

func (s *modelSession) condition(now time.Time) bridge.Condition {
	switch {
	case s.state == bridge.Over:
		return bridge.IsOver
	case s.state == bridge.Ended:
		return bridge.IsClosed
	case !s.options.ExpiresAt.IsZero() && !s.options.ExpiresAt.After(now):
		return bridge.IsExpired
	}
	return bridge.IsOpen
}

func (m *modelMember) lapsed(now time.Time) bool {
	return !m.initiator && !m.expires.IsZero() && !m.expires.After(now)
}

// may is the answer to somebody who wants to do something: "" for yes. m is nil
// for who never was invited.
func (s *modelSession) may(m *modelMember, admin bool, act bridge.Act, now time.Time) bridge.Code {
	power := admin && slices.Contains([]bridge.Act{
		bridge.ActRevoke, bridge.ActRemove, bridge.ActClose, bridge.ActReopen, bridge.ActHold, bridge.ActErase}, act)
	granted := m != nil && !m.revoked
	switch {
	case !granted && !power:
		return bridge.NotFound
	case power || s.lets(m, act, now):
		return s.inTime(act, now)
	case m.lapsed(now):
		return bridge.Closed
	}
	return bridge.Forbidden
}

// lets says if a grant is enough for an act.
func (s *modelSession) lets(m *modelMember, act bridge.Act, now time.Time) bool {
	switch act {
	case bridge.ActRead, bridge.ActSignal, bridge.ActLeave, bridge.ActStop, bridge.ActReport:
		return true
	case bridge.ActJoin, bridge.ActWrite:
		return !m.lapsed(now)
	case bridge.ActDecline:
		return !m.initiator
	case bridge.ActInvite:
		return m.initiator || s.options.MembersInvite && m.state != bridge.Invited && !m.lapsed(now)
	case bridge.ActHold, bridge.ActErase:
		return false
	}
	return m.initiator
}

// inTime says if the session is in a condition for an act: after its end
// nothing new is said, and a memory that is gone lets nobody come back.
func (s *modelSession) inTime(act bridge.Act, now time.Time) bridge.Code {
	condition := s.condition(now)
	switch act {
	case bridge.ActWrite, bridge.ActSubject, bridge.ActInvite:
		if condition != bridge.IsOpen {
			return bridge.Closed
		}
	case bridge.ActJoin, bridge.ActSignal, bridge.ActOptions, bridge.ActReopen, bridge.ActHold:
		if condition == bridge.IsOver {
			return bridge.Closed
		}
	}
	return ""
}

// ---- who sees what

func (s *modelSession) shows(viewer, m *modelMember) bool {
	return !m.blind || viewer == m || viewer.initiator
}

// showsAddress: one's own, the initiator everybody's, both ways between inviter
// and invited, and between those whom one mail named openly.
func (s *modelSession) showsAddress(viewer, m *modelMember) bool {
	if viewer == m || viewer.initiator || viewer.inviter == m || m.inviter == viewer {
		return true
	}
	return !s.options.HideAddresses && s.shows(viewer, m) && !m.copied && viewer.round == m.round
}

// sees says if the viewer may see that a member types, is here, or has read.
func (w *world) sees(viewer, target *modelMember) bool {
	if viewer == target {
		return true
	}
	gone := target.state == bridge.Left || target.state == bridge.Revoked || target.state == bridge.Declined
	if gone || target.who == nil || viewer.revoked {
		return false
	}
	switch target.who.presence {
	case bridge.SeenByShared, bridge.SeenByEveryone:
		return true
	case bridge.SeenByChosen:
		return viewer.who != nil && target.who.chosen[viewer.who]
	case bridge.SeenByMailed:
		return viewer.who != nil && w.mailed(target.who, viewer.who)
	}
	return false
}

// mailed says if a person invited another, anywhere.
func (w *world) mailed(by, whom *modelPerson) bool {
	for _, s := range w.sessions {
		for _, m := range s.members {
			if m.who == whom && m.inviter != nil && m.inviter.who == by {
				return true
			}
		}
	}
	return false
}

func (m *modelMember) display() string {
	if m.who == nil || m.guest {
		return "Guest " + strconv.Itoa(m.number)
	}
	return m.who.name
}

// ---- what happens in a session

func (s *modelSession) append(now time.Time, r modelRecord) {
	s.head++
	r.seq, r.at = s.head, now
	s.log = append(s.log, &r)
}

func (m *modelMember) native() bool { return m.inside[bridge.Matrix] || m.inside[bridge.XMPP] }

// tell notes what a member did; of a blind copy only a network that has them
// inside is told.
func (s *modelSession) tell(now time.Time, m *modelMember, kind bridge.Kind, inside bool) {
	if !m.blind || inside {
		s.append(now, modelRecord{kind: kind, member: m})
	}
}

func (s *modelSession) respond(now time.Time, m *modelMember, by bridge.Identity) {
	inside := m.native()
	if (by.Via == bridge.Matrix || by.Via == bridge.XMPP) && m.has(by.Address) {
		m.inside[by.Via], m.out[by.Via] = true, false
	}
	if m.state != bridge.Joined {
		m.state, m.withheld = bridge.Joined, false
		s.tell(now, m, bridge.KindJoined, inside)
	}
}

func (s *modelSession) say(now time.Time, m *modelMember, by bridge.Identity, text string, o bridge.Origin) {
	s.respond(now, m, by)
	if m.blind {
		m.blind = false
		s.tell(now, m, bridge.KindJoined, true)
	}
	s.append(now, modelRecord{kind: bridge.KindMessage, member: m, text: text, origin: o})
}

func (s *modelSession) leave(now time.Time, m *modelMember) {
	inside := m.native()
	for n, in := range m.inside {
		m.out[n] = m.out[n] || in
	}
	m.inside, m.state = map[bridge.Network]bool{}, bridge.Left
	s.tell(now, m, bridge.KindLeft, inside)
	s.endIfEmpty(now)
}

func (s *modelSession) giveBack(now time.Time, m *modelMember) {
	state := m.state
	m.state, m.revoked, m.held = bridge.Declined, true, nil
	switch state {
	case bridge.Invited:
		s.tell(now, m, bridge.KindDeclined, m.native())
	case bridge.Joined:
		s.tell(now, m, bridge.KindLeft, m.native())
	}
	s.endIfEmpty(now)
}

func (s *modelSession) revoke(now time.Time, by, m *modelMember) {
	if m.revoked && !m.withheld {
		return
	}
	m.state, m.revoked, m.withheld, m.held = bridge.Revoked, true, false, nil
	if !m.blind || m.native() {
		s.append(now, modelRecord{kind: bridge.KindRevoked, member: by, target: m})
	}
}

// remove empties what a member (nil: everybody) said up to a seq. Of who is
// erased wholly the networks are told although nothing was said.
func (s *modelSession) remove(now time.Time, by, m *modelMember, upTo int64, wholly bool) {
	emptied := false
	for _, r := range s.log {
		if r.seq > upTo || m != nil && r.member != m {
			continue
		}
		if r.kind == bridge.KindMessage && !r.erased {
			r.text, r.erased, emptied = "", true, true
		}
		if m != nil && r.subject != "" {
			r.subject, emptied = "", true
		}
	}
	if !emptied && !wholly {
		return
	}
	if m != nil {
		s.subject = s.lastSubject()
	}
	s.append(now, modelRecord{kind: bridge.KindErased, member: by, target: m, ref: upTo})
}

func (s *modelSession) lastSubject() (subject string) {
	for _, r := range s.log {
		if r.kind == bridge.KindStarted || r.kind == bridge.KindSubject {
			subject = r.subject
		}
	}
	return subject
}

// end closes the session; off the record nothing of it stays.
func (s *modelSession) end(now time.Time, by *modelMember) {
	if s.options.OffRecord {
		s.over(now, by)
		return
	}
	s.state = bridge.Ended
	s.append(now, modelRecord{kind: bridge.KindClosed, member: by})
}

func (s *modelSession) over(now time.Time, by *modelMember) {
	s.state, s.subject, s.log = bridge.Over, "", nil
	s.append(now, modelRecord{kind: bridge.KindOver, member: by})
}

func (s *modelSession) endIfEmpty(now time.Time) {
	if !s.options.OffRecord || s.state == bridge.Over {
		return
	}
	if !slices.ContainsFunc(s.members, func(m *modelMember) bool { return m.state == bridge.Joined }) {
		s.over(now, nil)
	}
}

// erase takes away who a member was, and what they said.
func (s *modelSession) erase(now time.Time, m *modelMember) {
	s.remove(now, nil, m, s.head, true)
	if !m.revoked || m.state != bridge.Revoked {
		s.append(now, modelRecord{kind: bridge.KindRevoked, target: m})
	}
	if m.initiator && s.state == bridge.Open {
		s.end(now, nil)
	}
	m.who, m.state, m.revoked, m.withheld, m.held = nil, bridge.Revoked, true, false, nil
	for _, b := range m.browsers {
		b.forgotten = true
	}
	for _, t := range m.tokens {
		t.dead = true
	}
	s.endIfEmpty(now)
}

// add makes a member of somebody who was never invited.
func (s *modelSession) add(p *modelPerson, inviter *modelMember, round int, blind bool, expires time.Time) *modelMember {
	m := &modelMember{
		who: p, was: p, number: len(s.members) + 1, state: bridge.Invited, expires: expires, inviter: inviter, round: round,
		copied: blind, blind: blind, inside: map[bridge.Network]bool{}, out: map[bridge.Network]bool{}, confirmed: map[bridge.Address]bool{},
	}
	m.guest = s.options.HideAddresses && m.number > 1
	if s.options.NewcomersFromNow {
		m.from = s.head
	}
	m.withheld = inviter != nil && p.blocked[inviter.who]
	m.revoked = m.withheld
	p.known = true
	s.members = append(s.members, m)
	return m
}

// renew invites a member again who left or whose grant has ended, and says if
// there was anything to renew.
func (s *modelSession) renew(m, inviter *modelMember, expires, now time.Time) bool {
	alive := !m.revoked && (m.expires.IsZero() || m.expires.After(now))
	gone := m.state == bridge.Left || m.state == bridge.Declined || m.state == bridge.Revoked
	if m.initiator || m.who == nil || !gone && !m.withheld && alive {
		return false
	}
	m.inside, m.out, m.state = map[bridge.Network]bool{}, map[bridge.Network]bool{}, bridge.Invited
	if m.who.blocked[inviter.who] && alive {
		m.withheld = true // the grant that somebody else gave stays
		return true
	}
	if m.revoked {
		m.generation++
	}
	m.expires, m.inviter, m.withheld = expires, inviter, m.who.blocked[inviter.who]
	m.revoked = m.withheld
	return true
}

func (s *modelSession) rounds() (last int) {
	for _, m := range s.members {
		last = max(last, m.round)
	}
	return last
}

// ---- tokens

// newest is the token of a right that the last mail has.
func (m *modelMember) newest(r bridge.Right) *modelToken {
	all := m.tokensOf(r)
	return all[len(all)-1]
}

func (m *modelMember) tokensOf(r bridge.Right) (tokens []*modelToken) {
	for _, t := range m.tokens {
		if t.right == r {
			tokens = append(tokens, t)
		}
	}
	return tokens
}

// keys is everything on which it depends whether a token or browser counts.
func (m *modelMember) keys() string {
	text := fmt.Sprint(m.revoked, m.generation, m.who == nil, len(m.tokens))
	for _, b := range m.browsers {
		text += fmt.Sprint(b.forgotten)
	}
	return text
}

func (t *modelToken) live(m *modelMember) bool {
	return !t.dead && !m.revoked && t.generation == m.generation
}
