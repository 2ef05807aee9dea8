package xmpp

import (
	"strings"

	"github.com/google/uuid"

	"mailroom/bridge"
)

// jid is an address of XMPP in its three parts (RFC 7622). What we are sent
// was checked and normalised by the server; it is only cut here.
type jid struct {
	local, domain, resource string
}

// parseJID cuts an address. One that cannot be cut has an empty domain.
func parseJID(s string) jid {
	bare, resource, _ := strings.Cut(s, "/")
	local, domain, found := strings.Cut(bare, "@")
	if !found {
		local, domain = "", bare
	}
	return jid{local, strings.ToLower(domain), resource}
}

func (j jid) bare() string {
	if j.local == "" {
		return j.domain
	}
	return j.local + "@" + j.domain
}

func (j jid) String() string {
	if j.resource == "" {
		return j.bare()
	}
	return j.bare() + "/" + j.resource
}

// session is the session whose room the address names; uuid.Nil, which no
// session has, if it cannot be one. Only the one canonical form is taken, so
// that a room has one address.
func (j jid) session() uuid.UUID {
	id, err := uuid.Parse(j.local)
	if err != nil || id.String() != j.local {
		return uuid.Nil
	}
	return id
}

// identity is who the server says that the sender is.
func (j jid) identity() bridge.Identity {
	return bridge.Identity{Via: bridge.XMPP, Address: bridge.JID(j.bare())}
}
