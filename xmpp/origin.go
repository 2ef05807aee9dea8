package xmpp

import (
	"crypto/sha256"
	"encoding/hex"
	"strings"

	"github.com/google/uuid"

	"mailroom/bridge"
)

// maxClientID is the longest id of a client that is kept, in bytes.
const maxClientID = 128

// Two forms of origin, after the sender's bare JID, which holds no space. With
// an origin-id (XEP-0359) a repeat is known by it. The id attribute alone tells
// nothing, since some clients begin to count anew: such a message never
// repeats, and the id is kept beside a fresh one for the reflection.
const (
	byOriginID = " o "
	byOurs     = " i "
)

// originOf is the origin of what a client sent.
func originOf(in incoming) bridge.Origin {
	sender := in.from.identity().Address.ID
	if e := in.child(nsStanzaID, "origin-id"); e != nil && e.attr("id") != "" {
		return bridge.Origin{Network: bridge.XMPP, ID: sender + byOriginID + bounded(e.attr("id"))}
	}
	id := sender + byOurs + uuid.NewString()
	if clientID := in.attr("id"); clientID != "" && len(clientID) <= maxClientID {
		id += " " + clientID
	}
	return bridge.Origin{Network: bridge.XMPP, ID: id}
}

// bounded is the id, or if it is too long what stands for it.
func bounded(id string) string {
	if len(id) <= maxClientID {
		return id
	}
	sum := sha256.Sum256([]byte(id))
	return hex.EncodeToString(sum[:])
}

// clientIDs are the ids that the client itself gave a message, "" if none or
// longer than maxClientID: that of the stanza, by which clients know their own
// reflection (XEP-0045 §15.5.2), and the origin-id, which nearly all make the
// same.
func clientIDs(o bridge.Origin) (id, originID string) {
	if o.Network != bridge.XMPP {
		return "", ""
	}
	if _, found, ok := strings.Cut(o.ID, byOriginID); ok {
		id, originID = found, found
	} else if _, ours, ok := strings.Cut(o.ID, byOurs); ok {
		_, id, _ = strings.Cut(ours, " ")
	}
	if len(id) > maxClientID {
		return "", ""
	}
	return id, originID
}
