package app

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"strings"
	"sync"
	"time"

	"mailroom/bridge"
	"mailroom/store"

	"github.com/google/uuid"
)

const (
	// exchangeTime is how long another node may take. A writing transaction waits
	// for it, and PostgreSQL ends one that is idle for 5 s.
	exchangeTime = 3 * time.Second
	// awayTime is how long a node that did not answer is not asked again: what
	// shares a transaction with that session must not wait for it each time.
	awayTime = 2 * time.Second
	// maxPeers bounds the nodes that are remembered; each start makes a new one.
	maxPeers = 64
)

// errAway is all that people, and the database's retries, are told of a node
// that cannot be reached. Why is in the log.
var errAway = &bridge.Error{
	Code: bridge.Unavailable,
	Message: "This conversation is off the record and lives in the memory of one server, which does not answer at the moment. " +
		"Try again in a few seconds; if that server has ended, so has the conversation.",
}

// nodes says where a node can be reached, "" if that is not known.
type nodes interface {
	Node(ctx context.Context, name string) (url string, err error)
}

// peers are the other nodes, as keepers of what is off the record.
type peers struct {
	nodes  nodes
	secret string
	log    *slog.Logger
	client *http.Client

	mu    sync.Mutex
	known map[string]*peer
}

func newPeers(n nodes, secret string, log *slog.Logger) *peers {
	return &peers{
		nodes: n, secret: secret, log: log, known: make(map[string]*peer),
		client: &http.Client{
			Timeout:   exchangeTime,
			Transport: &http.Transport{MaxIdleConnsPerHost: 4, IdleConnTimeout: time.Minute}, // no proxy: nodes are neighbours
			CheckRedirect: func(*http.Request, []*http.Request) error {
				return errors.New("node.url of that node leads elsewhere")
			},
		},
	}
}

func (p *peers) close() { p.client.CloseIdleConnections() }

// keeper is the memory of another node. Errors: Unavailable, and those of the
// database.
func (p *peers) keeper(ctx context.Context, name string) (store.Keeper, error) {
	p.mu.Lock()
	known := p.known[name]
	p.mu.Unlock()
	if known != nil {
		return known, nil
	}
	found, err := p.find(ctx, name)
	if err != nil {
		return nil, err
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	if len(p.known) >= maxPeers {
		clear(p.known)
	}
	p.known[name] = found
	return found, nil
}

func (p *peers) find(ctx context.Context, name string) (*peer, error) {
	url, err := p.nodes.Node(ctx, name)
	if err != nil {
		return nil, err
	}
	if url == "" || p.secret == "" {
		p.log.Warn("a session off the record is kept by a node that cannot be reached: it has ended, or node.url and node.secret are not set", "node", name)
		return nil, errAway
	}
	s, err := newSeal(p.secret, name)
	if err != nil {
		return nil, err
	}
	return &peer{name: name, url: strings.TrimSuffix(url, "/") + memoryPath, seal: s, client: p.client, log: p.log}, nil
}

// peer is the memory of one other node. It implements store.Keeper. Errors:
// Unavailable, and what its memory refuses.
type peer struct {
	name   string
	url    string
	seal   seal
	client *http.Client
	log    *slog.Logger

	mu   sync.Mutex
	away time.Time // until then it is not asked
}

// Keep implements store.Keeper.
func (p *peer) Keep(ctx context.Context, session uuid.UUID, subject *string, records []bridge.Record) error {
	for {
		n := fitting(records)
		if _, err := p.ask(ctx, question{Call: "keep", Session: session, Subject: subject, Records: records[:n]}); err != nil {
			return err
		}
		if records, subject = records[n:], nil; len(records) == 0 {
			return nil
		}
	}
}

// Recall implements store.Keeper.
func (p *peer) Recall(ctx context.Context, session uuid.UUID, after int64, limit int) (subject string, records []bridge.Record, ok bool, err error) {
	for {
		a, err := p.ask(ctx, question{Call: "recall", Session: session, After: after, Limit: limit})
		if err != nil || !a.OK {
			return "", nil, false, err
		}
		records = append(records, a.Records...)
		if !a.More || len(a.Records) == 0 {
			return a.Subject, records, true, nil
		}
		after, limit = after+int64(len(a.Records)), limit-len(a.Records)
	}
}

// Find implements store.Keeper.
func (p *peer) Find(ctx context.Context, session uuid.UUID, o bridge.Origin) (bridge.Record, bool, error) {
	a, err := p.ask(ctx, question{Call: "find", Session: session, Origin: o})
	if err != nil || !a.OK || len(a.Records) == 0 {
		return bridge.Record{}, false, err
	}
	return a.Records[0], true, nil
}

// Drop implements store.Keeper.
func (p *peer) Drop(ctx context.Context, session uuid.UUID) error {
	_, err := p.ask(ctx, question{Call: "drop", Session: session})
	return err
}

// ask has one exchange with the node.
func (p *peer) ask(ctx context.Context, q question) (answer, error) {
	if p.isAway() {
		return answer{}, errAway
	}
	a, err := p.exchange(ctx, q)
	switch {
	case err != nil && ctx.Err() != nil: // given up here: no fault of the node
		return answer{}, errAway
	case err != nil:
		p.log.Warn("another node does not answer for a session off the record", "node", p.name, "error", err)
		p.setAway()
		return answer{}, errAway
	case a.Refusal != "":
		return answer{}, fmt.Errorf("node %s: %s", p.name, a.Refusal)
	}
	return a, nil
}

func (p *peer) exchange(ctx context.Context, q question) (a answer, err error) {
	sealed, err := p.seal.close("ticket", ticket{time.Now()})
	if err != nil {
		return a, err
	}
	name := ticketText(sealed)
	body, err := p.seal.close(questionOf(name), q)
	if err != nil {
		return a, err
	}
	request, err := http.NewRequestWithContext(ctx, http.MethodPost, p.url, bytes.NewReader(body))
	if err != nil {
		return a, err
	}
	request.Header.Set(ticketHeader, name)
	response, err := p.client.Do(request)
	if err != nil {
		return a, err
	}
	defer response.Body.Close()
	if response.StatusCode != http.StatusOK {
		return a, fmt.Errorf("%s answers %s: it has ended, has another node.secret, a clock that is wrong, or node.url leads elsewhere", p.url, response.Status)
	}
	body, err = io.ReadAll(io.LimitReader(response.Body, maxSealed))
	if err != nil {
		return a, err
	}
	return a, p.seal.open(answerTo(name), body, &a)
}

func (p *peer) isAway() bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	return time.Now().Before(p.away)
}

func (p *peer) setAway() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.away = time.Now().Add(awayTime)
}
