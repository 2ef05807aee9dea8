package outbox

import (
	"context"
	"errors"
	"log/slog"
	"math/rand/v2"
	"sync"
	"time"

	"mailroom/bridge"
)

const (
	// MailsAtOnce is how many mails are sent at the same time.
	MailsAtOnce = 8
	// MailLifetime is how long a mail is tried (RFC 5321 §4.5.4.1 asks for at
	// least 4 to 5 days).
	MailLifetime = 5 * 24 * time.Hour
)

// retries are the pauses after the first failures of a mail; the last one
// holds for all that follow. RFC 5321 §4.5.4.1 allows variable strategies.
var retries = []time.Duration{
	time.Minute, 5 * time.Minute, 15 * time.Minute, 30 * time.Minute,
	time.Hour, time.Hour, time.Hour, time.Hour, time.Hour, 4 * time.Hour,
}

// Mails sends what the planner has queued.
type Mails struct {
	queue  Queue
	log    Log
	sender Sender
	owner  string
	slog   *slog.Logger
	wake   chan struct{}
	// Retries overrides the pauses between attempts.
	Retries []time.Duration
}

// NewMails makes the mail queue of the node that is named owner.
func NewMails(queue Queue, log Log, sender Sender, owner string, logger *slog.Logger) *Mails {
	return &Mails{queue: queue, log: log, sender: sender, owner: owner, slog: logger, wake: make(chan struct{}, 1), Retries: retries}
}

// Wake says that a mail was queued. It never blocks.
func (m *Mails) Wake() {
	select {
	case m.wake <- struct{}{}:
	default:
	}
}

// Run sends due mails until ctx ends.
func (m *Mails) Run(ctx context.Context) error {
	ticker := time.NewTicker(Poll)
	defer ticker.Stop()
	for {
		m.sendDue(ctx)
		select {
		case <-ctx.Done():
			return nil
		case <-m.wake:
		case <-ticker.C:
		}
	}
}

// sendDue sends all mails that are due, the oldest first. Of one member's
// mails only the first that is unsent is due, so that they arrive in order.
func (m *Mails) sendDue(ctx context.Context) {
	for ctx.Err() == nil {
		due, err := m.queue.ListDueMails(ctx, time.Now(), MailsAtOnce)
		if err != nil {
			if ctx.Err() == nil {
				m.slog.Error("mail queue: cannot list due mails", "error", err)
			}
			return
		}
		if !m.sendAll(ctx, due) {
			return
		}
	}
}

// sendAll says if it got any further.
func (m *Mails) sendAll(ctx context.Context, due []bridge.Mailing) bool {
	var wait sync.WaitGroup
	results := make([]bool, len(due))
	for i, mail := range due {
		wait.Go(func() { results[i] = m.send(ctx, mail) })
	}
	wait.Wait()
	for _, moved := range results {
		if moved {
			return true
		}
	}
	return false
}

// send claims one mail, sends it and writes down the outcome; false if nothing
// has changed.
func (m *Mails) send(ctx context.Context, mail bridge.Mailing) bool {
	fence, ok, err := m.queue.ClaimMail(ctx, mail, m.owner)
	if err != nil && ctx.Err() == nil {
		m.slog.Error("mail queue: cannot claim a mail", "mail", mail.ID, "error", err)
	}
	if err != nil || !ok {
		return false
	}
	if err := m.try(ctx, &mail); err != nil {
		if ctx.Err() != nil {
			return false // we are stopping: whoever comes next tries it again
		}
		m.slog.Error("mail queue: cannot work on a mail", "mail", mail.ID, "error", err)
		return false
	}
	if err := m.queue.SetMail(context.WithoutCancel(ctx), mail, fence); err != nil {
		m.slog.Error("mail queue: cannot write an outcome", "mail", mail.ID, "error", err)
		return false
	}
	return true
}

func (m *Mails) try(ctx context.Context, mail *bridge.Mailing) error {
	letter, due, err := m.log.Letter(ctx, *mail)
	if err != nil && ctx.Err() != nil {
		return ctx.Err()
	}
	if err != nil {
		return m.settle(ctx, mail, err)
	}
	if !due {
		mail.State = bridge.MailWithdrawn
		return nil
	}
	failure := m.sender.Send(ctx, letter)
	if failure != nil && ctx.Err() != nil {
		return ctx.Err()
	}
	return m.settle(ctx, mail, failure)
}

func (m *Mails) settle(ctx context.Context, mail *bridge.Mailing, failure error) error {
	var refused *bridge.RefusedError
	mail.Attempts++
	switch {
	case failure == nil:
		mail.State = bridge.MailSent
		return nil
	case errors.As(failure, &refused):
		m.slog.Warn("mail queue: refused for good", "mail", mail.ID, "session", mail.Session, "error", refused.Err)
		mail.State = bridge.MailFailed
		return m.log.MailFailed(ctx, *mail, refused.Reason)
	case time.Since(mail.CreatedAt) > MailLifetime:
		m.slog.Warn("mail queue: given up", "mail", mail.ID, "session", mail.Session, "error", failure)
		mail.State = bridge.MailFailed
		return m.log.MailFailed(ctx, *mail, "our mail server did not take it for five days.")
	default:
		pause := m.Retries[min(mail.Attempts, len(m.Retries))-1]
		mail.NextTry = time.Now().Add(time.Duration(float64(pause) * (0.9 + 0.2*rand.Float64())))
		m.slog.Warn("mail queue: will try again", "mail", mail.ID, "attempt", mail.Attempts, "at", mail.NextTry, "error", failure)
		return nil
	}
}
