package xmpp

import (
	"context"
	"hash/fnv"
	"sync"

	"mailroom/bridge"
)

const (
	// workers is how many rooms are served at the same time: most of the time
	// they wait for the database.
	workers = 64
	// queueLength is how many stanzas wait for one worker before no more are
	// read from the server.
	queueLength = 256
)

// incoming is a stanza with the addresses cut in their parts.
type incoming struct {
	*element
	from, to jid
	kind     string // its type attribute
}

// queues keep the order of what is sent to one room: each room has its worker.
type queues [workers]chan *incoming

// startWorkers begins the work; stop waits until none is running. Workers end
// with ctx.
func (c *Component) startWorkers(ctx context.Context) (work queues, stop func()) {
	ctx, cancel := context.WithCancel(ctx)
	var running sync.WaitGroup
	for i := range work {
		queue := make(chan *incoming, queueLength)
		work[i] = queue
		running.Go(func() { c.work(ctx, queue) })
	}
	return work, func() { cancel(); running.Wait() }
}

func (c *Component) work(ctx context.Context, queue <-chan *incoming) {
	for {
		select {
		case in := <-queue:
			c.handle(ctx, *in)
		case <-ctx.Done():
			return
		}
	}
}

// dispatch puts a stanza into the queue of its room, unless its sender sends
// too many. The read of the link waits while that queue is full.
func (c *Component) dispatch(ctx context.Context, work queues, s *element) {
	in := &incoming{s, parseJID(s.attr("from")), parseJID(s.attr("to")), s.attr("type")}
	if s.name.Space != nsComponent || in.to.domain != c.config.Component || in.from.domain == "" {
		return
	}
	if in.answerable() && !c.limits.allow(in.from.bare()) {
		c.reply(refusal(s, resourceConstraint, s.sentences().T("xmpp.too_fast")))
		return
	}
	h := fnv.New32a()
	// A hash.Hash never returns an error.
	_, _ = h.Write([]byte(in.to.local))
	select {
	case work[h.Sum32()%workers] <- in:
	case <-ctx.Done():
	}
}

// answerable says that the stanza may be answered with an error. Errors and
// results never are (RFC 6120 §8.3.1), and who leaves is not stopped.
func (in incoming) answerable() bool {
	switch in.kind {
	case "error", "result", "unavailable":
		return false
	}
	return true
}

func (c *Component) handle(ctx context.Context, in incoming) {
	if in.cut {
		if in.answerable() {
			c.reply(refusal(in.element, policyViolation, in.sentences().T("xmpp.too_large")))
		}
		return
	}
	switch in.name.Local {
	case "presence":
		c.handlePresence(ctx, in)
	case "message":
		c.handleMessage(ctx, in)
	case "iq":
		c.handleIQ(ctx, in)
	}
}

// answer refuses a stanza for what bridge said, and logs what nobody is told.
func (c *Component) answer(ctx context.Context, in incoming, err error) {
	if bridge.CodeOf(err) == "" {
		c.report(ctx, in, err)
	}
	c.reply(failure(in.element, err))
}

// report logs why a stanza could not be served, unless it was given up because
// the component stops.
func (c *Component) report(ctx context.Context, in incoming, err error) {
	if ctx.Err() == nil {
		c.log.Error("a stanza could not be served", "stanza", in.name.Local, "type", in.kind, "session", in.to.local, "error", err)
	}
}

func (c *Component) handlePresence(ctx context.Context, in incoming) {
	handlers := map[string]func(context.Context, incoming){
		"":            c.available,
		"unavailable": c.leave,
		"error":       c.bounced,
		"subscribe":   c.unsubscribed,
	}
	if handler, ok := handlers[in.kind]; ok {
		handler(ctx, in)
	}
}

// unsubscribed tells that rooms have no presence of their own to subscribe to;
// some clients would show a contact that waits for ever.
func (c *Component) unsubscribed(_ context.Context, in incoming) {
	c.reply(stanza("presence", "unsubscribed", in.to.bare(), in.from.bare()))
}

func (c *Component) handleMessage(ctx context.Context, in incoming) {
	handlers := map[string]func(context.Context, incoming){
		"groupchat": c.groupchat,
		"error":     c.bounced,
		"":          c.privateMessage,
		"normal":    c.privateMessage,
		"chat":      c.privateMessage,
	}
	if handler, ok := handlers[in.kind]; ok {
		handler(ctx, in)
	}
}

func (c *Component) handleIQ(ctx context.Context, in incoming) {
	if in.kind != "get" && in.kind != "set" {
		return
	}
	switch {
	case in.to.local == "":
		c.hostIQ(in)
	case in.to.resource == "":
		c.roomIQ(ctx, in)
	default:
		c.occupantIQ(ctx, in)
	}
}
