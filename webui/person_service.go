package webui

import (
	"context"

	"github.com/google/uuid"

	"mailroom/bridge"
)

// PersonService is what the core does for a person, by what the person has proved: an invitation, or an address.
type PersonService interface {
	Decline(ctx context.Context, session uuid.UUID, by bridge.Identity) error
	Report(ctx context.Context, session uuid.UUID, by bridge.Identity, text string) error

	ForgetBrowser(ctx context.Context, secret string, session uuid.UUID) error
	Browsers(ctx context.Context, token string) (bridge.Holder, []bridge.Browser, error)
	EndBrowsers(ctx context.Context, token string) error

	AskSignIn(ctx context.Context, a bridge.Address)
	SigningIn(ctx context.Context, token string) (bridge.Address, error)
	SignIn(ctx context.Context, token, label string) (secret string, err error)
	SignedIn(ctx context.Context, secret string) (bridge.Identity, error)
	SignIns(ctx context.Context, secret string) ([]bridge.SignIn, error)
	SignOut(ctx context.Context, secret string) error
	SignOutEverywhere(ctx context.Context, by bridge.Identity) error

	Reaches(ctx context.Context, by bridge.Identity) ([]bridge.Reach, error)
	End(ctx context.Context, session uuid.UUID, by bridge.Identity) error
	Blocks(ctx context.Context, by bridge.Identity) ([]bridge.Blocked, error)
	Block(ctx context.Context, by bridge.Identity, whom bridge.Address) error
	Unblock(ctx context.Context, by bridge.Identity, whom bridge.Address) error
	Presence(ctx context.Context, by bridge.Identity) (bridge.PresenceSetting, []bridge.Address, error)
	SetPresence(ctx context.Context, by bridge.Identity, setting bridge.PresenceSetting, chosen []bridge.Address) error
}
