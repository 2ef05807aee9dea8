package bridge

import (
	"context"
	"errors"
	"log/slog"
	"sync"
	"sync/atomic"
	"time"

	"github.com/google/uuid"
)

// Config is what the core needs to know.
type Config struct {
	// Key is the server key, at least 32 bytes: all tokens and opaque names
	// derive from it. All nodes of one installation have the same.
	Key       []byte
	Directory Directory
	Allow     AllowList
	// Networks are the gateways that are switched on.
	Networks []Network
	// MissedAfter is how long a message waits for its reader before it is mailed.
	MissedAfter time.Duration
	// NativeWait is how long a native invitation waits for an answer before
	// the mail follows.
	NativeWait time.Duration
	// MailHost is the domain of the Message-IDs that we make.
	MailHost string
	// Node is the name of this node, new at each start: the keeper of the
	// off-the-record sessions that begin here.
	Node string
	// CodeAlways asks the first browser for a mailed code, too.
	CodeAlways bool
	// KeepFor is how long a message is kept where its session does not say less;
	// 0 is for ever.
	KeepFor time.Duration
	Limits  Limits
}

// Service is the core: every gateway calls it, and it calls the Store. It is
// safe for use by many goroutines.
type Service struct {
	config   Config
	key      []byte
	networks map[Network]bool
	store    Store
	hub      *Hub
	log      *slog.Logger
	now      func() time.Time
	rooms    roomCache
	signals  *signals
	pace     pace
	refusals atomic.Int64 // acts that a limit has refused

	background background
}

// NewService makes the core over a store.
func NewService(config Config, store Store, hub *Hub, log *slog.Logger) (*Service, error) {
	if len(config.Key) < 32 {
		return nil, errors.New("the server key is shorter than 32 bytes")
	}
	s := &Service{
		config: config, key: config.Key, store: store, hub: hub, log: log, now: time.Now, networks: map[Network]bool{},
		signals: newSignals(), pace: pace{perTime: config.Limits.MemberMessages}, background: newBackground(),
	}
	for _, n := range config.Networks {
		s.networks[n] = true
	}
	return s, nil
}

// Subscribe returns a channel that holds a hint while the session has changed
// since the last receive: read the log again from your own seq.
func (s *Service) Subscribe(session uuid.UUID) (changed <-chan struct{}, cancel func()) {
	return s.hub.Subscribe(session)
}

// change is within, and tells everybody after the commit.
func (s *Service) change(ctx context.Context, session uuid.UUID, fn func(tx Tx, room *Room) error) error {
	err := s.within(ctx, session, fn)
	if err == nil {
		s.announce(session)
	}
	return err
}

// within runs fn in a writing transaction that holds the session, with its
// snapshot. Unknown sessions are NotFound.
func (s *Service) within(ctx context.Context, session uuid.UUID, fn func(tx Tx, room *Room) error) error {
	var room *Room
	var version int64
	asked := time.Now()
	err := s.store.Write(ctx, session, func(tx Tx) error {
		row, ok, err := tx.LockSession(ctx, session)
		if err != nil {
			return err
		}
		if !ok {
			return errNoSession
		}
		if room, err = s.snapshot(ctx, tx, row); err != nil {
			return err
		}
		version = row.ACLVersion
		return fn(tx, room)
	})
	if err != nil {
		s.countRefusal(err)
		return even(ctx, asked, err)
	}
	if room.Session.ACLVersion == version {
		s.rooms.keep(room)
	}
	return nil
}

func (s *Service) announce(session uuid.UUID) {
	s.hub.Publish(session)
	s.store.Announce(session)
}

// snapshot is the room as of the session row: from the cache, if that was
// made under the same ACL version.
func (s *Service) snapshot(ctx context.Context, r Reader, row Session) (*Room, error) {
	if cached := s.rooms.get(row.ID); cached != nil && cached.Session.ACLVersion == row.ACLVersion {
		return &Room{Session: row, Members: cached.Members}, nil
	}
	members, err := r.ListMembers(ctx, row.ID)
	if err != nil {
		return nil, err
	}
	return &Room{Session: row, Members: members}, nil
}

// Room is a snapshot of a session for a gateway that serves it. It asks no
// permission: what of it a member is shown is decided by View. A member's
// ReadSeq in it may lag.
func (s *Service) Room(ctx context.Context, session uuid.UUID) (*Room, error) {
	row, ok, err := s.store.GetSession(ctx, session)
	if err != nil {
		return nil, err
	}
	if !ok {
		return nil, errNoSession
	}
	room, err := s.snapshot(ctx, s.store, row)
	if err != nil {
		return nil, err
	}
	s.rooms.keep(room)
	return room, nil
}

// look is the gate for acts that write nothing. It returns the whole room.
func (s *Service) look(ctx context.Context, session uuid.UUID, by Identity, act Act) (*Room, Member, error) {
	asked := time.Now()
	room, err := s.Room(ctx, session)
	if err != nil {
		return nil, Member{}, even(ctx, asked, err)
	}
	m, err := gate(room, by, act, s.now())
	if err != nil {
		return nil, Member{}, even(ctx, asked, err)
	}
	return room, m, nil
}

// grown notes in the transaction that members, grants, endpoints or state have
// changed, so that no cached snapshot counts any more.
func grown(ctx context.Context, tx Tx, room *Room) error {
	room.Session.ACLVersion++
	return tx.SetSession(ctx, room.Session)
}

// MaxCachedRooms bounds the snapshots that a node keeps.
const MaxCachedRooms = 4096

// roomCache keeps the latest snapshots. When it is full, any one is dropped:
// a miss costs one query.
type roomCache struct {
	mu    sync.Mutex
	rooms map[uuid.UUID]*Room
}

func (c *roomCache) get(session uuid.UUID) *Room {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.rooms[session]
}

func (c *roomCache) keep(room *Room) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.rooms == nil {
		c.rooms = make(map[uuid.UUID]*Room)
	}
	if len(c.rooms) >= MaxCachedRooms {
		for id := range c.rooms {
			delete(c.rooms, id)
			break
		}
	}
	c.rooms[room.Session.ID] = room
}
