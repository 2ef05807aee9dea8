package webui

import (
	"context"
	"time"

	"github.com/google/uuid"

	"mailroom/bridge"
)

// Service is what the pages and the API ask of the core; *bridge.Service is one.
type Service interface {
	Holder(ctx context.Context, right bridge.Right, token string) (bridge.Holder, error)
	Bind(ctx context.Context, holder bridge.Holder, label, code string) (secret string, err error)
	Browser(ctx context.Context, secret string, session uuid.UUID) (bridge.Identity, error)
	APIIdentity(ctx context.Context, bearer string) (bridge.Identity, error)

	Start(ctx context.Context, r bridge.StartRequest) (*bridge.Room, error)
	Post(ctx context.Context, p bridge.PostRequest) (bridge.Record, error)
	Join(ctx context.Context, session uuid.UUID, by bridge.Identity) (*bridge.Room, bridge.Member, error)
	Leave(ctx context.Context, session uuid.UUID, by bridge.Identity) error
	Invite(ctx context.Context, session uuid.UUID, by bridge.Identity, invitees []bridge.Invitee) (*bridge.Room, error)
	Revoke(ctx context.Context, session uuid.UUID, by bridge.Identity, member uuid.UUID, removeSaid bool) error
	Close(ctx context.Context, session uuid.UUID, by bridge.Identity) error
	Reopen(ctx context.Context, session uuid.UUID, by bridge.Identity) error
	MarkRead(ctx context.Context, session uuid.UUID, by bridge.Identity, seq int64) error

	SetOptions(ctx context.Context, session uuid.UUID, by bridge.Identity, wanted bridge.Options) (*bridge.Room, error)
	RemoveSaid(ctx context.Context, session uuid.UUID, by bridge.Identity, member uuid.UUID) error
	KeptFor(o bridge.Options) time.Duration

	Signal(ctx context.Context, session uuid.UUID, by bridge.Identity, kind bridge.SignalKind, on bool) error
	Signals(ctx context.Context, session uuid.UUID, by bridge.Identity) ([]bridge.Signs, error)
	SubscribeSignals(session uuid.UUID) (changed <-chan struct{}, cancel func())
	ReadMarks(ctx context.Context, session uuid.UUID, by bridge.Identity) (map[uuid.UUID]int64, error)

	Audit(ctx context.Context, by bridge.Identity, limit int) ([]bridge.AuditEntry, error)

	Sessions(ctx context.Context, by bridge.Identity, limit int) ([]bridge.Session, error)
	Look(ctx context.Context, h bridge.Holder) (*bridge.Room, bridge.Member, error)
	View(ctx context.Context, session uuid.UUID, by bridge.Identity) (*bridge.Room, bridge.Member, error)
	Records(ctx context.Context, session uuid.UUID, by bridge.Identity, after int64, limit int) ([]bridge.Record, error)
	RecordsBefore(ctx context.Context, session uuid.UUID, by bridge.Identity, before int64, limit int) ([]bridge.Record, error)
	Subscribe(session uuid.UUID) (changed <-chan struct{}, cancel func())

	Room(ctx context.Context, session uuid.UUID) (*bridge.Room, error)
	HeldReply(ctx context.Context, token string) (bridge.Held, error)
	ConfirmHeld(ctx context.Context, token string) (bridge.Record, error)
	RefuseHeld(ctx context.Context, token string) error
	Unsubscribe(ctx context.Context, token string) error

	PersonService
}
