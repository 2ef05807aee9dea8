package bridge

import (
	"context"
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base32"
	"encoding/hex"
	"strconv"
	"strings"
	"time"

	"github.com/google/uuid"
)

// Right is what a token allows: each token has one, and dies with its grant.
type Right string

const (
	RightJoin        Right = "join"
	RightReply       Right = "reply"
	RightAMP         Right = "amp" // the transcript and the box inside a mail
	RightUnsubscribe Right = "unsubscribe"
	RightBounce      Right = "bounce"
	RightIcon        Right = "icon"
	RightConfirm     Right = "confirm"
	RightBrowsers    Right = "browsers" // end the browsers that speak for the member
	RightSignIn      Right = "sign-in"  // sign in as the person, once
)

// mailRights are the rights whose tokens stand in every mail to a member.
var mailRights = []Right{RightJoin, RightReply, RightUnsubscribe, RightBounce}

// Holder is whom a token names.
type Holder struct {
	Session, Member, Grant uuid.UUID
	Right                  Right
	Address                Address
	held                   uuid.UUID
	generation             int
}

// Identity is the holder as the gate knows them: with the right of the token,
// and no more.
func (h Holder) Identity(via Network) Identity {
	return Identity{Via: via, Grant: h.Grant, Right: h.Right}
}

// TokenLength is the length of every token: a shard slot of 2 characters and
// 130 bits in 26 characters of lower-case base32.
const TokenLength = 28

var lowerBase32 = base32.NewEncoding("abcdefghijklmnopqrstuvwxyz234567").WithPadding(base32.NoPadding)

// token makes the token of a right. It can be made again at any time, so it is
// stored nowhere: the database has only its hash.
func (s *Service) token(session, grant uuid.UUID, generation int, right Right, held uuid.UUID) string {
	mac := hmac.New(sha256.New, s.key)
	mac.Write([]byte("token\x00" + string(right) + "\x00" + strconv.Itoa(generation) + "\x00"))
	mac.Write(grant[:])
	mac.Write(held[:])
	return slot(session) + lowerBase32.EncodeToString(mac.Sum(nil))[:TokenLength-2]
}

// slot is the shard slot of a session, the last byte of its UUID: a router of
// shards needs no table to find the database of a token.
func slot(session uuid.UUID) string {
	const digits = "abcdefghijklmnop"
	last := session[len(session)-1]
	return string([]byte{digits[last>>4], digits[last&15]})
}

func tokenHash(token string) string {
	sum := sha256.Sum256([]byte(token))
	return hex.EncodeToString(sum[:])
}

// opaque derives a name that tells nothing and stays the same: for Message-IDs.
func (s *Service) opaque(purpose string, parts ...uuid.UUID) string {
	var text strings.Builder
	for _, p := range parts {
		text.Write(p[:])
	}
	return s.opaqueText(purpose, text.String())
}

func (s *Service) opaqueText(purpose, text string) string {
	mac := hmac.New(sha256.New, s.key)
	mac.Write([]byte(purpose + "\x00" + text))
	return lowerBase32.EncodeToString(mac.Sum(nil))[:26]
}

// secret is a fresh random secret of 160 bits.
func secret() string {
	var b [20]byte
	rand.Read(b[:]) // never fails (Go 1.24)
	return lowerBase32.EncodeToString(b[:])
}

// Holder finds whom a token names. Unknown and revoked tokens, and tokens of
// another right, all give the same NotFound. What a grant that has run out still
// allows, the gate says.
func (s *Service) Holder(ctx context.Context, right Right, token string) (Holder, error) {
	asked := time.Now()
	h, err := s.holder(ctx, right, token)
	return h, even(ctx, asked, err)
}

func (s *Service) holder(ctx context.Context, right Right, token string) (Holder, error) {
	if len(token) != TokenLength {
		return Holder{}, errNoSession
	}
	row, ok, err := s.store.GetToken(ctx, tokenHash(fold(token)))
	if err != nil {
		return Holder{}, err
	}
	if !ok || row.Right != right {
		return Holder{}, errNoSession
	}
	room, err := s.Room(ctx, row.Session)
	if err != nil {
		return Holder{}, err
	}
	member, ok := room.Member(row.Member)
	if !ok || member.Grant.Generation != row.Generation || member.Grant.Revoked {
		return Holder{}, errNoSession
	}
	return Holder{row.Session, row.Member, row.Grant, right, member.Address, row.Held, row.Generation}, nil
}

// Token is the token of a right that is written into a member's own mail.
// RightIcon names the session alone and belongs to the initiator's grant.
func (s *Service) Token(ctx context.Context, session, member uuid.UUID, right Right) (string, error) {
	room, err := s.Room(ctx, session)
	if err != nil {
		return "", err
	}
	m, ok := room.Member(member)
	if !ok {
		return "", errNoSession
	}
	if right == RightIcon {
		m = room.Initiator()
	}
	return s.token(session, m.Grant.ID, m.Grant.Generation, right, uuid.Nil), nil
}

// addTokens makes the tokens of a fresh grant known.
func (s *Service) addTokens(ctx context.Context, tx Tx, session uuid.UUID, m Member) error {
	rights := mailRights
	if m.Role == Initiator {
		rights = append([]Right{RightIcon}, mailRights...)
	}
	for _, right := range rights {
		if err := s.addToken(ctx, tx, session, m, right, uuid.Nil); err != nil {
			return err
		}
	}
	return nil
}

func (s *Service) addToken(ctx context.Context, tx Tx, session uuid.UUID, m Member, right Right, held uuid.UUID) error {
	token := s.token(session, m.Grant.ID, m.Grant.Generation, right, held)
	return tx.AddToken(ctx, tokenHash(token), TokenRow{
		Session: session, Grant: m.Grant.ID, Member: m.ID,
		Right: right, Generation: m.Grant.Generation, Held: held,
	})
}
