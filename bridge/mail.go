package bridge

import (
	"cmp"
	"context"
	"time"

	"github.com/google/uuid"
)

// LetterKind says what a mail is for.
type LetterKind string

const (
	LetterInvitation LetterKind = "invitation" // carries the grant
	LetterStarted    LetterKind = "started"    // to the initiator: your session is open
	LetterMissed     LetterKind = "missed"     // messages that were not read elsewhere
	LetterConfirm    LetterKind = "confirm"    // somebody used your reply address: was it you?
	LetterCode       LetterKind = "code"       // the code that one more browser needs
	LetterBound      LetterKind = "bound"      // a browser speaks for you now; end it if it is not yours
	LetterSignIn     LetterKind = "sign-in"    // the link by which a browser signs in as you
)

// inThread says if a mail belongs to the conversation. Codes and links to sign
// in are about an account, and must not be taken for something said.
func (k LetterKind) inThread() bool { return k != LetterCode && k != LetterBound && k != LetterSignIn }

// MailState is how far a mail has come.
type MailState string

const (
	MailQueued    MailState = "queued"
	MailSent      MailState = "sent"      // the smarthost said 250
	MailFailed    MailState = "failed"    // refused for good, or given up
	MailWithdrawn MailState = "withdrawn" // not needed any more: read elsewhere, revoked, unsubscribed
)

// standsForRecords says if a mail shows what was said.
func (k LetterKind) standsForRecords() bool { return k == LetterInvitation || k == LetterMissed }

// Mailing is one mail to one member. It stands for the records From to To and is
// rendered when it is sent.
type Mailing struct {
	Session   uuid.UUID
	ID        uuid.UUID
	Member    uuid.UUID
	Kind      LetterKind
	From, To  int64
	Held      uuid.UUID // for LetterConfirm; for the letters about browsers and codes their id
	State     MailState
	CreatedAt time.Time
	NextTry   time.Time
	Attempts  int
}

// Tokens are those that a letter carries.
type Tokens struct {
	Join, Reply, Unsubscribe, Bounce, Icon, Confirm string
	Browsers, SignIn                                string
}

// Letter is all that is needed to render a mail.
type Letter struct {
	Mail       Mailing
	Room       *Room // as To may see it; off the record without the subject
	To         Member
	Code       string   // for LetterCode
	Browser    Browser  // for LetterBound
	Records    []Record // the messages to show, in order
	Held       *Held
	Tokens     Tokens
	MessageID  string   // without brackets; the same at every try
	References []string // the thread so far, oldest first, without brackets; none for codes and sign-ins
}

// MaxLetterRecords is how many messages one mail shows at the most, the newest
// ones; the page has all.
const MaxLetterRecords = 100

// MailPlanner decides which mails are due. It is the transport of the mail
// lanes: for each member a reader of the log that turns what they have not
// seen elsewhere into rows of the mail queue.
type MailPlanner struct {
	service *Service
	queued  func()
}

// NewMailPlanner makes the planner; queued is called after a mail was queued.
func NewMailPlanner(s *Service, queued func()) *MailPlanner { return &MailPlanner{s, queued} }

// Deliver implements outbox.Transport.
func (p *MailPlanner) Deliver(ctx context.Context, lane Lane, records []Record) (accepted int, err error) {
	s := p.service
	row, ok, err := s.store.GetSession(ctx, lane.Session)
	if err != nil || !ok {
		return 0, err
	}
	// Read marks change without the ACL version: ask the store, not the cache.
	members, err := s.store.ListMembers(ctx, lane.Session)
	if err != nil {
		return 0, err
	}
	room := &Room{row, members}
	m, ok := room.Member(lane.Destination.Member())
	if !ok {
		return len(records), nil
	}
	present, err := s.present(ctx, m, lane.Session)
	if err != nil {
		return 0, err
	}
	plan := s.planMail(room.Session, m, records, present)
	if plan.kind == LetterInvitation {
		if wait, err := s.tooManyInvitations(ctx, m); wait != nil || err != nil {
			return plan.skip, cmp.Or(err, wait)
		}
	}
	if plan.kind == "" {
		return plan.skip, plan.wait
	}
	// The mail stands for what the lane is acknowledged for, no more and no less:
	// so each message is in one mail.
	from, to := records[plan.skip].Seq, records[len(records)-1].Seq
	if plan.kind == LetterStarted {
		to = from // it tells that the session is open, not what was said in it
	}
	mail, err := p.queue(ctx, Mailing{
		Session: lane.Session, ID: uuid.Must(uuid.NewV7()), Member: m.ID, Kind: plan.kind,
		From: from, To: to, State: MailQueued, CreatedAt: s.now(), NextTry: s.now(),
	})
	if err != nil {
		return plan.skip, err
	}
	return min(len(records), int(mail.To-records[0].Seq)+1), nil
}

func (p *MailPlanner) queue(ctx context.Context, m Mailing) (queued Mailing, err error) {
	err = p.service.store.Write(ctx, m.Session, func(tx Tx) (err error) {
		queued, err = tx.AddMail(ctx, m)
		return err
	})
	if err == nil {
		p.queued()
	}
	return queued, err
}

// invitationPause is how long an invitation waits for its turn at an address to
// which too many were mailed.
const invitationPause = time.Hour

// tooManyInvitations holds an invitation back, as a WaitError, while its address
// got too many in the last day. Whoever invites does not learn it: the answer to
// an invitation is never due at a time.
func (s *Service) tooManyInvitations(ctx context.Context, m Member) (wait, err error) {
	most := s.config.Limits.RecipientInvitations
	if most <= 0 {
		return nil, nil
	}
	n, err := s.store.CountInvitations(ctx, m.Email(), s.now().Add(-day))
	if err != nil || n < most {
		return nil, err
	}
	return &WaitError{s.now().Add(invitationPause)}, nil
}

// present says if the member has the session open in a client of their own, so
// that nothing needs to be mailed.
func (s *Service) present(ctx context.Context, m Member, session uuid.UUID) (bool, error) {
	if m.JoinedBy(Matrix) && s.networks[Matrix] {
		return true, nil
	}
	if !m.JoinedBy(XMPP) || !s.networks[XMPP] {
		return false, nil
	}
	occupants, err := s.store.ListOccupants(ctx, session)
	for _, o := range occupants {
		if o.Member == m.ID {
			return true, nil
		}
	}
	return false, err
}

// mailPlan is what to do with the next records of a mail lane: skip some, and
// then mail what follows (kind), or wait.
type mailPlan struct {
	skip int
	kind LetterKind
	wait error
}

// planMail is the rule of who gets what by mail.
func (s *Service) planMail(session Session, m Member, records []Record, present bool) mailPlan {
	if m.NoMail || m.Email().IsZero() || m.Gone() || m.Withheld || !m.Grant.alive(s.now()) || session.State == Over {
		return mailPlan{skip: len(records)}
	}
	if i := invitedAt(m, records); i >= 0 {
		return s.planInvitation(m, i, records[i])
	}
	for i, r := range records {
		switch {
		case r.Kind == KindStarted && r.Member == m.ID && r.Via() != Matrix && r.Via() != XMPP:
			return mailPlan{skip: i, kind: LetterStarted}
		case r.Kind != KindMessage || r.Erased || r.Member == m.ID || r.Seq <= m.ReadSeq || present:
		case m.State == Invited:
			// Who has not answered gets nothing more until they do.
			return mailPlan{skip: i, wait: &WaitError{}}
		default:
			return s.planMissed(i, r)
		}
	}
	return mailPlan{skip: len(records)}
}

// invitedAt is where a member who has not answered yet was invited; -1 if that
// is not among the records.
func invitedAt(m Member, records []Record) int {
	for i, r := range records {
		named := r.Kind == KindInvited && r.Target == m.ID || m.Blind && r.Kind == KindStarted
		if m.State == Invited && named {
			return i
		}
	}
	return -1
}

// planInvitation lets native invitations go first, for NativeWait.
func (s *Service) planInvitation(m Member, i int, r Record) mailPlan {
	deadline := r.At.Add(s.config.NativeWait)
	if s.nativePending(m) && s.now().Before(deadline) {
		return mailPlan{skip: i, wait: &WaitError{deadline}}
	}
	return mailPlan{skip: i, kind: LetterInvitation}
}

func (s *Service) nativePending(m Member) bool {
	for _, e := range m.Endpoints {
		native := e.Address.Network == Matrix || e.Address.Network == XMPP
		if native && s.networks[e.Address.Network] && (e.State == EndpointMapped || e.State == EndpointInvited) {
			return true
		}
	}
	return false
}

// planMissed: the first unread message sets the deadline, and what has come
// until then is one mail.
func (s *Service) planMissed(i int, r Record) mailPlan {
	deadline := r.At.Add(s.config.MissedAfter)
	if s.now().Before(deadline) {
		return mailPlan{skip: i, wait: &WaitError{deadline}}
	}
	return mailPlan{skip: i, kind: LetterMissed}
}

// Letter collects what a mail says now. ok is false if it is not needed any
// more: withdraw it then.
func (s *Service) Letter(ctx context.Context, mail Mailing) (l Letter, ok bool, err error) {
	row, ok, err := s.store.GetSession(ctx, mail.Session)
	if err != nil || !ok {
		return l, false, err
	}
	members, err := s.store.ListMembers(ctx, mail.Session)
	if err != nil {
		return l, false, err
	}
	room := &Room{row, members}
	l = Letter{Mail: mail}
	l.To, ok = room.Member(mail.Member)
	if !ok || !s.stillDue(room.Session, l.To, mail) {
		return l, false, nil
	}
	s.fillTokens(&l, room)
	if ok, err := s.fillAbout(ctx, &l); err != nil || !ok {
		return l, false, err
	}
	if l.Records, err = s.letterRecords(ctx, l); err != nil || mail.Kind == LetterMissed && len(l.Records) == 0 {
		return l, false, err
	}
	l.Room = room.shownTo(l.To)
	if row.Options.OffRecord {
		l.Room = &Room{Session: row, Members: l.Room.Members}
		l.Room.Session.Subject, l.Records = "", nil
	}
	err = s.thread(ctx, &l)
	return l, err == nil, err
}

// fillAbout adds what a letter that stands for no records is about; false if
// that is settled by now.
func (s *Service) fillAbout(ctx context.Context, l *Letter) (ok bool, err error) {
	about := func(r Right, id uuid.UUID) string {
		return s.token(l.Mail.Session, l.To.Grant.ID, l.To.Grant.Generation, r, id)
	}
	switch l.Mail.Kind {
	case LetterConfirm:
		held, ok, err := s.store.GetHeld(ctx, l.Mail.Session, l.Mail.Held)
		if err != nil || !ok || held.State != HeldWaiting {
			return false, err
		}
		l.Held, l.Tokens.Confirm = &held, about(RightConfirm, held.ID)
	case LetterCode:
		l.Code = s.digits(l.Mail.Session, l.Mail.Held)
		return s.now().Before(l.Mail.CreatedAt.Add(CodeTime)), nil
	case LetterSignIn:
		l.Tokens.SignIn = about(RightSignIn, l.Mail.Held)
		return s.now().Before(l.Mail.CreatedAt.Add(CodeTime)), nil
	case LetterBound:
		l.Tokens.Browsers = about(RightBrowsers, uuid.Nil)
		return s.fillBrowser(ctx, l)
	}
	return true, nil
}

func (s *Service) fillBrowser(ctx context.Context, l *Letter) (ok bool, err error) {
	browsers, err := s.store.ListBrowsers(ctx, l.Mail.Session, l.Mail.Member)
	for _, b := range browsers {
		if b.ID == l.Mail.Held {
			l.Browser = b
			return true, nil
		}
	}
	return false, err
}

func (s *Service) stillDue(session Session, m Member, mail Mailing) bool {
	switch {
	case m.Grant.Revoked || m.Email().IsZero():
		return false
	case !mail.Kind.standsForRecords() && mail.Kind != LetterStarted:
		return true // a question or an answer to what its reader does, whatever else is not wanted
	case session.State == Over:
		return false
	case m.NoMail || m.Withheld:
		return false
	case mail.Kind == LetterMissed:
		return m.ReadSeq < mail.To && !m.Gone()
	case mail.Kind == LetterInvitation:
		return m.State == Invited
	}
	return true
}

func (s *Service) fillTokens(l *Letter, room *Room) {
	g := l.To.Grant
	make := func(r Right) string { return s.token(l.Mail.Session, g.ID, g.Generation, r, uuid.Nil) }
	l.Tokens.Join, l.Tokens.Reply = make(RightJoin), make(RightReply)
	l.Tokens.Unsubscribe, l.Tokens.Bounce = make(RightUnsubscribe), make(RightBounce)
	initiator := room.Initiator().Grant
	l.Tokens.Icon = s.token(l.Mail.Session, initiator.ID, initiator.Generation, RightIcon, uuid.Nil)
}

// letterRecords are the messages that the letter shows: an invitation the
// transcript so far, a missed-message mail what others said in its range.
func (s *Service) letterRecords(ctx context.Context, l Letter) ([]Record, error) {
	if !l.Mail.Kind.standsForRecords() {
		return nil, nil
	}
	records, err := s.store.ListRecordsBefore(ctx, l.Mail.Session, l.Mail.To+1, MaxPage)
	if err != nil {
		return nil, err
	}
	var shown []Record
	for _, r := range records {
		missed := l.Mail.Kind == LetterMissed
		if r.Kind != KindMessage || r.Erased || r.Seq <= l.To.FromSeq || missed && (r.Seq < l.Mail.From || r.Seq <= l.To.ReadSeq || r.Member == l.To.ID) {
			continue
		}
		shown = append(shown, r)
	}
	if extra := len(shown) - MaxLetterRecords; extra > 0 {
		shown = shown[extra:]
	}
	return shown, nil
}

// thread names the letter and what stands before it in the reader's mailbox
// (RFC 5322 §3.6.4): the initiator's own mail, the first letter, the last one.
func (s *Service) thread(ctx context.Context, l *Letter) error {
	l.MessageID = s.messageID(l.Mail)
	if !l.Mail.Kind.inThread() {
		return nil
	}
	if origin := l.Room.Session.MessageID; origin != "" {
		l.References = append(l.References, origin)
	}
	mails, err := s.store.ListMails(ctx, l.Mail.Session, l.Mail.Member)
	if err != nil {
		return err
	}
	var earlier []string
	for _, m := range mails {
		if m.State == MailSent && m.ID != l.Mail.ID && m.Kind.inThread() {
			earlier = append(earlier, s.messageID(m))
		}
	}
	if len(earlier) > 2 {
		earlier = []string{earlier[0], earlier[len(earlier)-1]}
	}
	l.References = append(l.References, earlier...)
	return nil
}

func (s *Service) messageID(m Mailing) string {
	return "m." + s.opaque("message-id", m.Session, m.ID) + "@" + s.config.MailHost
}

// MailFailed notes in the log that a mail was refused for good.
func (s *Service) MailFailed(ctx context.Context, m Mailing, reason string) error {
	return s.change(ctx, m.Session, func(tx Tx, room *Room) error {
		to, ok := room.Member(m.Member)
		if !ok {
			return nil
		}
		text := "A mail to " + to.Display() + " could not be delivered: " + reason
		return s.appendFailure(ctx, tx, room, ToMail(m.Member), m.ID.String(), text)
	})
}

// RecordFailed notes in the log that a destination has refused a record for
// good. It is safe to say twice.
func (s *Service) RecordFailed(ctx context.Context, r Record, d Destination, reason string) error {
	return s.change(ctx, r.Session, func(tx Tx, room *Room) error {
		return s.appendFailure(ctx, tx, room, d, r.ID.String(), reason)
	})
}

func (s *Service) appendFailure(ctx context.Context, tx Tx, room *Room, d Destination, about, text string) error {
	f := s.record(room, KindFailure, uuid.Nil, d.Network())
	f.Origin = Origin{d.Network(), "mailroom:failure:" + string(d) + ":" + about}
	f.Body, f.Destination = Body{Text: text}, d
	_, _, err := tx.Append(ctx, f)
	return err
}
